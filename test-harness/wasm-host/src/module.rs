//! A filter compiled to machine code: once per process, shared by every gateway.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wasmtime::{Config, Engine};

/// A compiled filter. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) compiled: wasmtime::Module,
    /// Whether its VMs must be given fuel, and tell what they used.
    pub(crate) metered: bool,
}

impl Module {
    /// Reads and compiles a `.wasm` file, which may take seconds: keep the result.
    ///
    /// # Errors
    /// The file can't be read, isn't WebAssembly that both hosts take, or isn't a proxy-wasm
    /// filter of ABI 0.2.x.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::compile(&read(path.as_ref())?, false)
    }

    /// The same, compiled so that every instruction is counted ([`Cost::fuel`](crate::Cost::fuel)), which makes it slower.
    ///
    /// # Errors
    /// As for [`Module::load`].
    pub fn metered(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::compile(&read(path.as_ref())?, true)
    }

    /// Compiles a filter that is already in memory.
    ///
    /// # Errors
    /// As for [`Module::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::compile(bytes, false)
    }

    fn compile(bytes: &[u8], metered: bool) -> Result<Self, LoadError> {
        let engine = engine(metered)?;
        let compiled =
            wasmtime::Module::new(&engine, bytes).map_err(|e| LoadError::Compile(describe(&e)))?;
        let speaks_the_abi = compiled.exports().any(|export| {
            matches!(
                export.name(),
                "proxy_abi_version_0_2_0" | "proxy_abi_version_0_2_1"
            )
        });
        if !speaks_the_abi {
            return Err(LoadError::NoAbiVersion);
        }
        Ok(Self { compiled, metered })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|error| LoadError::Read {
        path: path.to_owned(),
        error,
    })
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").finish_non_exhaustive()
    }
}

/// Why a filter could not be loaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The file can't be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It is not WebAssembly, or uses a proposal that Kong refuses: exceptions, GC, memory64.
    Compile(String),
    /// It exports no `proxy_abi_version_0_2_*`.
    NoAbiVersion,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "can't read {}: {error}", path.display()),
            Self::Compile(why) => write!(f, "can't compile the filter: {why}"),
            Self::NoAbiVersion => f.write_str("the filter exports no proxy_abi_version_0_2_*"),
        }
    }
}

impl std::error::Error for LoadError {}

/// One engine of each kind for the process, so that modules and VMs share it.
fn engine(metered: bool) -> Result<Engine, LoadError> {
    static ENGINES: [OnceLock<Engine>; 2] = [OnceLock::new(), OnceLock::new()];
    let place = &ENGINES[usize::from(metered)];
    if let Some(engine) = place.get() {
        return Ok(engine.clone());
    }
    let mut config = Config::new();
    // Kong refuses it. Exceptions and GC, which it refuses too, aren't compiled in here.
    config.wasm_memory64(false);
    config.consume_fuel(metered);
    // A trap's message should be its cause. Where a panic was, the guest logs itself.
    config.wasm_backtrace_max_frames(None);
    let engine = Engine::new(&config).map_err(|e| LoadError::Compile(describe(&e)))?;
    Ok(place.get_or_init(|| engine).clone())
}

/// An error with its causes, on one line.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

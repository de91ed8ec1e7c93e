//! Files that hold something else than policies: claims, tests.

use super::{Flaw, Place, SourceFile, document};
use crate::failure::Failure;
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;

/// A document of YAML or JSON that knows where its parts stand.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) file: SourceFile,
    pub(crate) value: Value,
    tree: Rc<super::tree::Node>,
}

impl Data {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// It can't be read, is empty, or is neither YAML nor JSON.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = SourceFile::read(path)?;
        if file.text.trim().is_empty() {
            return Err(Failure::new(format!("{}: is empty", file.name)));
        }
        match document(&file.text, path) {
            Ok((tree, _)) => Ok(Self {
                value: tree.to_value(),
                tree,
                file,
            }),
            Err(flaw) => Err(Self::flawed(&file, &flaw)),
        }
    }

    fn flawed(file: &SourceFile, flaw: &Flaw) -> Failure {
        let (line, column) = file.line_and_column(flaw.span.start);
        let message = format!("{}:{line}:{column}: {}", file.name, flaw.message);
        Failure::new(message).help(flaw.fix.clone())
    }

    /// Where a path such as `tests[2].expect` stands.
    pub(crate) fn locate(&self, path: &str) -> Place {
        self.tree.locate(path)
    }
}

//! `jobgate schema`

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the JSON Schema of policies.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {}

impl SchemaArgs {
    pub(crate) fn run(&self, _: &mut Output) -> Result<Exit, Failure> {
        Err(Failure::new("schema is not there yet"))
    }
}

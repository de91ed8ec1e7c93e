//! `jobgate schema`

mod kong;
mod markdown;
mod walk;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use serde_json::Value;
use std::io::Write as _;

/// Prints the JSON Schema of policies.
///
/// It says which members there are and of what shape, for editors, Kong and other tools. What takes more to tell,
/// such as a rule that any tenant could meet, `jobgate check` finds.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SchemaArgs {
    /// Print Kong's metadata of the filter, jobgate.meta.json, instead: the schema in draft 4
    #[arg(long)]
    kong: bool,

    /// Print a section's table of docs/policy.md
    #[arg(long, hide = true, conflicts_with = "kong", value_name = "SECTION")]
    markdown: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  Let an editor complete and check policy.yaml (here with the YAML language server):
    jobgate schema > jobgate.schema.json
    sed -i '1i # yaml-language-server: $schema=jobgate.schema.json' policy.yaml

  Let Kong check the filter's configuration, and take it as YAML rather than as a text:
    jobgate schema --kong > /opt/jobgate/jobgate.meta.json";

impl SchemaArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        let mut schema = jobgate::policy::schema();
        if let Some(section) = &self.markdown {
            let table = markdown::table(&schema, section).ok_or_else(|| {
                let known: Vec<_> = markdown::SECTIONS
                    .iter()
                    .map(|section| section.name)
                    .collect();
                Failure::new(format!("there is no section {section:?}"))
                    .help(format!("write one of {}", known.join(", ")))
            })?;
            output.write_all(table.as_bytes())?;
        } else {
            walk::each(&mut schema, &mut without_links);
            let document = if self.kong {
                kong::metadata(schema)
            } else {
                schema
            };
            output.json(&document)?;
        }
        output.flush()?;
        Ok(Exit::Yes)
    }
}

/// The links of descriptions lead to places of docs/policy.md: `[rules](#rules)` is `rules` elsewhere.
fn without_links(schema: &mut serde_json::Map<String, Value>) {
    let Some(Value::String(description)) = schema.get_mut("description") else {
        return;
    };
    let mut text = String::new();
    let mut rest = description.as_str();
    while let Some((before, link)) = rest.split_once('[') {
        text += before;
        match link.split_once("](#") {
            Some((words, after)) if !words.contains(']') => {
                text += words;
                rest = after.split_once(')').map_or("", |(_, rest)| rest);
            }
            _ => {
                text.push('[');
                rest = link;
            }
        }
    }
    text += rest;
    *description = text;
}

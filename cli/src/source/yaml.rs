//! YAML 1.2, with places, as the JSON that a gateway makes of it.

use super::flaw::Flaw;
use super::kubernetes;
use super::scalar;
use super::tree::{Kind, Member, Node, Quoting, Span};
use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Nodes that a document may have once its aliases are written out.
const MOST_NODES: usize = 1_000_000;

/// Reads all of `text` as one YAML document. Places are bytes of `text`. Objects of Kubernetes may be several
/// documents: then they are a list.
///
/// # Errors
/// The first thing that is not YAML, that JSON can't say, or that could be read in two ways.
pub(crate) fn parse(text: &str) -> Result<Rc<Node>, Flaw> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    let mut loader = Loader {
        text,
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        nodes: 0,
    };
    loader.document()
}

struct Loader<'t> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    /// The values that aliases stand for, and how many nodes each is.
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    nodes: usize,
}

impl<'t> Loader<'t> {
    fn document(&mut self) -> Result<Rc<Node>, Flaw> {
        let mut documents = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => {
                    let first_line = self.first_line(&span);
                    documents.push((self.node(event, span)?, first_line));
                }
            }
        }
        let whole = 0..self.text.len();
        let second = match documents.as_slice() {
            [] => {
                return Err(Flaw::new(
                    whole,
                    "there is nothing here",
                    "write a policy: issuers and rules",
                ));
            }
            [(only, _)] => return Ok(Rc::clone(only)),
            [_, (_, second), ..] => second.clone(),
        };
        let objects: Vec<_> = documents
            .into_iter()
            .map(|(document, _)| document)
            // What `---` at the end begins, or before a comment.
            .filter(|document| !matches!(document.kind, Kind::Bare(Value::Null)))
            .collect();
        if !objects.iter().all(|object| kubernetes::is_object(object)) {
            return Err(Flaw::new(
                second,
                "a second document begins here",
                "write one document to a file; only objects of Kubernetes may be several",
            ));
        }
        Ok(Rc::new(Node {
            span: whole,
            kind: Kind::List(objects),
        }))
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Flaw> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                let (start, end) = (self.byte(&span.start), self.byte(&span.end));
                Ok((event, self.trimmed(start, end)))
            }
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn scan_error(&self, error: &ScanError) -> Flaw {
        let at = self.byte(error.marker());
        Flaw::new(
            at..at,
            format!("this is not YAML: {}", error.info()),
            "mend the YAML here or just above",
        )
    }

    fn byte(&self, marker: &Marker) -> usize {
        marker
            .byte_offset()
            .unwrap_or(self.text.len())
            .min(self.text.len())
    }

    /// Without the space at its end, which the parser counts to collections.
    fn trimmed(&self, start: usize, end: usize) -> Span {
        let inner = self.text.get(start..end).unwrap_or_default();
        start..start + inner.trim_end().len()
    }

    fn first_line(&self, span: &Span) -> Span {
        let inner = self.text.get(span.clone()).unwrap_or_default();
        span.start..span.start + inner.lines().next().unwrap_or_default().len()
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Flaw> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(Flaw::new(
                span.clone(),
                format!(
                    "with its aliases written out the document has more than {MOST_NODES} parts"
                ),
                "use fewer aliases",
            ));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Rc<Node>, Flaw> {
        let before = self.nodes;
        self.count(1, &span)?;
        let (node, anchor) = match event {
            Event::Alias(id) => {
                let Some((node, nodes)) = self.anchors.get(&id).cloned() else {
                    return Err(Flaw::new(
                        span,
                        "this alias stands for something that it is a part of",
                        "write the value out",
                    ));
                };
                self.count(nodes, &span)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => (
                scalar_node(text.into_owned(), style, tag.as_deref(), span)?,
                anchor,
            ),
            Event::SequenceStart(_, anchor, tag) => {
                standard_tag(tag.as_deref(), "seq", &span)?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => {
                            break (list(span.start..end.end, items, self), anchor);
                        }
                        (event, item) => items.push(self.node(event, item)?),
                    }
                }
            }
            Event::MappingStart(_, anchor, tag) => {
                standard_tag(tag.as_deref(), "map", &span)?;
                let (members, end) = self.members()?;
                let span = self.trimmed(span.start, end);
                let kind = Kind::Map(members);
                (Node { span, kind }, anchor)
            }
            _ => {
                return Err(Flaw::new(
                    span,
                    "this is no value that can be read",
                    "write a value here",
                ));
            }
        };
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors
                .insert(anchor, (Rc::clone(&node), self.nodes - before));
        }
        Ok(node)
    }

    /// Members up to the end of their map, and that end.
    fn members(&mut self) -> Result<(Vec<Member>, usize), Flaw> {
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok((members, key_span.end));
            }
            let key_node = self.node(event, key_span.clone())?;
            let Some(key) = key_node.text().map(str::to_owned) else {
                return Err(Flaw::new(
                    key_span,
                    "a name must be a text",
                    "write it in quotes",
                ));
            };
            if !seen.insert(key.clone()) {
                return Err(Flaw::twice(key_span, &key));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            members.push(Member {
                key,
                key_span,
                value,
            });
        }
    }
}

fn list(span: Span, items: Vec<Rc<Node>>, loader: &Loader<'_>) -> Node {
    Node {
        span: loader.trimmed(span.start, span.end),
        kind: Kind::List(items),
    }
}

fn scalar_node(
    text: String,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: Span,
) -> Result<Node, Flaw> {
    let quoting = match style {
        ScalarStyle::SingleQuoted => Quoting::Single,
        ScalarStyle::DoubleQuoted => Quoting::Double,
        ScalarStyle::Plain => Quoting::Plain,
        ScalarStyle::Literal | ScalarStyle::Folded => Quoting::Block,
    };
    let unfit = |(message, fix)| Flaw::new(span.clone(), message, fix);
    let resolved = match tag {
        None if style == ScalarStyle::Plain => scalar::resolve(&text).map_err(unfit)?,
        None => None,
        Some(tag) if tag.is_yaml_core_schema_tag("str") => None,
        Some(tag) => {
            let resolved = scalar::resolve(&text).map_err(unfit)?;
            let fits = match &resolved {
                Some(Value::Null) => tag.is_yaml_core_schema_tag("null"),
                Some(Value::Bool(_)) => tag.is_yaml_core_schema_tag("bool"),
                Some(Value::Number(number)) => {
                    tag.is_yaml_core_schema_tag(if number.is_f64() { "float" } else { "int" })
                }
                _ => false,
            };
            if !fits {
                return Err(foreign_tag(tag, span));
            }
            resolved
        }
    };
    let kind = match resolved {
        Some(value) => Kind::Bare(value),
        None => Kind::Text { text, quoting },
    };
    Ok(Node { span, kind })
}

fn standard_tag(tag: Option<&Tag>, name: &str, span: &Span) -> Result<(), Flaw> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(name) => Err(foreign_tag(tag, span.clone())),
        _ => Ok(()),
    }
}

fn foreign_tag(tag: &Tag, span: Span) -> Flaw {
    let message = format!(
        "JSON has nothing for a value with the tag {}",
        tag.original()
    );
    Flaw::new(span, message, "leave the tag out")
}

//! JUnit's XML, which CI systems show: a suite for each file.

use super::run::Outcome;
use crate::evaluate::printable;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

/// The report.
///
/// # Errors
/// None but those of writing to memory.
pub(crate) fn report(outcomes: &[Outcome<'_>]) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = xml.create_element("testsuites");
    let suites = counted(suites.with_attribute(("name", "jobgate test")), outcomes);
    suites.write_inner_content(|xml| {
        for of_file in outcomes.chunk_by(|a, b| std::ptr::eq(a.suite, b.suite)) {
            let name = printable(&of_file[0].suite.name);
            let suite = xml.create_element("testsuite");
            let suite = counted(suite.with_attribute(("name", name.as_str())), of_file);
            suite.write_inner_content(|xml| of_file.iter().try_for_each(|each| case(xml, each)))?;
        }
        Ok(())
    })?;
    let mut document = xml.into_inner();
    document.push(b'\n');
    Ok(document)
}

type Element<'w> = quick_xml::writer::ElementWriter<'w, Vec<u8>>;

fn counted<'w>(element: Element<'w>, outcomes: &[Outcome<'_>]) -> Element<'w> {
    let failures = outcomes.iter().filter(|outcome| !outcome.passes()).count();
    element
        .with_attribute(("tests", outcomes.len().to_string().as_str()))
        .with_attribute(("failures", failures.to_string().as_str()))
        .with_attribute(("errors", "0"))
}

fn case(xml: &mut Writer<Vec<u8>>, outcome: &Outcome<'_>) -> io::Result<()> {
    let file = printable(&outcome.suite.name);
    let element = xml
        .create_element("testcase")
        .with_attribute(("name", printable(&outcome.test.name).as_str()))
        .with_attribute(("classname", file.as_str()))
        .with_attribute(("file", file.as_str()))
        .with_attribute(("line", outcome.test.line.to_string().as_str()));
    if outcome.passes() {
        element.write_empty()?;
        return Ok(());
    }
    let differences: Vec<_> = outcome
        .differences
        .iter()
        .map(|each| {
            format!(
                "{}: expected {}, got {}",
                each.member, each.expected, each.actual
            )
        })
        .collect();
    let message = printable(&differences.join("; "));
    let mut text = Vec::new();
    crate::explanation::plain::write(&mut text, &outcome.explanation(), &[])?;
    let text = String::from_utf8_lossy(&text);
    element.write_inner_content(|xml| {
        xml.create_element("failure")
            .with_attribute(("message", message.as_str()))
            .write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

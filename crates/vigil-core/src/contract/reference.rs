//! The contract as a page for people: docs/contract.md.

use super::attributes::{Class, Key, Words};
use super::events::COMMON_EVENT;
use super::{COMMON, EventKind, GENAI_COMMIT, Instrument, Metric, SCHEMA_URL, SpanKind};
use crate::cost;
use std::fmt::Write as _;

/// The reference page, in Markdown. Always the same for the same tables.
pub fn reference() -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let written = head(&mut page)
        .and_then(|()| spans(&mut page))
        .and_then(|()| events(&mut page))
        .and_then(|()| metrics(&mut page))
        .and_then(|()| attributes(&mut page));
    debug_assert!(written.is_ok());
    page
}

fn head(page: &mut String) -> std::fmt::Result {
    writeln!(page, "# The contract\n")?;
    writeln!(page, "<!-- Generated from crates/vigil-core/src/contract; do not edit. To write it anew:")?;
    writeln!(page, "     VIGIL_WRITE_DOCS=1 cargo test -p vigil-core reference -->\n")?;
    writeln!(
        page,
        "Every span, event, metric and attribute Vigil emits. GenAI and MCP names follow the OpenTelemetry GenAI\n\
         conventions at commit `{GENAI_COMMIT}`; the schema URL on the wire is `{SCHEMA_URL}`.\n\
         Costs come from Vigil's price table of {}.\n",
        cost::TABLE_DATE
    )?;
    writeln!(page, "Attributes come in four classes:\n")?;
    writeln!(page, "- **number**: numbers, truth values, lists of numbers;")?;
    writeln!(
        page,
        "- **enum**: one of few words, from a closed list or an open one (at most 64 letters, digits and `_.:-/`);"
    )?;
    writeln!(page, "- **name**: an identifier or name that is meant to be seen, at most 256 bytes;")?;
    writeln!(page, "- **text**: free text, which is recorded only when the content gate is open.\n")?;
    writeln!(page, "Attributes marked **!** are always there. Every span and event carries `vigil.originator`.\n")
}

fn spans(page: &mut String) -> std::fmt::Result {
    writeln!(page, "## Spans\n\nEvery span may also have: {}.\n", names(COMMON))?;
    for kind in SpanKind::all() {
        let def = kind.def();
        writeln!(page, "### `{}`\n\n{}\n", def.name_pattern, def.doc.trim())?;
        writeln!(page, "Kind `{}`, OTLP {}, {}.\n", def.id, def.otlp_kind.as_str(), def.source)?;
        key_list(page, def.required, def.attributes)?;
    }
    Ok(())
}

fn events(page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "## Events\n\nOTLP log records with an event name and no body. Every event may also have: {}.\n",
        names(COMMON_EVENT)
    )?;
    for kind in EventKind::all() {
        let def = kind.def();
        writeln!(page, "### `{}`\n\n{}\n\nSeverity {}, {}.\n", def.name, def.doc.trim(), def.severity, def.source)?;
        key_list(page, def.required, def.attributes)?;
    }
    Ok(())
}

fn key_list(page: &mut String, required: &[Key], allowed: &[Key]) -> std::fmt::Result {
    if required.is_empty() && allowed.is_empty() {
        return writeln!(page, "No attributes of its own.\n");
    }
    let required = required.iter().map(|key| format!("**!** `{key}`"));
    let allowed = allowed.iter().map(|key| format!("`{key}`"));
    writeln!(page, "{}\n", required.chain(allowed).collect::<Vec<_>>().join(", "))
}

fn metrics(page: &mut String) -> std::fmt::Result {
    writeln!(page, "## Metrics\n")?;
    writeln!(page, "| metric | instrument | unit | says | attributes | source |\n|---|---|---|---|---|---|")?;
    for metric in Metric::all() {
        let def = metric.def();
        let instrument = match def.instrument {
            Instrument::Counter => "counter",
            Instrument::UpDownCounter => "up-down counter",
            Instrument::Gauge => "gauge",
            Instrument::Histogram { .. } => "histogram",
        };
        let (name, unit, doc, source) = (def.name, def.unit, def.doc.trim(), def.source);
        writeln!(page, "| `{name}` | {instrument} | `{unit}` | {doc} | {} | {source} |", names(def.attributes))?;
    }
    writeln!(page)
}

fn attributes(page: &mut String) -> std::fmt::Result {
    writeln!(page, "## Attributes\n")?;
    writeln!(page, "| attribute | type | class | says | words | source |\n|---|---|---|---|---|---|")?;
    for key in Key::all() {
        let def = key.def();
        let class = match def.class {
            Class::Number => "number",
            Class::Enum => "enum",
            Class::Name => "name",
            Class::Text => "text",
        };
        let words = match def.words {
            Words::Unlisted => String::new(),
            Words::Known(words) => format!("{}, …", quoted(words)),
            Words::Closed(words) => quoted(words),
        };
        writeln!(page, "| `{key}` | {:?} | {class} | {} | {words} | {} |", def.ty, def.doc, def.source)?;
    }
    Ok(())
}

fn names(keys: &[Key]) -> String {
    quoted(&keys.iter().map(|key| key.name()).collect::<Vec<_>>())
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

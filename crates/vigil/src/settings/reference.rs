//! `docs/environment.md`: the table of variables as a page.
#![cfg(test)]

use super::VARIABLES;
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Environment variables

<!-- Generated from crates/vigil/src/settings/variables.rs; do not edit. To write it anew:
     VIGIL_WRITE_DOCS=1 cargo test -p vigil-sdk reference -->

Everything Vigil reads from the environment. The rules are the OpenTelemetry specification's: an empty value is as
good as none; a truth value is true for `true` in any case and false for anything else; a value that makes no sense is
named once on stderr, with what is used instead, and the program goes on. What the code sets wins over the
environment, a signal's own variable over the general one. `vigil doctor` shows what is set and what it does.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut group = "";
    for variable in VARIABLES {
        if variable.group != group {
            group = variable.group;
            write!(page, "\n## {group}\n\n| variable | default | meaning |\n|---|---|---|\n").unwrap();
        }
        writeln!(page, "| `{}` | {} | {} |", variable.name, variable.default, variable.meaning).unwrap();
    }
    page
}

#[test]
fn the_reference_of_the_environment_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/environment.md");
    if std::env::var_os("VIGIL_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/environment.md is out of date: VIGIL_WRITE_DOCS=1 cargo test -p vigil-sdk reference"
    );
}

#[test]
fn every_variable_is_there_once_and_is_explained() {
    for (index, variable) in VARIABLES.iter().enumerate() {
        assert!(VARIABLES[..index].iter().all(|other| other.name != variable.name), "{}", variable.name);
        assert!(variable.meaning.ends_with('.') && !variable.default.is_empty(), "{}", variable.name);
    }
}

#[test]
fn what_is_shown_of_a_variable_holds_no_secret() {
    let variable = |name: &str| VARIABLES.iter().find(|variable| variable.name == name).unwrap();
    let headers = variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    assert_eq!(headers.shown("api-key=secret,x=secret"), "api-key=…,x=…");
    assert_eq!(headers.shown("secret"), "…");
    let endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(endpoint.shown("https://me:secret@host/x"), "https://…@host/x");
}

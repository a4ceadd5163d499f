//! `vigil journal verify`.

use super::args::VerifyArgs;
use super::{UNREADABLE, name};
use crate::output::{Style, Styles, counted, to_stderr, to_stdout};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use vigil::journal::{Damage, Finding, Hash, ReadError, Reader, Verification};

/// Damaged, altered, or it ends with another hash.
const WRONG: u8 = 1;
/// Intact but for a torn end.
const TORN: u8 = 3;

/// Checks every journal and ends with the worst status.
pub(super) fn verify(arguments: &VerifyArgs) -> ExitCode {
    let styles = Styles::for_stream(&io::stdout());
    let mut statuses = Vec::new();
    for file in &arguments.files {
        let checked = match check(file, arguments.hash) {
            Ok(checked) => checked,
            Err(error) => {
                to_stderr(&format!("vigil: {}: {error}\n", name(file)));
                statuses.push(UNREADABLE);
                continue;
            }
        };
        let text = match arguments.json {
            true => format!("{}\n", checked.json(file)),
            false if arguments.quiet && checked.status() == 0 => String::new(),
            false => checked.text(&name(file), styles),
        };
        statuses.push(checked.status());
        if !to_stdout(&text) {
            break;
        }
    }
    let worst = [UNREADABLE, WRONG, TORN].into_iter().find(|status| statuses.contains(status));
    worst.map_or(ExitCode::SUCCESS, ExitCode::from)
}

struct Checked {
    stream: Option<String>,
    verification: Verification,
    /// The hash it should end with, where that is known.
    expected: Option<Hash>,
}

fn check(file: &Path, expected: Option<Hash>) -> Result<Checked, ReadError> {
    let mut reader = Reader::open(file)?;
    let verification = vigil::journal::verify(&mut reader)?;
    Ok(Checked { stream: reader.stream().map(str::to_owned), verification, expected })
}

impl Checked {
    fn ends_as_expected(&self) -> bool {
        self.expected.is_none_or(|expected| expected == self.verification.head.hash)
    }

    fn status(&self) -> u8 {
        if !self.verification.is_intact() || !self.ends_as_expected() {
            WRONG
        } else if self.verification.torn.is_some() {
            TORN
        } else {
            0
        }
    }

    fn text(&self, file: &str, styles: Styles) -> String {
        let Verification { records, head, findings, findings_total, torn } = &self.verification;
        let verdict = match self.status() {
            0 => styles.paint(Style::Good, "intact"),
            TORN => styles.paint(Style::Notable, "intact, with a torn end"),
            _ if self.verification.is_intact() => styles.paint(Style::Bad, "not the journal it should be"),
            _ => styles.paint(Style::Bad, "not intact"),
        };
        let mut text = format!("{file}: {verdict}; {}", counted(*records, "record", "records"));
        if *records > 0 {
            let _a_string_takes_all = write!(text, ", the last is {} with hash {}", head.sequence, head.hash);
        }
        text.push('\n');
        let mut line = |said: String| {
            text.push_str("  ");
            text.push_str(&said);
            text.push('\n');
        };
        findings.iter().for_each(|finding| line(finding.to_string()));
        let untold = findings_total - findings.len() as u64;
        if untold > 0 {
            line(format!("and {} more", counted(untold, "finding", "findings")));
        }
        if let Some(torn) = torn {
            line(format!("torn: {torn}; cut when the journal is opened the next time"));
        }
        if let Some(expected) = self.expected.filter(|_| !self.ends_as_expected()) {
            line(format!("it should end with hash {expected}"));
        }
        text
    }

    fn json(&self, file: &Path) -> Value {
        let verification = &self.verification;
        json!({
            "file": file.to_string_lossy(),
            "stream": self.stream,
            "intact": verification.is_intact(),
            "records": verification.records,
            "sequence": verification.head.sequence,
            "hash": verification.head.hash.to_string(),
            "ends_as_expected": self.expected.map(|_| self.ends_as_expected()),
            "findings": verification.findings.iter().map(finding).collect::<Vec<_>>(),
            "findings_total": verification.findings_total,
            "torn": verification.torn.map(damage),
        })
    }
}

fn damage(Damage { offset, bytes, after }: Damage) -> Value {
    json!({ "offset": offset, "bytes": bytes, "after": after })
}

fn finding(finding: &Finding) -> Value {
    match *finding {
        Finding::Damaged(Damage { offset, bytes, after }, next) => {
            json!({ "kind": "damaged", "offset": offset, "bytes": bytes, "after": after, "next": next })
        }
        Finding::OutOfSequence { offset, expected, found } => {
            json!({ "kind": "out_of_sequence", "offset": offset, "expected": expected, "found": found })
        }
        Finding::Altered { offset, sequence } => {
            json!({ "kind": "altered", "offset": offset, "sequence": sequence })
        }
        Finding::Unchained { offset, sequence } => {
            json!({ "kind": "unchained", "offset": offset, "sequence": sequence })
        }
    }
}

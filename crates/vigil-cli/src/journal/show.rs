//! `vigil journal show`.

use super::args::ShowArgs;
use super::lines::Lines;
use super::{name, record, unreadable};
use crate::output::{Style, Styles, to_stderr};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use vigil::journal::{Damage, Envelope, Item, Reader};

/// Prints the records that are asked for.
pub(super) fn show(arguments: &ShowArgs) -> ExitCode {
    let mut reader = match Reader::open(&arguments.file) {
        Ok(reader) => reader,
        Err(error) => return unreadable(&arguments.file, &error),
    };
    let mut printer = Printer::new(&arguments.file, arguments.json, false);
    let wanted = |envelope: &Envelope<'_>| {
        (arguments.from..=arguments.to).contains(&envelope.sequence)
            && arguments.kind.as_deref().is_none_or(|kind| kind == envelope.kind)
    };
    match printer.print(&mut reader, wanted) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => unreadable(&arguments.file, &error),
    }
}

/// Prints records to stdout, and what is damaged to stderr.
pub(super) struct Printer {
    file: String,
    as_json: bool,
    /// Whether the journal is read on when it is longer: what is torn at its end is a write under way then.
    follows: bool,
    styles: Styles,
    lines: Lines,
}

impl Printer {
    pub(super) fn new(file: &Path, as_json: bool, follows: bool) -> Self {
        Self { file: name(file), as_json, follows, styles: Styles::for_stream(&io::stdout()), lines: Lines::default() }
    }

    /// Prints what is wanted up to the end of the journal; `false` when nobody reads any more.
    pub(super) fn print(
        &mut self,
        reader: &mut Reader<File>,
        wanted: impl Fn(&Envelope<'_>) -> bool,
    ) -> io::Result<bool> {
        while let Some(item) = reader.next()? {
            let read = match item {
                Item::Record(_, envelope) if wanted(&envelope) => self.record(&envelope),
                Item::Record(..) => true,
                Item::Damaged(damage) => self.damage("damaged", damage),
                Item::Torn(_) if self.follows => true,
                Item::Torn(damage) => self.damage("torn", damage),
            };
            if !read {
                return Ok(false);
            }
        }
        Ok(self.lines.write())
    }

    fn record(&mut self, envelope: &Envelope<'_>) -> bool {
        let line = match self.as_json {
            true => record::json(envelope).to_string(),
            false => record::line(envelope, self.styles),
        };
        self.lines.push(&line)
    }

    fn damage(&mut self, what: &str, damage: Damage) -> bool {
        // So that it is told after the record it follows.
        let read = self.lines.write();
        let what = Styles::for_stream(&io::stderr()).paint(Style::Bad, what);
        to_stderr(&format!("vigil: {}: {what}: {damage}\n", self.file));
        read
    }
}

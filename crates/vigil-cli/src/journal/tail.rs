//! `vigil journal tail`.

use super::args::TailArgs;
use super::show::Printer;
use super::unreadable;
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use vigil::journal::{ReadError, Reader};

/// How often is looked for more.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Prints the last records, and goes on with what comes.
pub(super) fn tail(arguments: &TailArgs) -> ExitCode {
    match print(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unreadable(&arguments.file, &error),
    }
}

fn print(arguments: &TailArgs) -> Result<(), ReadError> {
    let from = last(&arguments.file, arguments.records as usize)?;
    let mut reader = Reader::open(&arguments.file)?;
    let mut printer = Printer::new(&arguments.file, arguments.json, arguments.follow);
    while printer.print(&mut reader, |envelope| envelope.sequence >= from)? && arguments.follow {
        std::thread::sleep(LOOK_EVERY);
        reader.resume()?;
    }
    Ok(())
}

/// The sequence of the first of the last `count` records; what comes after all of them when `count` is 0.
fn last(file: &Path, count: usize) -> Result<u64, ReadError> {
    let mut reader = Reader::open(file)?;
    let mut sequences = VecDeque::new();
    let mut after = 0;
    while let Some(envelope) = reader.next_record()? {
        after = envelope.sequence.saturating_add(1);
        sequences.push_back(envelope.sequence);
        if sequences.len() > count {
            sequences.pop_front();
        }
    }
    Ok(sequences.front().copied().unwrap_or(after))
}

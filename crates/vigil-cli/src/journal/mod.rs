//! `vigil journal`: an agent's journal read, checked and compared. Nothing here writes to one.
//!
//! Files are read record by record; what is held at once is a record (up to 16 MiB) and 64 KiB of output. A journal
//! that is being written can be read all the same.

mod args;
mod diff;
mod lines;
mod record;
mod show;
mod tail;
mod verify;

pub(crate) use args::JournalArgs;

use crate::output::{printable, to_stderr};
use args::Action;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Does what the arguments say.
pub(crate) fn run(arguments: JournalArgs) -> ExitCode {
    match arguments.action {
        Action::Verify(arguments) => verify::verify(&arguments),
        Action::Show(arguments) => show::show(&arguments),
        Action::Tail(arguments) => tail::tail(&arguments),
        Action::Diff(arguments) => diff::diff(&arguments),
    }
}

/// A journal cannot be read, or read on.
const UNREADABLE: u8 = 2;

/// Says why a journal cannot be read, and ends with that status.
fn unreadable(file: &Path, error: &impl Display) -> ExitCode {
    to_stderr(&format!("vigil: {}: {error}\n", name(file)));
    ExitCode::from(UNREADABLE)
}

/// A file's name for a terminal.
fn name(file: &Path) -> String {
    printable(&file.to_string_lossy())
}

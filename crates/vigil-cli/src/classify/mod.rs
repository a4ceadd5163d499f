//! `vigil classify`: whether a text says that a service throttles, for shell scripts and CI.
//!
//! Text comes on stdin, the verdict leaves as a line, as JSON or as the exit status. With `--jsonl` every line in is
//! an observation and every line out its verdict. Nothing of the text is printed: a verdict has words of closed lists,
//! numbers, and times.
//!
//! **Limits.** Text is read in pieces of 8 MiB that overlap by 64 KiB, so any amount of it may come. A line of
//! `--jsonl` has at most 64 MiB; a longer one is an error of that line.

mod args;
mod lines;
mod text;
mod verdict;

pub(crate) use args::ClassifyArgs;

use std::io;
use std::process::ExitCode;

/// Classifies what comes on stdin.
pub(crate) fn run(arguments: &ClassifyArgs) -> ExitCode {
    let stdin = io::stdin().lock();
    if arguments.jsonl { lines::run(arguments, stdin) } else { text::run(arguments, stdin) }
}

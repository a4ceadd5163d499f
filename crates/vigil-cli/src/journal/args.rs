//! Arguments of `vigil journal`.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use vigil::journal::Hash;

const VERIFY_HELP: &str = "\
Examples:
  vigil journal verify agent.journal
  vigil journal verify --hash 3f2a... agent.journal      nothing was taken from its end either
  vigil journal verify --json *.journal                  one JSON object a file

What is checked:
  Every record is whole, its hash is right, and it follows the one before. A chain cannot tell that records are
  missing at its end: who wants to know keeps the last hash elsewhere and gives it here.

Exit status:
  0  intact        1  damaged, altered, or it ends with another hash        2  wrong usage, or not readable
  3  intact but for a torn end: a crash, or a write under way. Nothing in it was acknowledged, and it is cut
     when the journal is opened the next time
  Of several files the worst counts: 2 before 1 before 3.";

const SHOW_HELP: &str = "\
Examples:
  vigil journal show agent.journal
  vigil journal show --kind capability.call agent.journal
  vigil journal show --from 100 --to 120 --json agent.journal

Payloads are shown as they are, their first 200 characters; with --json in full. What is damaged is named in its
place, on stderr.

Exit status:
  0  shown        2  wrong usage, or not readable";

const TAIL_HELP: &str = "\
Examples:
  vigil journal tail agent.journal                       the last 10 records
  vigil journal tail --follow agent.journal              and those that come

Exit status:
  0  shown        2  wrong usage, or not readable";

const DIFF_HELP: &str = "\
Examples:
  vigil journal diff recorded.journal replayed.journal
  vigil journal diff --json a.journal b.journal

What is compared:
  Sequence, kind, payload and hash of each record. Not compared are times, ids of traces and streams, which
  differ from run to run. A record that is damaged in one of them is a difference.

Exit status:
  0  they hold the same events        1  they part        2  wrong usage, or not readable";

/// Arguments of `vigil journal`.
#[derive(Args, Debug)]
#[command(disable_help_subcommand = true)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What to do with a journal.
#[derive(Subcommand, Debug)]
pub(crate) enum Action {
    /// Check that journals are what was written
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Print the records of a journal
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Say where two journals part
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
    /// Print the last records of a journal, and those that come
    #[command(after_help = TAIL_HELP)]
    Tail(TailArgs),
}

/// Arguments of `vigil journal verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Print one JSON object a file
    #[arg(long)]
    pub(crate) json: bool,

    /// Say nothing of journals that are intact
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    /// The hash the journal must end with
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub(crate) hash: Option<Hash>,

    /// The journals
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `vigil journal show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Print one JSON object a record
    #[arg(long)]
    pub(crate) json: bool,

    /// Begin with the record of this sequence
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, hide_default_value = true)]
    pub(crate) from: u64,

    /// End with the record of this sequence
    #[arg(long, value_name = "SEQUENCE", default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) to: u64,

    /// Only records of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,

    /// The journal
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of `vigil journal tail`.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// How many of the last records
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) records: u32,

    /// Go on with records as they come
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Print one JSON object a record
    #[arg(long)]
    pub(crate) json: bool,

    /// The journal
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of `vigil journal diff`.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// One journal
    #[arg(value_name = "A")]
    pub(crate) left: PathBuf,

    /// The other
    #[arg(value_name = "B")]
    pub(crate) right: PathBuf,
}

fn hash(text: &str) -> Result<Hash, String> {
    Hash::from_hex(text).ok_or_else(|| "not a hash of 64 hexadecimal digits".to_owned())
}

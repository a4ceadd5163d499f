//! `vigil spool`: what waits on disk for a backend. Looking and writing out take nothing; draining delivers.

mod drain;
mod export;
mod status;

use crate::output::to_stderr;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What to do with the spool.
#[derive(Subcommand, Debug)]
pub(crate) enum SpoolCommand {
    /// Show what waits, for whom, and what was lost
    Status(StatusArgs),
    /// Deliver what waits to the backend the environment names
    Drain(DrainArgs),
    /// Write what waits as OTLP/JSON lines, without taking it
    Export(ExportArgs),
}

/// Which spool.
#[derive(Args, Debug)]
pub(crate) struct WhereArgs {
    /// The spool's folder [default: VIGIL_SPOOL_DIR, or vigil/spool in the user's folder for state]
    #[arg(long, value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
}

/// Arguments of `vigil spool status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    place: WhereArgs,

    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
}

/// Arguments of `vigil spool drain`.
#[derive(Args, Debug)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    place: WhereArgs,

    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = crate::args::seconds)]
    within: Duration,

    /// Deliver also what was meant for other addresses or keys
    #[arg(long)]
    any: bool,

    /// Say nothing
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,

    /// Print what became of it as one JSON object
    #[arg(long)]
    json: bool,

    /// End as soon as the backend does not answer
    #[arg(long, hide = true)]
    give_up: bool,
}

/// Arguments of `vigil spool export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    place: WhereArgs,

    /// Without a folder: what is written to stdout
    #[arg(long, value_enum, default_value_t = SignalChoice::Traces, value_name = "SIGNAL")]
    signal: SignalChoice,

    /// The folder to write traces.jsonl, logs.jsonl and metrics.jsonl into [default: stdout, one signal]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// One of OTLP's signals.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalChoice {
    /// Spans
    Traces,
    /// Events
    Logs,
    /// Data points
    Metrics,
}

/// Does it.
pub(crate) fn run(command: SpoolCommand) -> ExitCode {
    let result = match command {
        SpoolCommand::Status(arguments) => status::status(&arguments),
        SpoolCommand::Drain(arguments) => drain::drain(&arguments),
        SpoolCommand::Export(arguments) => export::export(&arguments),
    };
    result.unwrap_or_else(|why| {
        to_stderr(&format!("vigil: {why}\n"));
        ExitCode::FAILURE
    })
}

/// Settings of the environment with a spool.
pub(crate) fn plan(place: &WhereArgs) -> vigil::Plan {
    let mut builder = vigil::from_env("vigil").spool(true);
    if let Some(directory) = &place.spool {
        builder = builder.spool_dir(directory);
    }
    builder.plan()
}

fn directory(place: &WhereArgs) -> Result<PathBuf, String> {
    let spool = plan(place).spool.ok_or("there is no folder for a spool: neither VIGIL_SPOOL_DIR nor HOME is set")?;
    Ok(spool.directory)
}

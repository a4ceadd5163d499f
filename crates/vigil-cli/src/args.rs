//! The command line of `vigil`.
//!
//! Options are read here and nowhere else; what they mean is decided by the module that does the work. Bad usage
//! ends the program with status 2.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use vigil::{Originator, Telemetry};

const EXAMPLES: &str = "\
Examples:
  vigil run -- claude -p 'fix the tests' --output-format stream-json --verbose
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 vigil run -- claude -p 'fix the tests'
  vigil import ~/.claude/projects --otlp-dir traces/
  vigil demo
  vigil classify --tool gh < err.txt

Without an endpoint nothing is sent anywhere; --otlp-dir DIR writes OTLP/JSON lines to files.
The usual OpenTelemetry variables configure delivery: OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT
and _COMPRESSION (general and per signal), OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED.";

const RUN_HELP: &str = "\
Examples:
  vigil run -- claude -p 'fix the tests' --output-format stream-json --verbose
  vigil run --otlp-dir traces/ -- claude                 an interactive session
  vigil run --quiet -- make test                         any command: its outcome and duration
  vigil run --json -- claude -p hello 2> summary.json    the summary for a program

What the command notices:
  stdin, terminal and working directory are its own. stdout and stderr too where they are a terminal (stdout not when
  the command asks for output for machines: claude -p, --print, --output-format); otherwise they are pipes that are
  passed on byte for byte. Signals sent to vigil are passed on; Ctrl-C and Ctrl-Z at the terminal reach both.
  Its environment is ours, but for TRACEPARENT: for a command that is no known agent it names the command's own
  span (inside the trace of an inherited TRACEPARENT, if there is one). For Claude Code, whose ids come from its
  session, it stays as inherited.
  What it leaves running in the background goes on writing to the same place; a process `vigil pass-on` stays
  until that ends.

What is observed:
  Claude Code: its output with --output-format stream-json or json, and its transcript on disk, which settles what
  the output leaves open and is all there is for an interactive session or plain text. Other commands: name,
  outcome, duration. Of every command: rate limits, quotas and overload of the services it leans on, from its stderr
  where that is no terminal (2> file, or --stderr pipe), from the errors in lines of JSON on stdout, and from its last
  words when it fails. --log shows spans on stderr, which the command writes to as well, so it is off by default.

What becomes of it:
  With an endpoint it is kept on disk until the backend takes it; the end waits for no network. What is left then a
  process in the background delivers for half a minute, and after that the next run, or `vigil spool drain`.
  --deliver-within 5 waits up to five seconds instead: for CI and containers, which go away with the command.

What is kept:
  Names, times, sizes, tokens, costs and outcomes. No prompt, answer, argument, result, stderr or environment.

Exit status:
  the command's own, or 128 and the number of the signal that ended it
  127  the command was not found        126  it was found and cannot be run        2  wrong usage of vigil

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT and the other OpenTelemetry variables: see vigil --help
  CLAUDE_CONFIG_DIR   where Claude Code keeps its transcripts, when not in ~/.claude
  NO_COLOR            when not empty, no colours";

const IMPORT_HELP: &str = "\
Examples:
  vigil import run.jsonl                                 a recorded stream (stream-json or json), or a transcript
  vigil import stdout.jsonl transcript.jsonl             both of one session settle what the stream leaves open
  vigil import ~/.claude/projects --otlp-dir traces/     every session on disk
  vigil import --json run.jsonl

Formats are told apart by content and files are joined by the session id they hold, so the same run gives the same
spans whether it is imported from its stream, its transcript or both, today or again tomorrow.
Beside a stream NAME.jsonl these are used when they are there (N is nothing or .2, .3 for later processes):
  stdout_timingN.tsv   when each line arrived: line number, offset in ms, bytes
  exit_codeN           how the process ended

Exit status:
  0  something was imported (files that are no recordings are named and skipped)
  1  nothing could be imported        2  wrong usage";

const SPOOL_HELP: &str = "\
`vigil run` keeps what it records in a folder until the backend takes it, so that neither a backend that is down nor
the end of the machine's day loses it. What is left is delivered by the next `vigil run` to the same place (address
and headers), by a process that `vigil run` leaves behind for half a minute, or by `vigil spool drain`.

Examples:
  vigil spool status                       what waits, for whom, since when
  vigil spool drain                        deliver it to the backend the environment names
  vigil spool drain --any                  also what was meant for other addresses or keys
  vigil spool export traces/               all of it as OTLP/JSON lines, without taking it

Exit status:
  0  nothing waits any more (drain), or the command did what it says
  1  something still waits (drain), or the spool cannot be read        2  wrong usage

Environment:
  VIGIL_SPOOL_DIR, VIGIL_SPOOL_MAX_BYTES, VIGIL_SPOOL=false to do without: see docs/environment.md";

const DOCTOR_HELP: &str = "\
Sends one span (`cleanup doctor`), one event and one data point to the backend the environment names, so that you can
look for them there; with --no-send nothing leaves the machine but a connection.

Exit status:
  0  nothing is wrong (there may be advice)        1  something is wrong        2  wrong usage";

/// Flight recorder for AI agents: observe a command, import what it recorded, see its run as a trace.
#[derive(Parser, Debug)]
#[command(name = "vigil", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a command and record what it did
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Record what a stream or a transcript on disk tells
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// What waits on disk for a backend: look at it, deliver it, write it out
    #[command(after_help = SPOOL_HELP)]
    Spool {
        #[command(subcommand)]
        command: crate::spool::SpoolCommand,
    },
    /// Check settings, backend, spool and machine, and say how to mend what is wrong
    #[command(after_help = DOCTOR_HELP)]
    Doctor(crate::doctor::DoctorArgs),
    /// Show what Vigil sees of a small agent: no backend, no key, no network
    Demo(crate::demo::DemoArgs),
    /// Tell whether a text says that a service throttles: rate limit, quota or overload
    Classify(crate::classify::ClassifyArgs),
    /// Check, print and compare the journals of agents
    Journal(crate::journal::JournalArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Pass stdin on to stdout (left behind by `run`, not for people)
    #[command(hide = true)]
    PassOn,
}

/// Where records go.
#[derive(Args, Debug, Clone)]
pub(crate) struct DestinationArgs {
    /// Write traces.jsonl, logs.jsonl and metrics.jsonl (OTLP/JSON lines) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) otlp_dir: Option<PathBuf>,

    /// Show spans on stderr as they end [default: off, or what VIGIL_LOG_FORMAT says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) log: Option<LogChoice>,

    /// How long delivery may take after the end, in seconds [default: 3; with a spool not at all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deliver_within: Option<Duration>,
}

/// What delivery may take after the end where nobody says and nothing is spooled.
pub(crate) const DELIVER_WITHIN_DEFAULT: Duration = Duration::from_secs(3);

impl DestinationArgs {
    /// Telemetry that goes where these and the environment say; with `quiet` without a word on stderr, with `spool`
    /// through one unless the environment says otherwise.
    pub(crate) fn start(&self, quiet: bool, spool: bool) -> Telemetry {
        let mut builder = vigil::from_env("vigil").originator(Originator::Cli).quiet(quiet).spool_by_default(spool);
        // The terminal is the command's own: without a word from the user nothing is shown there.
        if self.log.is_some() || crate::system::variable("VIGIL_LOG_FORMAT").is_none() {
            builder = builder.log_format(self.log.unwrap_or(LogChoice::Off).into());
        }
        if let Some(folder) = &self.otlp_dir {
            builder = builder.otlp_dir(folder);
        }
        builder.start()
    }

    /// Ends `telemetry`. What has a spool is waited for only where the user says so.
    pub(crate) fn end(&self, telemetry: &Telemetry) -> vigil::Receipt {
        match self.deliver_within {
            Some(within) => telemetry.deliver_and_shutdown(within),
            None => telemetry.shutdown(DELIVER_WITHIN_DEFAULT),
        }
    }
}

/// How spans are shown.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogChoice {
    /// Not at all
    Off,
    /// For people
    Pretty,
    /// One JSON object a line
    Json,
}

impl From<LogChoice> for vigil::LogFormat {
    fn from(choice: LogChoice) -> Self {
        match choice {
            LogChoice::Off => Self::Off,
            LogChoice::Pretty => Self::Pretty,
            LogChoice::Json => Self::Json,
        }
    }
}

/// Arguments of `vigil run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) destinations: DestinationArgs,

    /// Say nothing of our own, but why a command could not be started
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    /// Print the summary as one JSON object, on stderr
    #[arg(long)]
    pub(crate) json: bool,

    /// What the command gets as its stdout
    #[arg(long, value_enum, default_value_t = StreamChoice::Auto, value_name = "HOW")]
    pub(crate) stdout: StreamChoice,

    /// What the command gets as its stderr
    #[arg(long, value_enum, default_value_t = StreamChoice::Auto, value_name = "HOW")]
    pub(crate) stderr: StreamChoice,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What the child gets as its stdout or stderr.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamChoice {
    /// Our terminal where there is one and the command may want it, else a pipe
    Auto,
    /// A pipe, so that what is written is observed
    Pipe,
    /// Our own, so that what is written is not observed
    Inherit,
}

/// Arguments of `vigil import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) destinations: DestinationArgs,

    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,

    /// Print the summaries and the delivery's receipt as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Recordings, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) paths: Vec<PathBuf>,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|time| *time <= Duration::from_secs(3600))
        .ok_or_else(|| "must be between 0 and 3600 seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_after_the_command_are_the_commands_own() {
        for line in [&["vigil", "run", "claude", "-p", "--json"][..], &["vigil", "run", "--", "claude", "-p", "--json"]]
        {
            let Command::Run(run) = Cli::parse_from(line).command else { panic!("run") };
            assert_eq!(run.command, ["claude", "-p", "--json"]);
            assert!(!run.json);
        }
    }

    #[test]
    fn an_unknown_option_of_run_is_refused_and_not_taken_for_a_command() {
        assert!(Cli::try_parse_from(["vigil", "run", "--quite", "true"]).is_err());
    }

    #[test]
    fn a_time_to_deliver_is_a_sane_number_of_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["-1", "nan", "inf", "1e9", "soon", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}

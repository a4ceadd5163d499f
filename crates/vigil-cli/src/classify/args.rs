//! Arguments of `vigil classify`.

use clap::{Args, ValueEnum};
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::Channel;

const HELP: &str = "\
Examples:
  gh pr create --fill 2>&1 | tee log | vigil classify --tool gh
  claude -p 'fix the tests' 2> err.txt || vigil classify --tool claude < err.txt
  vigil classify --status 403 --header 'retry-after: 60' --service api.github.com < body.json
  vigil classify --json < err.txt | jq -r .retry_after_s

  # wait where waiting helps, stop where somebody must pay
  vigil classify --tool codex --quiet < err.txt
  case $? in 10|12) sleep 60 ;; 11) exit 1 ;; esac

  # many at once: one observation a line in, one verdict a line out
  echo '{\"id\": 1, \"http_status\": 529, \"text\": \"\"}' | vigil classify --jsonl

What a line of --jsonl holds:
  in   text; optional: id, channel (http, cli_text, sdk_exception, stream_json), service, tool, http_status,
       headers (an object), exit_status
  out  id, label (none, rate_limit, quota, overloaded), service, category, scope, retryable, retry_after_s,
       reset_at (as the service stated it), reset_at_unix (seconds), limit, remaining, code, http_status, rule
  A line that is no such object is told of on stderr with its number, and the run goes on.

How a verdict is made: docs/throttling.md

Exit status:
  0   nothing throttles             10  rate_limit: wait and try again
  11  quota: waits for money, a plan or its window        12  overloaded: wait, or try elsewhere
  1   stdin could not be read        2  wrong usage
  With --jsonl: 0 when every line was answered, 1 when a line was broken";

/// Arguments of `vigil classify`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct ClassifyArgs {
    /// The program that wrote the text
    #[arg(long, value_name = "PROGRAM", conflicts_with = "jsonl")]
    pub(crate) tool: Option<String>,

    /// The service: its name or its host
    #[arg(long, value_name = "SERVICE", conflicts_with = "jsonl")]
    pub(crate) service: Option<String>,

    /// The status of the HTTP response the text is the body of
    #[arg(long, value_name = "NUMBER", conflicts_with = "jsonl", value_parser = clap::value_parser!(u16).range(100..=999))]
    pub(crate) status: Option<u16>,

    /// A header of the HTTP response; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", conflicts_with = "jsonl", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,

    /// What the text is [default: http with --status or --header, else cli-text]
    #[arg(long, value_enum, value_name = "CHANNEL", conflicts_with = "jsonl")]
    pub(crate) channel: Option<ChannelChoice>,

    /// Print the verdict as one JSON object
    #[arg(long, conflicts_with_all = ["jsonl", "quiet"])]
    pub(crate) json: bool,

    /// Print nothing, the exit status says it
    #[arg(short, long, conflicts_with = "jsonl")]
    pub(crate) quiet: bool,

    /// Read one observation a line, print one verdict a line
    #[arg(long)]
    pub(crate) jsonl: bool,

    /// The present, in seconds since the epoch [default: the machine's clock]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) now: Option<u32>,
}

impl ClassifyArgs {
    /// The present.
    pub(crate) fn now(&self) -> UnixNanos {
        self.now.map_or_else(crate::system::now, |seconds| UnixNanos(u64::from(seconds) * 1_000_000_000))
    }

    /// What the text is.
    pub(crate) fn channel(&self) -> Channel {
        match self.channel {
            Some(choice) => choice.into(),
            None if self.status.is_some() || !self.headers.is_empty() => Channel::Http,
            None => Channel::CliText,
        }
    }
}

/// What a text is.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelChoice {
    /// The body of an HTTP response
    Http,
    /// What a program showed
    CliText,
    /// The message of an exception
    SdkException,
    /// Lines of an agent's JSON stream
    StreamJson,
}

impl From<ChannelChoice> for Channel {
    fn from(choice: ChannelChoice) -> Self {
        match choice {
            ChannelChoice::Http => Self::Http,
            ChannelChoice::CliText => Self::CliText,
            ChannelChoice::SdkException => Self::SdkException,
            ChannelChoice::StreamJson => Self::StreamJson,
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "must be NAME: VALUE".to_owned())?;
    if name.trim().is_empty() {
        return Err("has no name".to_owned());
    }
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

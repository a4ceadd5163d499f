//! What an observed run came to, for the few lines a person reads at its end.

use std::fmt;
use std::time::Duration;
use vigil_core::cost::Cost;
use vigil_core::fact::Outcome;
use vigil_core::id::SpanContext;
use vigil_core::throttle::{Service, ThrottleClass};
use vigil_core::usage::Usage;

/// What an observed run came to. Counts are of what was told; what is not known is `None` or
/// [`Usage::unknown`].
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The program that ran, as the caller named it.
    pub program: Option<String>,
    /// The agent that was understood (`claude-code`); none for any other program.
    pub agent: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The agent's own id of the session.
    pub session_id: Option<String>,
    /// Models that were called, by name.
    pub models: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end well, in a word or two for people: `rate_limit`, `killed by SIGTERM`, `exit status 1`.
    pub reason: Option<String>,
    /// From start to end, where both are known.
    pub duration: Option<Duration>,
    /// Turns of the main loop.
    pub turns: u64,
    /// Model calls, failed ones and those of sub-agents included.
    pub chats: u64,
    /// Model calls that failed for good.
    pub chats_failed: u64,
    /// Tool calls, those of sub-agents included.
    pub tools: u64,
    /// Tool calls that failed or were refused.
    pub tools_failed: u64,
    /// Tool calls that were refused.
    pub denied: u64,
    /// Attempts of model calls that failed and were made again.
    pub retries: u64,
    /// Sub-agents.
    pub sub_agents: u64,
    /// Services that throttled, how, and how often.
    pub throttled: Vec<(Service, ThrottleClass, u64)>,
    /// Tokens of the whole run.
    pub usage: Usage,
    /// Tokens and cost by model.
    pub by_model: Vec<(String, Usage, Cost)>,
    /// What it cost by Vigil's table, in billionths of a US dollar; none unless every model has a price.
    pub cost_nano_usd: Option<u64>,
    /// Models the table has no price for.
    pub unpriced_models: Vec<String>,
    /// What the agent says this run cost, in US dollars.
    pub reported_cost_usd: Option<f64>,
    /// Lines of the record.
    pub lines: u64,
    /// Events of a kind Vigil does not know.
    pub unknown_events: u64,
    /// Lines that are not JSON.
    pub bad_lines: u64,
    /// Lines longer than the limit, which were skipped.
    pub oversize_lines: u64,
    /// The record ends before the run does.
    pub truncated: bool,
    /// What a reader should know about the numbers.
    pub notes: Vec<Note>,
    /// The span of the (last) run.
    pub agent_context: SpanContext,
}

/// Something a reader should know about the numbers.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Note {
    /// The record names no times: spans have the times the caller gave, or none to speak of.
    NoTimes,
    /// Output tokens of this many calls are unknown, since the stream does not tell them and there was no
    /// transcript.
    OutputUnknown {
        /// Calls without their output tokens.
        calls: u64,
    },
    /// The agent counts tokens that no recorded call accounts for: calls on the side that it writes nowhere.
    Unattributed {
        /// The model.
        model: String,
        /// The tokens.
        usage: Usage,
    },
    /// Recorded calls add up to more than the agent counts; its own totals were taken.
    BeyondTotal {
        /// The model.
        model: String,
    },
    /// Some of the output was not seen.
    Gap,
    /// History that was copied from another session was left out.
    CopiedHistory {
        /// Lines left out.
        lines: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTimes => f.write_str("the record names no times"),
            Self::OutputUnknown { calls } => {
                write!(
                    f,
                    "output tokens of {calls} calls are unknown: the stream does not tell them and there was no transcript"
                )
            }
            Self::Unattributed { model, usage } => write!(
                f,
                "{model}: {} input and {} output tokens belong to calls the agent does not record",
                usage.input().unwrap_or(0),
                usage.output().unwrap_or(0)
            ),
            Self::BeyondTotal { model } => {
                write!(f, "{model}: recorded calls add up to more than the agent's own totals")
            }
            Self::Gap => f.write_str("some of the output was not seen"),
            Self::CopiedHistory { lines } => write!(f, "{lines} lines copied from another session were left out"),
        }
    }
}

//! Arguments of `vigil demo`.

use clap::Args;
use std::path::PathBuf;

const HELP: &str = "\
Examples:
  vigil demo                                             the run as a tree, nothing is sent anywhere
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 vigil demo
  vigil demo --otlp-dir traces/                          OTLP/JSON lines in files
  VIGIL_LOG_FORMAT=pretty vigil demo                     the structured log on stderr, while it runs
  vigil demo --policy deny-all                           an agent that may do nothing, and stops
  vigil demo --policy policy.json                        your own policy; paths are below the agent's folder
  vigil demo --record run.journal                        keep what the agent lives through
  vigil demo --replay run.journal                        the same run again, without the world: the same hash
  ANTHROPIC_API_KEY=... vigil demo --live                a real model

What it does:
  An agent in a scratch folder reads logs, has a sub-agent count, writes a report, sees a check of it fail,
  repairs it and cleans up. Every model call (llm.call), file (fs.read, fs.write) and command (process.run) passes
  a gateway that holds it to a policy, and a budget admits what it spends: it turns to a cheaper model when money
  runs low, waits when it is throttled, and stops when it is refused.
  Its model is a scripted server inside this program: no key, no network, and tokens that are made up and priced
  as those of the models it names. A real model costs a few cents at most.
  A journal holds the task, the model's answers and what was read and run, for you alone. A replay takes
  all of it from there, touches nothing else, and tells where it parts from the record.
  The agent's code is meant to be read: crates/vigil-cli/src/demo/agent.rs

Exit status:
  0  the agent did its work, and what it recorded arrived wherever it was sent
  1  it failed, or is not the run it replays
  2  wrong usage
  3  it did its work, but not all that it recorded arrived

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT and the other OpenTelemetry variables: see vigil --help
  VIGIL_LOG_FORMAT                        pretty, json or off (default)
  ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL   for --live; the address is https://api.anthropic.com by default
  OPENAI_API_KEY, OPENAI_BASE_URL         for --live without the other; https://api.openai.com/v1 by default
  NO_COLOR                                when not empty, no colours";

/// Arguments of `vigil demo`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct DemoArgs {
    /// Write traces.jsonl, logs.jsonl and metrics.jsonl (OTLP/JSON lines) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) otlp_dir: Option<PathBuf>,

    /// Print the run as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// What the agent may do: a policy in a file, allow-all or deny-all; without it one of the demo's own
    #[arg(long, value_name = "FILE|allow-all|deny-all")]
    pub(crate) policy: Option<String>,

    /// Keep the run in a new journal; vigil journal show FILE reads it
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Run again what a journal holds, without models, files and commands
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "policy", "live"])]
    pub(crate) replay: Option<PathBuf>,

    /// Record spans of a replay too, marked with vigil.replay
    #[arg(long, requires = "replay")]
    pub(crate) telemetry: bool,

    /// Ask a real model, with the key in ANTHROPIC_API_KEY or OPENAI_API_KEY
    #[arg(long)]
    pub(crate) live: bool,

    /// The real model to ask, for the agent and its helper
    #[arg(long, value_name = "NAME", requires = "live")]
    pub(crate) model: Option<String>,
}

//! The command itself: sets the scene, lets the agent run, and shows what was recorded.

use super::agent::{self, AgentError, Job, Report};
use super::args::DemoArgs;
use super::model::{Model, Protocol};
use super::scratch::{self, Scratch};
use super::script::{HELPER_MODEL, MAIN_MODEL};
use super::server::ScriptedServer;
use super::tools::Tools;
use super::trace::{self, TracedSpan};
use super::tree;
use crate::output::{Style, Styles, printable, to_stderr, to_stdout};
use crate::report;
use crate::system::{now, variable};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use vigil::Receipt;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};

/// What delivery may take after the run: 3 seconds.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(3);
/// What the destination is called that the tree is read from.
const TREE: &str = "the tree";

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const NOT_DELIVERED: u8 = 3;

/// Runs the demo.
pub(crate) fn run(arguments: DemoArgs) -> ExitCode {
    match demo(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(stop) => {
            to_stderr(&format!("vigil: {}\n", printable(&stop.why)));
            ExitCode::from(stop.status)
        }
    }
}

/// Why the demo cannot even begin.
struct Stop {
    status: u8,
    why: String,
}

impl Stop {
    fn failed(what: &str, error: &std::io::Error) -> Self {
        Self { status: FAILED, why: format!("{what}: {error}") }
    }
}

/// Who plays the models.
struct Cast {
    model: Model,
    helper: Model,
    /// Answers for both as long as it lives.
    scripted: Option<ScriptedServer>,
}

fn demo(arguments: &DemoArgs) -> Result<u8, Stop> {
    let cast = if arguments.live { live(arguments.model.as_deref())? } else { scripted()? };
    let session = format!("vigil-demo-{}-{}", std::process::id(), now().0);
    let cannot = |error| Stop::failed("the scratch folder cannot be made", &error);
    let scratch = Scratch::create(&std::env::temp_dir(), &session).map_err(cannot)?;
    let tools = Tools::new(scratch.path()).map_err(cannot)?;
    if !arguments.json {
        to_stdout(&headline(&cast));
    }

    // Everything a program has to do to be observed: the environment decides where it goes. The tree below is
    // read from one more destination, in memory.
    let memory = MemoryDestination::new();
    let mut builder =
        vigil::from_env("vigil-demo").destination(DestinationConfig::new(TREE, Target::Memory(memory.clone())));
    if let Some(directory) = &arguments.otlp_dir {
        builder = builder.otlp_dir(directory);
    }
    let telemetry = builder.start();
    let job = Job {
        session: &session,
        task: scratch::TASK,
        model: &cast.model,
        helper: &cast.helper,
        scripted: cast.scripted.is_some(),
    };
    let result = agent::run(&telemetry, &job, &tools);
    let receipt = telemetry.shutdown(DELIVERY_TIME);

    let spans = trace::read(&memory.take());
    let destinations: Vec<String> = telemetry.destinations().iter().filter(|name| *name != TREE).cloned().collect();
    let told = Told { result, spans, destinations, receipt: elsewhere(receipt) };
    if arguments.json {
        to_stdout(&format!("{}\n", told.json(&cast)));
    } else {
        to_stdout(&told.text());
    }
    Ok(told.status())
}

fn scripted() -> Result<Cast, Stop> {
    let server = ScriptedServer::start().map_err(|error| Stop::failed("the scripted model cannot start", &error))?;
    Ok(Cast {
        model: Model::new(Protocol::Anthropic, &server.anthropic_url(), "none", MAIN_MODEL),
        helper: Model::new(Protocol::OpenAi, &server.openai_url(), "none", HELPER_MODEL),
        scripted: Some(server),
    })
}

/// The first provider there is a key for.
fn live(name: Option<&str>) -> Result<Cast, Stop> {
    const PROVIDERS: [(Protocol, &str, &str, &str, [&str; 2]); 2] = [
        (
            Protocol::Anthropic,
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "https://api.anthropic.com",
            ["claude-sonnet-5-5", "claude-haiku-5-5"],
        ),
        (
            Protocol::OpenAi,
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "https://api.openai.com/v1",
            ["gpt-6-sol", "gpt-6-luna"],
        ),
    ];
    let text = |name: &str| variable(name)?.into_string().ok().map(|value| value.trim().to_owned());
    for (protocol, key, base_url, usual_url, models) in PROVIDERS {
        if let Some(key) = text(key) {
            let base_url = text(base_url).unwrap_or_else(|| usual_url.to_owned());
            let model = |usual| Model::new(protocol, &base_url, &key, name.unwrap_or(usual));
            return Ok(Cast { model: model(models[0]), helper: model(models[1]), scripted: None });
        }
    }
    let why = "--live needs a key in ANTHROPIC_API_KEY or OPENAI_API_KEY".to_owned();
    Err(Stop { status: WRONG_USAGE, why })
}

fn headline(cast: &Cast) -> String {
    let who = match cast.scripted {
        Some(_) => "Its model is a scripted server inside this program; HTTP, tools and telemetry are real.".to_owned(),
        None => format!("Its model is {}, asked for real.", printable(cast.model.name())),
    };
    format!("vigil demo: a small agent audits the logs in a scratch folder.\n{who}\n\n")
}

/// The account without the destination the tree is read from.
fn elsewhere(mut receipt: Receipt) -> Receipt {
    receipt.destinations.retain(|one| one.destination != TREE);
    receipt
}

/// What there is to tell at the end.
struct Told {
    result: Result<Report, AgentError>,
    spans: Vec<TracedSpan>,
    destinations: Vec<String>,
    receipt: Receipt,
}

impl Told {
    fn status(&self) -> u8 {
        match &self.result {
            Ok(report) if report.passed != Some(true) => FAILED,
            Err(_) => FAILED,
            Ok(_) if !self.destinations.is_empty() && !self.receipt.is_complete() => NOT_DELIVERED,
            Ok(_) => 0,
        }
    }

    fn text(&self) -> String {
        let styles = Styles::for_stream(&std::io::stdout());
        let mut text = tree::tree(&self.spans, styles);
        if self.spans.is_empty() {
            text.push_str("No spans were recorded: the environment turns telemetry off, or samples none.\n");
        }
        text.push('\n');
        text.push_str(&format!("  {:8}{}\n", "outcome", self.outcome(styles)));
        text.push_str(&tree::totals(&self.spans));
        text.push('\n');
        text.push_str(&report::delivery_text("", &self.destinations, &self.receipt, styles));
        let guide = "the agent's code is the guide: crates/vigil-cli/src/demo/agent.rs";
        text + &format!("  {}\n", styles.paint(Style::Faint, guide))
    }

    fn outcome(&self, styles: Styles) -> String {
        match &self.result {
            Ok(Report { passed: Some(true) }) => styles.paint(Style::Good, "done: the report passed its check"),
            Ok(Report { passed: Some(false) }) => styles.paint(Style::Bad, "the report did not pass its check"),
            Ok(Report { passed: None }) => styles.paint(Style::Bad, "the report was never checked"),
            Err(error) => styles.paint(Style::Bad, &format!("the agent gave up: {}", printable(&error.to_string()))),
        }
    }

    fn json(&self, cast: &Cast) -> Value {
        let root = trace::root(&self.spans);
        json!({
            "scripted": cast.scripted.is_some(),
            "models": [cast.model.name(), cast.helper.name()],
            "passed": self.result.as_ref().ok().and_then(|report| report.passed),
            "error": self.result.as_ref().err().map(|error| printable(&error.to_string())),
            "trace_id": root.map(|span| span.trace_id.as_str()),
            "spans": self.spans.iter().map(TracedSpan::json).collect::<Value>(),
            "delivery": report::delivery_json(&self.destinations, &self.receipt),
        })
    }
}

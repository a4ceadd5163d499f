//! The command itself: sets the scene, lets the agent run, and shows what was recorded.

use super::agent::{self, AgentError, Job, Report};
use super::args::DemoArgs;
use super::economy;
use super::events::Events;
use super::scene::{FAILED, Scene, Stop};
use super::tools::Tools;
use super::trace::{self, TracedSpan};
use super::tree;
use crate::output::{Style, Styles, counted, printable, to_stderr, to_stdout};
use crate::report;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::journal::Head;
use vigil::{Receipt, ReplayTelemetry};

/// What delivery may take after the run: 3 seconds.
pub(super) const DELIVERY_TIME: Duration = Duration::from_secs(3);
/// What the destination is called that the tree is read from.
const TREE: &str = "the tree";

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

fn demo(arguments: &DemoArgs) -> Result<u8, Stop> {
    let scene = Scene::set(arguments)?;
    let budget = economy::budget(scene.cast.is_scripted);
    let folder = scene.scratch.as_ref().map(|scratch| scratch.path());
    let tools = Tools::new(folder, scene.policy.1.clone(), &budget, &scene.events)
        .map_err(|error| Stop::failed("the scratch folder cannot be used", &error))?;
    if !arguments.json {
        to_stdout(&headline(&scene));
    }

    // Everything a program has to do to be observed: the environment decides where it goes. The tree below is
    // read from one more destination, in memory.
    let memory = MemoryDestination::new();
    let mut builder =
        vigil::from_env("vigil-demo").destination(DestinationConfig::new(TREE, Target::Memory(memory.clone())));
    // Somebody watches and wants to see it arrive.
    builder = builder.spool(false);
    if let Some(directory) = &arguments.otlp_dir {
        builder = builder.otlp_dir(directory);
    }
    if scene.events.is_replay() {
        builder = builder.replay(if arguments.telemetry { ReplayTelemetry::Marked } else { ReplayTelemetry::Off });
    }
    let telemetry = builder.start();
    let job = Job {
        session: &scene.session,
        task: &scene.task,
        model: &scene.cast.model,
        saving: &scene.cast.saving,
        helper: &scene.cast.helper,
        budget: &budget,
        policy: &scene.policy.0,
        events: &scene.events,
        scripted: scene.cast.is_scripted,
    };
    let result = agent::run(&telemetry, &job, &tools);
    let receipt = telemetry.shutdown(DELIVERY_TIME);
    let ended = scene.events.finish().map_err(AgentError::Event);

    let spans = trace::read(&memory.take());
    let destinations: Vec<String> = telemetry.destinations().iter().filter(|name| *name != TREE).cloned().collect();
    let (result, head) = match (result, ended) {
        (Ok(_), Err(error)) => (Err(error), None),
        (result, ended) => (result, ended.ok().flatten()),
    };
    let told = Told { result, head, spans, destinations, receipt: elsewhere(receipt) };
    if arguments.json {
        to_stdout(&format!("{}\n", told.json(&scene)));
    } else {
        to_stdout(&told.text(&scene));
    }
    Ok(told.status())
}

fn headline(scene: &Scene) -> String {
    let who = match &scene.events {
        Events::Replayed(_) => "It is a replay: what models, files and commands answered comes from the journal.",
        _ if scene.cast.is_scripted => {
            "Its model is a scripted server inside this program; HTTP, tools and telemetry are real."
        }
        _ => &format!("Its model is {}, asked for real.", printable(scene.cast.model.name())),
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
    /// Where the journal ends, if there is one.
    head: Option<Head>,
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

    fn text(&self, scene: &Scene) -> String {
        let styles = Styles::for_stream(&std::io::stdout());
        let mut text = tree::tree(&self.spans, styles);
        if self.spans.is_empty() {
            text.push_str(match scene.events {
                Events::Replayed(_) => "No spans were recorded: of a replay only with --telemetry.\n",
                _ => "No spans were recorded: the environment turns telemetry off, or samples none.\n",
            });
        }
        text.push('\n');
        text.push_str(&format!("  {:8}{}\n", "outcome", self.outcome(styles)));
        text.push_str(&tree::totals(&self.spans));
        if let Some(head) = self.head {
            let events = counted(head.sequence, "event", "events");
            let told = if scene.events.is_replay() { "as recorded" } else { "recorded" };
            text.push_str(&format!("  {:8}{events}, {told}\n  {:8}{}\n", "journal", "hash", head.hash));
        }
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

    fn json(&self, scene: &Scene) -> Value {
        let (root, cast) = (trace::root(&self.spans), &scene.cast);
        let journal = self.head.map(|head| json!({ "events": head.sequence, "hash": head.hash.to_string() }));
        json!({
            "scripted": cast.is_scripted,
            "replay": scene.events.is_replay(),
            "journal": journal,
            "models": [cast.model.name(), cast.saving.name(), cast.helper.name()],
            "gate": tree::Gate::of(&self.spans).json(),
            "passed": self.result.as_ref().ok().and_then(|report| report.passed),
            "error": self.result.as_ref().err().map(|error| printable(&error.to_string())),
            "trace_id": root.map(|span| span.trace_id.as_str()),
            "spans": self.spans.iter().map(TracedSpan::json).collect::<Value>(),
            "delivery": report::delivery_json(&self.destinations, &self.receipt),
        })
    }
}

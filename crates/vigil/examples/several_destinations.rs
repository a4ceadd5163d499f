//! One run delivered to several places at once, each with its own queue and fate.
//!
//! ```text
//! cargo run -p vigil-sdk --example several_destinations -- URL[=SIGNALS]... --otlp-dir DIRECTORY
//! ```
//!
//! Each URL is the base of an OTLP endpoint spoken to over HTTP with protobuf; SIGNALS is what it takes, `traces` or
//! `traces,logs,metrics` (the default). The account of each is printed, a line of JSON: URL, recorded, delivered and lost
//! spans. What else is set comes from the environment.

#![expect(clippy::print_stdout, reason = "a program that prints its account")]

use std::error::Error;
use std::time::Duration;
use vigil::deliver::{DestinationConfig, Endpoint, OtlpConfig, SignalConfig, Target};
use vigil::encode::Signal;
use vigil::{OperatingMode, Phase, Protocol, Provider, ToolStatus, Usage};

fn destination(argument: &str) -> Result<DestinationConfig, Box<dyn Error>> {
    let (url, signals) = argument.split_once('=').unwrap_or((argument, "traces,logs,metrics"));
    let config = |signal: Signal| -> Result<Option<SignalConfig>, Box<dyn Error>> {
        if !signals.split(',').any(|one| one == signal.as_str()) {
            return Ok(None);
        }
        Ok(Some(SignalConfig::new(Protocol::HttpProtobuf, Endpoint::http_base(url, signal)?)))
    };
    let otlp =
        OtlpConfig { traces: config(Signal::Traces)?, logs: config(Signal::Logs)?, metrics: config(Signal::Metrics)? };
    Ok(DestinationConfig::new(url, Target::Otlp(Box::new(otlp))))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = vigil::from_env("several-destinations");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        builder = match argument.as_str() {
            "--otlp-dir" => builder.otlp_dir(arguments.next().ok_or("--otlp-dir needs a directory")?),
            url => builder.destination(destination(url)?),
        };
    }
    let telemetry = builder.start();

    let agent = telemetry.agent_span("session-42", "researcher");
    agent.record_mode_transition(OperatingMode::Explore, OperatingMode::Execute);
    let phase = agent.phase_span(Phase::Execute);
    let mut chat = phase.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_token_usage(Usage::anthropic(890, 2103).cache(0, 512));
    chat.finish();
    let mut tool = phase.tool_span("search", "call-1");
    tool.record_tool_status(ToolStatus::Ok);
    tool.finish();
    phase.finish();
    agent.finish();

    let receipt = telemetry.shutdown(Duration::from_secs(5));
    for one in &receipt.destinations {
        let traces = &one.receipt.traces;
        let (recorded, delivered, lost) = (traces.recorded, traces.delivered, traces.lost.total());
        let name = one.destination.replace(['"', '\\'], "_");
        println!(r#"{{"destination":"{name}","recorded":{recorded},"delivered":{delivered},"lost":{lost}}}"#);
    }
    Ok(())
}

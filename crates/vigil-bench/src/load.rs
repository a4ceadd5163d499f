//! A program under load that exports over OTLP/HTTP, measured from inside: its CPU, its memory, and what its
//! telemetry says of itself. One process for every run.

use crate::contenders::{record_sdk_chats, record_vigil_chats};
use crate::measure::{nanos, process_cpu};
use crate::process;
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::{Duration, Instant};
use vigil::{AgentSpan, LogFormat, Telemetry};

/// How long a process rests before its memory is looked at again.
const REST: Duration = Duration::from_secs(2);
/// How long a shutdown may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Steady load comes in portions this far apart: 200 spans at 100 000 a second, a tenth of the SDK's queue.
const PORTION_EVERY: Duration = Duration::from_millis(2);

/// Who exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// Nobody: what the load itself costs.
    Nothing,
    Vigil,
    Sdk,
}

impl Who {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Who::Nothing => "nothing (the load itself)",
            Who::Vigil => "vigil",
            Who::Sdk => "OpenTelemetry SDK",
        }
    }
}

/// What is recorded: chats, from one thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Load {
    /// As fast as it goes.
    Burst { spans: u32 },
    /// So many a second, for so long.
    Steady { spans_per_second: u32, seconds: u32 },
}

/// One run, please.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) who: Who,
    pub(crate) load: Load,
    pub(crate) endpoint: String,
}

/// What a run came to, as the process itself saw it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) recorded: u64,
    /// Wall time of recording.
    pub(crate) recording_ns: u64,
    /// CPU of the process from the first span to the end of the shutdown.
    pub(crate) cpu_ns: u64,
    pub(crate) memory_before_kib: u64,
    pub(crate) memory_peak_kib: u64,
    /// Two seconds after the last span, before the shutdown.
    pub(crate) memory_after_kib: u64,
    /// What the telemetry itself answered at its end.
    pub(crate) last_word: String,
}

/// As a child process: does what it is told.
pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    process::serve(|order: Order| run(&order))
}

enum Exporter {
    /// On or off.
    Vigil(Telemetry, AgentSpan),
    Sdk(SdkTracerProvider, SdkTracer, Context),
}

impl Exporter {
    fn start(who: Who, endpoint: &str) -> Result<Self, Box<dyn Error>> {
        Ok(match who {
            Who::Nothing | Who::Vigil => {
                let vigil = vigil::from_env("bench").environment([]).enabled(who == Who::Vigil);
                let telemetry = vigil.endpoint(endpoint).log_format(LogFormat::Off).start();
                let agent = telemetry.agent_span("session", "bench");
                Exporter::Vigil(telemetry, agent)
            }
            Who::Sdk => {
                let provider = sdk_over_http(endpoint)?;
                let tracer = provider.tracer("bench");
                let agent = Context::new().with_span(tracer.start("invoke_agent bench"));
                Exporter::Sdk(provider, tracer, agent)
            }
        })
    }

    fn record(&self, spans: u32) {
        match self {
            Exporter::Vigil(_, agent) => record_vigil_chats(agent, spans),
            Exporter::Sdk(_, tracer, agent) => record_sdk_chats(tracer, agent, spans),
        }
    }

    fn end(self) -> String {
        match self {
            Exporter::Vigil(telemetry, agent) => {
                agent.finish();
                telemetry.shutdown(DEADLINE).traces.to_string()
            }
            Exporter::Sdk(provider, _, agent) => {
                agent.span().end();
                let flushed = provider.force_flush();
                format!("force_flush {flushed:?}, shutdown {:?}", provider.shutdown())
            }
        }
    }
}

/// The SDK with its batch processor over HTTP, everything at its default.
pub(crate) fn sdk_over_http(endpoint: &str) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).build())
}

fn run(order: &Order) -> Result<Outcome, Box<dyn Error>> {
    let exporter = Exporter::start(order.who, &order.endpoint)?;
    let memory_before_kib = memory_kib("VmRSS:")?;
    let (cpu, started) = (process_cpu(), Instant::now());
    let recorded = match order.load {
        Load::Burst { spans } => {
            exporter.record(spans);
            u64::from(spans)
        }
        Load::Steady { spans_per_second, seconds } => steady(&exporter, spans_per_second, seconds, started),
    };
    let recording = started.elapsed();
    std::thread::sleep(REST);
    let memory_after_kib = memory_kib("VmRSS:")?;
    let last_word = exporter.end();
    Ok(Outcome {
        recorded,
        recording_ns: nanos(recording),
        cpu_ns: nanos(process_cpu().saturating_sub(cpu)),
        memory_before_kib,
        memory_peak_kib: memory_kib("VmHWM:")?,
        memory_after_kib,
        last_word,
    })
}

/// Records what is due by the clock, so that a late wake-up does not lower the rate.
fn steady(exporter: &Exporter, spans_per_second: u32, seconds: u32, started: Instant) -> u64 {
    let total = u64::from(spans_per_second) * u64::from(seconds);
    let mut recorded = 0;
    while recorded < total {
        let elapsed = started.elapsed();
        let due = (elapsed.as_secs_f64() * f64::from(spans_per_second)) as u64;
        let portion = due.min(total) - recorded;
        exporter.record(u32::try_from(portion).unwrap_or(u32::MAX));
        recorded += portion;
        std::thread::sleep(PORTION_EVERY.saturating_sub(started.elapsed().saturating_sub(elapsed)));
    }
    recorded
}

/// A line of the kernel's account of this process.
fn memory_kib(what: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("the kernel does not say")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

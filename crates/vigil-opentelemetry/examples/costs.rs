//! What the two directions cost, beside the OpenTelemetry SDK alone, in one run:
//! `cargo run --release -p vigil-opentelemetry --example costs`
//!
//! Medians of 9 rounds that take turns, on one thread. The SDK's pipeline is its batching processor with an exporter that
//! drops what it gets; a queue that overflows makes the SDK cheaper, not dearer. A span has 4 attributes.
#![expect(clippy::print_stdout, reason = "it is for people")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, SpanKind, Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use std::hint::black_box;
use std::time::{Duration, Instant};
use vigil::Telemetry;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil_opentelemetry::{Forward, SharedProcessor, share_context, tracer_provider};

const ROUNDS: usize = 9;
const SPANS: u32 = 20_000;
const BURST: u32 = 100_000;

#[derive(Debug)]
struct Drops;

impl SpanExporter for Drops {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        black_box(batch.len());
        Ok(())
    }
}

type Makes = fn() -> DestinationConfig;

fn telemetry(destination: DestinationConfig) -> Telemetry {
    vigil::from_env("costs").environment([]).quiet(true).destination(destination).start()
}

fn in_memory() -> Telemetry {
    telemetry(DestinationConfig::new("memory", Target::Memory(MemoryDestination::new())))
}

/// A span as a database client makes one.
fn library_span(tracer: &impl Tracer) {
    let mut span = tracer.span_builder("SELECT pages").with_kind(SpanKind::Client).start(tracer);
    span.set_attribute(KeyValue::new("db.system.name", "postgresql"));
    span.set_attribute(KeyValue::new("db.collection.name", "pages"));
    span.set_attribute(KeyValue::new("server.port", 5432));
    span.set_attribute(KeyValue::new("db.response.returned_rows", 7));
    span.end();
}

fn nanos_each(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    (0..SPANS).for_each(|_| work());
    began.elapsed().as_nanos() as f64 / f64::from(SPANS)
}

/// The time from the first record until the receipt, of a burst.
fn burst(destination: DestinationConfig) -> Option<f64> {
    let telemetry = telemetry(destination);
    let began = Instant::now();
    (0..BURST).for_each(|_| telemetry.tool_span("search", "call").finish());
    let receipt = telemetry.shutdown(Duration::from_secs(60));
    let seconds = began.elapsed().as_secs_f64();
    (receipt.traces.delivered == u64::from(BURST)).then(|| f64::from(BURST) / seconds)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let sdk = SdkTracerProvider::builder().with_batch_exporter(Drops).build();
    let of_sdk = sdk.tracer("library");
    let (apart, shared) = (in_memory(), in_memory());
    share_context(&shared);
    let of_vigil = tracer_provider(&shared).tracer("library");
    let tool = (apart.tool_span("search", "call"), shared.tool_span("search", "call"));

    let names = [
        "a library's span, recorded by the SDK (batching, exporter drops)",
        "a library's span, recorded by Vigil",
        "entering a span of Vigil's and leaving it",
        "the same where contexts are shared",
    ];
    let mut figures: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        figures[0].push(nanos_each(|| library_span(&of_sdk)));
        figures[1].push(nanos_each(|| library_span(&of_vigil)));
        figures[2].push(nanos_each(|| drop(black_box(tool.0.enter()))));
        figures[3].push(nanos_each(|| drop(black_box(tool.1.enter()))));
    }
    for (name, figures) in names.iter().zip(figures) {
        println!("{name:<66} {:>7.0} ns", median(figures));
    }

    let bursts: [(&str, Makes); 3] = [
        ("to memory", || DestinationConfig::new("memory", Target::Memory(MemoryDestination::new()))),
        ("to an exporter", || Forward::to_exporter(Drops).into_destination("exporter")),
        ("to a batching processor", || {
            let processor = SharedProcessor::new(BatchSpanProcessor::builder(Drops).build());
            Forward::to_processor(&processor).into_destination("processor")
        }),
    ];
    for (name, destination) in bursts {
        let rates: Option<Vec<f64>> = (0..5).map(|_| burst(destination())).collect();
        let told = rates.map_or("lost some".to_owned(), |rates| format!("{:.0} spans/s, none lost", median(rates)));
        println!("{:<66} {told}", format!("a burst of {BURST} spans {name}, until the receipt"));
    }
}

//! Content is private until someone opens it: a library's free text leaves by no path with default settings.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use opentelemetry::trace::{Event, Link, Span, SpanContext, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Exporter, memory};
use vigil::encode::Signal;
use vigil::{Content, LogFormat, Provider, Telemetry};
use vigil_opentelemetry::{Forward, tracer_provider};

const CANARY: &str = "c4n4ry-5ecret";

/// Says the secret wherever a user of the API can say free text.
fn tell_secrets(telemetry: &Telemetry) {
    let tracer = tracer_provider(telemetry).tracer("library");
    let texts = || {
        let list = Value::Array(Array::String(vec![StringValue::from(CANARY)]));
        vec![
            KeyValue::new("gen_ai.input.messages", format!("[{{\"content\":\"{CANARY}\"}}]")),
            KeyValue::new("gen_ai.tool.call.arguments", CANARY),
            KeyValue::new("exception.message", CANARY),
            KeyValue::new("exception.stacktrace", CANARY),
            KeyValue::new("db.query.text", CANARY),
            KeyValue::new("url.full", format!("https://example.org/?token={CANARY}")),
            KeyValue::new("acme.note", CANARY),
            KeyValue::new("process.command_args", list),
            // A code that is no code: it is made harmless before it is recorded.
            KeyValue::new("error.type", format!("{CANARY} with spaces, as in a message")),
        ]
    };
    let context = SpanContext::new(1.into(), 2.into(), Default::default(), true, Default::default());
    let builder = tracer.span_builder("span").with_attributes(texts());
    let builder = builder.with_events(vec![Event::new(CANARY, opentelemetry::time::now(), texts(), 0)]);
    let mut span = builder.with_links(vec![Link::new(context.clone(), texts(), 0)]).start(&tracer);
    span.set_attributes(texts());
    span.add_event(CANARY, texts());
    span.add_event_with_timestamp(CANARY, opentelemetry::time::now(), texts());
    span.add_link(context, texts());
    let error = std::io::Error::other(CANARY);
    span.record_error(&error);
    span.set_status(Status::error(CANARY));
    let context = Context::current_with_span(span);
    context.span().record_error(&error);
    context.span().set_attributes(texts());
    context.span().add_event(CANARY, texts());
    context.span().end();
    tracer.in_span("dropped", |context| context.span().set_status(Status::error(CANARY)));
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that leaves, by every path.
fn leaves(capture: bool, format: LogFormat) -> Vec<(&'static str, String)> {
    let folder = std::env::temp_dir().join(format!("vigil-otel-canary-{}-{capture}-{format:?}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    let (destination, kept) = memory();
    let spans = Exporter::default();
    let logs = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(logs.clone()).build();
    let log = Kept::default();
    let telemetry = vigil::from_env("test")
        .environment([])
        .capture_content(capture)
        .otlp_dir(&folder)
        .call_lines(folder.join("calls.jsonl"))
        .log_format(format)
        .log_writer(log.clone())
        .destination(destination)
        .destination(Forward::to_exporter(spans.clone()).with_events(provider.clone()).into_destination("pipeline"))
        .start();
    tell_secrets(&telemetry);
    let chat = telemetry.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_content(Content::InputMessages, || format!("[\"{CANARY}\"]"));
    chat.finish();
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert!(receipt.is_complete(), "{receipt}");
    assert_eq!(receipt.traces.delivered, 3);
    assert_eq!(receipt.logs.delivered, 6);
    let all = |signal| {
        let batches = kept.of(signal);
        batches.iter().map(|batch| String::from_utf8_lossy(batch.body()).into_owned()).collect::<String>()
    };
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let left = vec![
        ("spans", all(Signal::Traces)),
        ("events", all(Signal::Logs)),
        ("traces.jsonl", file("traces.jsonl")),
        ("logs.jsonl", file("logs.jsonl")),
        ("exported spans", format!("{:?}", spans.spans())),
        ("emitted logs", format!("{:?}", logs.get_emitted_logs().unwrap())),
        ("metrics", all(Signal::Metrics) + &file("metrics.jsonl")),
        ("the log", String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned()),
        ("calls", file("calls.jsonl")),
    ];
    std::fs::remove_dir_all(&folder).unwrap();
    for (path, text) in &left {
        assert!(!text.is_empty(), "nothing left by {path}: it shows nothing");
    }
    left
}

#[test]
fn no_path_carries_a_librarys_text_by_default() {
    for format in [LogFormat::Pretty, LogFormat::Json] {
        for (path, text) in leaves(false, format) {
            assert!(!text.contains(CANARY), "{path} carries the secret: {text}");
        }
    }
}

#[test]
fn each_of_the_paths_carries_it_when_content_is_captured() {
    let left = leaves(true, LogFormat::Json);
    // The canary can be seen: the paths are looked at where a secret would be. Metrics and lines of calls never have any.
    for (path, text) in &left[..6] {
        assert!(text.contains(CANARY), "{path} should carry content now");
    }
    for (path, text) in left.iter().filter(|(path, _)| ["metrics", "calls"].contains(path)) {
        assert!(!text.contains(CANARY), "{path} carries the secret: {text}");
    }
}

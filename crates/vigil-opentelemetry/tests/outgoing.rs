//! Vigil's spans and events in pipelines of the OpenTelemetry SDK's.
#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "helpers of tests, with threads")]

mod support;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, InstrumentationScope, Key, KeyValue, Value};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue as AnyProto, KeyValue as KeyValueProto};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{InMemoryLogExporter, LogBatch, LogExporter, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider, SimpleSpanProcessor, SpanData,
    SpanExporter, SpanProcessor,
};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use support::{Exporter, decoded, memory};
use vigil::deliver::{DestinationConfig, LossReason};
use vigil::{Builder, ErrorType, FinishReason, Provider, Receipt, Telemetry, Usage};
use vigil_opentelemetry::{Forward, SharedProcessor, VigilTracer, share_context, tracer_provider};

const SECOND: Duration = Duration::from_secs(1);

fn telemetry(destination: DestinationConfig) -> Telemetry {
    builder().destination(destination).start()
}

fn builder() -> Builder {
    vigil::from_env("researcher").environment([]).quiet(true).schedule_delay(Duration::from_millis(20))
}

/// Work of every sort: attributes of every type, a link, ends well, ill and given up.
fn work(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session", "agent");
    agent.set_attribute("acme.share", 0.5);
    agent.set_attribute("acme.paid", true);
    let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_token_usage(Usage::anthropic(890, 2103));
    chat.record_finish_reason(FinishReason::ToolCall);
    chat.finish();
    agent.tool_span("search", "call").fail(ErrorType::TIMEOUT);
    drop(agent.phase_span(vigil::Phase::Execute));
    let tracer = tracer_provider(telemetry).tracer("library");
    let inside = agent.enter();
    let mut span = tracer.span_builder("consume").with_kind(SpanKind::Consumer).start(&tracer);
    span.add_link(Context::current().span().span_context().clone(), vec![]);
    span.add_event("something", vec![]);
    span.end();
    drop(inside);
    agent.finish();
}

fn account(receipt: &Receipt, destination: &str) -> vigil::deliver::Receipt {
    receipt.destinations.iter().find(|one| one.destination == destination).unwrap().receipt
}

/// An exporter that does as it is told, and counts.
#[derive(Clone, Debug)]
struct Told {
    what: What,
    exported: Arc<AtomicUsize>,
    shut_down: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Refuse,
    RefuseEverySecond,
    SayShutDown,
    Panic,
    Hang,
}

impl Told {
    fn to(what: What) -> Self {
        Self { what, exported: Arc::default(), shut_down: Arc::default() }
    }
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let call = self.exported.fetch_add(batch.len(), Ordering::SeqCst);
        match self.what {
            What::Refuse => Err(OTelSdkError::InternalFailure("no".to_owned())),
            What::RefuseEverySecond if call == 0 => Ok(()),
            What::RefuseEverySecond => Err(OTelSdkError::Timeout(SECOND)),
            What::SayShutDown => Err(OTelSdkError::AlreadyShutdown),
            What::Panic => panic!("as asked by a test"),
            What::Hang => {
                std::thread::sleep(30 * SECOND);
                Ok(())
            }
        }
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.shut_down.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn same(ours: &Value, theirs: &AnyProto) -> bool {
    let text = |item: &AnyProto| match &item.value {
        Some(Any::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    let number = |item: &AnyProto| match &item.value {
        Some(Any::IntValue(number)) => *number,
        other => panic!("{other:?}"),
    };
    match (ours, theirs.value.as_ref().unwrap()) {
        (Value::String(a), Any::StringValue(b)) => a.as_str() == b,
        (Value::I64(a), Any::IntValue(b)) => a == b,
        (Value::F64(a), Any::DoubleValue(b)) => a.to_bits() == b.to_bits(),
        (Value::Bool(a), Any::BoolValue(b)) => a == b,
        (Value::Array(Array::String(a)), Any::ArrayValue(b)) => {
            a.iter().map(|text| text.as_str().to_owned()).collect::<Vec<_>>()
                == b.values.iter().map(text).collect::<Vec<_>>()
        }
        (Value::Array(Array::I64(a)), Any::ArrayValue(b)) => *a == b.values.iter().map(number).collect::<Vec<_>>(),
        _ => false,
    }
}

fn same_attributes(ours: &[KeyValue], theirs: &[KeyValueProto]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.key.as_str(), theirs.key);
        assert!(same(&ours.value, theirs.value.as_ref().unwrap()), "{ours:?} {theirs:?}");
    }
}

fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

#[test]
fn an_exporter_gets_every_span_as_any_other_destination_does() {
    let exporter = Exporter::default();
    let (in_memory, kept) = memory();
    let forward = Forward::to_exporter(exporter.clone()).into_destination("exporter");
    let telemetry = builder().destination(in_memory).destination(forward).start();
    work(&telemetry);
    let receipt = telemetry.shutdown(5 * SECOND);
    assert!(receipt.is_complete(), "{receipt}");
    let traces = account(&receipt, "exporter").traces;
    assert_eq!((traces.recorded, traces.delivered, traces.lost.total()), (5, 5, 0));

    let ours = exporter.spans();
    let mut theirs = Vec::new();
    for resource in decoded(&kept).into_iter().flat_map(|data| data.resource_spans) {
        for scope in resource.scope_spans {
            let (named, schema) = (scope.scope.unwrap(), scope.schema_url);
            let wanted = InstrumentationScope::builder(named.name).with_version(named.version).with_schema_url(schema);
            let wanted = wanted.build();
            theirs.extend(scope.spans.into_iter().map(|span| (wanted.clone(), span)));
        }
    }
    assert_eq!((ours.len(), theirs.len()), (5, 5));
    for (ours, (scope, theirs)) in ours.iter().zip(theirs) {
        assert_eq!(ours.span_context.trace_id().to_bytes(), *theirs.trace_id);
        assert_eq!(ours.span_context.span_id().to_bytes(), *theirs.span_id);
        assert!(ours.span_context.is_sampled() && !ours.span_context.is_remote());
        let parent = ours.parent_span_id.to_bytes();
        assert_eq!(if parent == [0; 8] { vec![] } else { parent.to_vec() }, theirs.parent_span_id);
        assert_eq!(ours.name, theirs.name);
        assert_eq!(nanos(ours.start_time), theirs.start_time_unix_nano);
        assert_eq!(nanos(ours.end_time), theirs.end_time_unix_nano);
        same_attributes(&ours.attributes, &theirs.attributes);
        assert_eq!(ours.links.len(), theirs.links.len());
        for (ours, theirs) in ours.links.iter().zip(&theirs.links) {
            assert_eq!(ours.span_context.span_id().to_bytes(), *theirs.span_id);
        }
        let status = theirs.status.map_or(0, |status| status.code);
        assert_eq!(matches!(ours.status, Status::Error { .. }), status == 2);
        assert_eq!(ours.instrumentation_scope, scope);
        assert!(ours.events.is_empty());
    }
    let by_name = |name: &str| ours.iter().find(|span| span.name == name).unwrap();
    assert_eq!(by_name("consume").span_kind, SpanKind::Consumer);
    assert_eq!(by_name("consume").links.len(), 1);
    assert_eq!(by_name("chat claude-sonnet-4-5").span_kind, SpanKind::Client);
    assert_eq!(by_name("execute_tool search").status, Status::error(""));
    assert_eq!(by_name("invoke_agent agent").instrumentation_scope.name(), "vigil");
}

#[derive(Clone, Debug, Default)]
struct SeesResource(Arc<Mutex<Vec<Resource>>>);

impl SpanExporter for SeesResource {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
    fn set_resource(&mut self, resource: &Resource) {
        self.0.lock().unwrap().push(resource.clone());
    }
}

fn named(resources: &SeesResource) -> Vec<String> {
    let resources = resources.0.lock().unwrap();
    resources.iter().map(|resource| resource.get(&Key::new("service.name")).unwrap().to_string()).collect()
}

#[test]
fn the_resource_is_the_providers_own_else_the_one_given_else_vigils() {
    let record = |forward: Forward| {
        let telemetry = telemetry(forward.into_destination("pipeline"));
        telemetry.agent_span("session", "agent").finish();
        assert!(telemetry.flush(5 * SECOND));
        telemetry.agent_span("session", "agent").finish();
        assert!(telemetry.shutdown(5 * SECOND).is_complete());
    };
    let of_vigil = SeesResource::default();
    record(Forward::to_exporter(of_vigil.clone()));
    assert_eq!(named(&of_vigil), ["researcher"], "told once");
    assert!(of_vigil.0.lock().unwrap()[0].get(&Key::new("telemetry.sdk.name")).is_some());

    let given = SeesResource::default();
    let resource = Resource::builder_empty().with_service_name("given").build();
    record(Forward::to_exporter(given.clone()).with_resource(resource));
    assert_eq!(named(&given), ["given"]);

    let own = SeesResource::default();
    let processor = SharedProcessor::new(SimpleSpanProcessor::new(own.clone()));
    let resource = Resource::builder_empty().with_service_name("own").build();
    let _provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(processor.clone()).build();
    record(Forward::to_processor(&processor));
    assert_eq!(named(&own), ["own"]);

    let nobodys = SeesResource::default();
    let processor = SharedProcessor::new(SimpleSpanProcessor::new(nobodys.clone()));
    record(Forward::to_processor(&processor));
    assert_eq!(named(&nobodys), ["researcher"]);
}

#[test]
fn spans_of_the_users_provider_and_vigils_are_each_others_parents_in_one_pipeline() {
    let exporter = Exporter::default();
    let processor = SharedProcessor::new(BatchSpanProcessor::builder(exporter.clone()).build());
    let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
    let telemetry = telemetry(Forward::to_processor(&processor).into_destination("pipeline"));
    share_context(&telemetry);
    let tracer = provider.tracer("program");
    tracer.in_span("request", |_| {
        let agent = telemetry.agent_span("session", "agent");
        let inside = agent.enter();
        tracer.in_span("lookup", |_| telemetry.tool_span("search", "call").finish());
        drop(inside);
        agent.finish();
    });
    assert!(telemetry.shutdown(5 * SECOND).is_complete());
    provider.shutdown().unwrap();
    let spans = exporter.spans();
    assert_eq!(spans.len(), 4);
    let by_name = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    for (below, above) in
        [("execute_tool search", "lookup"), ("lookup", "invoke_agent agent"), ("invoke_agent agent", "request")]
    {
        assert_eq!(by_name(below).parent_span_id, by_name(above).span_context.span_id(), "{below}");
        assert_eq!(by_name(below).span_context.trace_id(), by_name("request").span_context.trace_id());
    }
}

#[test]
fn what_the_users_sampler_leaves_out_vigil_leaves_out_below_it() {
    let exporter = Exporter::default();
    let provider = SdkTracerProvider::builder().with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff).build();
    let telemetry = telemetry(Forward::to_exporter(exporter.clone()).into_destination("exporter"));
    share_context(&telemetry);
    provider.tracer("program").in_span("request", |_| {
        let agent = telemetry.agent_span("session", "left out");
        assert!(!agent.is_sampled());
        agent.finish();
    });
    telemetry.agent_span("session", "kept").finish();
    assert!(telemetry.shutdown(5 * SECOND).is_complete());
    let spans = exporter.spans();
    assert_eq!(spans.iter().map(|span| &*span.name).collect::<Vec<_>>(), ["invoke_agent kept"]);
}

#[test]
fn a_burst_through_a_batching_processor_with_the_sdks_defaults_loses_nothing() {
    const SPANS: u64 = 20_000;
    let exporter = Exporter::default();
    let processor = SharedProcessor::new(BatchSpanProcessor::builder(exporter.clone()).build());
    let telemetry = telemetry(Forward::to_processor(&processor).into_destination("pipeline"));
    (0..SPANS).for_each(|_| telemetry.tool_span("tool", "call").finish());
    let receipt = telemetry.shutdown(30 * SECOND);
    assert!(receipt.is_complete(), "{receipt}");
    assert_eq!(receipt.traces.delivered, SPANS);
    assert_eq!(exporter.spans().len() as u64, SPANS);
}

#[test]
fn what_is_refused_is_lost_with_its_reason_and_counted_exactly() {
    for (what, recorded, delivered, reason) in [
        (What::Refuse, 10, 0, LossReason::Rejected),
        (What::RefuseEverySecond, 300, 256, LossReason::Rejected),
        (What::SayShutDown, 10, 0, LossReason::Closed),
        (What::Panic, 10, 0, LossReason::Internal),
    ] {
        let exporter = Told::to(what);
        // One batch.
        let telemetry = builder().schedule_delay(60 * SECOND);
        let telemetry =
            telemetry.destination(Forward::to_exporter(exporter.clone()).into_destination("exporter")).start();
        (0..recorded).for_each(|_| telemetry.tool_span("tool", "call").finish());
        let receipt = telemetry.shutdown(5 * SECOND);
        let traces = account(&receipt, "exporter").traces;
        assert_eq!((traces.recorded, traces.delivered), (recorded, delivered), "{what:?}: {receipt}");
        assert_eq!(traces.lost.get(reason), recorded - delivered, "{what:?}: {receipt}");
        assert_eq!(traces.lost.total(), recorded - delivered);
        assert_eq!(traces.retries, 0, "an exporter tries again by itself");
    }
}

#[test]
fn a_provider_that_was_shut_down_takes_nothing_more_and_says_so() {
    let (one, other) = (Exporter::default(), Exporter::default());
    for (in_memory, processor) in [
        (&one, SharedProcessor::new(SimpleSpanProcessor::new(one.clone()))),
        (&other, SharedProcessor::new(BatchSpanProcessor::builder(other.clone()).build())),
    ] {
        let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
        let telemetry = telemetry(Forward::to_processor(&processor).into_destination("pipeline"));
        (0..3).for_each(|_| telemetry.tool_span("tool", "call").finish());
        assert!(telemetry.flush(5 * SECOND));
        provider.shutdown().unwrap();
        (0..4).for_each(|_| telemetry.tool_span("tool", "call").finish());
        let receipt = telemetry.shutdown(5 * SECOND);
        let traces = account(&receipt, "pipeline").traces;
        assert_eq!((traces.recorded, traces.delivered, traces.lost.get(LossReason::Closed)), (7, 3, 4), "{receipt}");
        assert_eq!(in_memory.spans().len(), 3);
    }
}

#[test]
fn a_batching_processors_failed_export_is_a_loss() {
    let processor = SharedProcessor::new(BatchSpanProcessor::builder(Told::to(What::Refuse)).build());
    let telemetry = telemetry(Forward::to_processor(&processor).into_destination("pipeline"));
    (0..10).for_each(|_| telemetry.tool_span("tool", "call").finish());
    let receipt = telemetry.shutdown(5 * SECOND);
    assert_eq!(account(&receipt, "pipeline").traces.lost.get(LossReason::Rejected), 10, "{receipt}");
}

#[test]
fn an_exporter_that_hangs_delays_neither_the_program_nor_its_end() {
    let (in_memory, kept) = memory();
    let forward = Forward::to_exporter(Told::to(What::Hang)).into_destination("hangs");
    let telemetry = builder().destination(in_memory).destination(forward).start();
    let began = Instant::now();
    (0..100).for_each(|_| telemetry.tool_span("tool", "call").finish());
    std::thread::sleep(Duration::from_millis(300));
    (0..100).for_each(|_| telemetry.tool_span("tool", "call").finish());
    let receipt = telemetry.shutdown(SECOND / 2);
    assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
    let traces = account(&receipt, "hangs").traces;
    assert_eq!((traces.recorded, traces.lost.get(LossReason::Deadline)), (200, 200), "{receipt}");
    assert_eq!(support::decoded_spans(&kept).len(), 200);
}

#[test]
fn an_exporter_is_shut_down_at_the_end_and_a_shared_processor_is_not() {
    let exporter = Told::to(What::Refuse);
    let owned = telemetry(Forward::to_exporter(exporter.clone()).into_destination("exporter"));
    owned.shutdown(5 * SECOND);
    let until = Instant::now() + 5 * SECOND;
    while exporter.shut_down.load(Ordering::SeqCst) == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(exporter.shut_down.load(Ordering::SeqCst), 1);

    let in_memory = InMemorySpanExporter::default();
    let processor = SharedProcessor::new(SimpleSpanProcessor::new(in_memory.clone()));
    let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
    let sharing = telemetry(Forward::to_processor(&processor).into_destination("pipeline"));
    sharing.shutdown(5 * SECOND);
    provider.tracer("program").in_span("goes on", |_| {});
    assert_eq!(in_memory.get_finished_spans().unwrap().len(), 1);
}

/// An exporter that is instrumented itself, as HTTP clients are.
#[derive(Debug, Default)]
struct Instrumented {
    tracer: Arc<OnceLock<VigilTracer>>,
    exported: Arc<AtomicU64>,
}

impl SpanExporter for Instrumented {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exported.fetch_add(batch.len() as u64, Ordering::SeqCst);
        if let Some(tracer) = self.tracer.get() {
            tracer.in_span("POST /v1/traces", |_| {});
            // Also where it forgets what it is part of.
            tracer.start_with_context("POST /v1/traces", &Context::new()).end();
        }
        Ok(())
    }
}

#[test]
fn exporting_through_an_instrumented_client_does_not_feed_itself() {
    for batching in [false, true] {
        let exporter = Instrumented::default();
        let (tracer, exported) = (Arc::clone(&exporter.tracer), Arc::clone(&exporter.exported));
        let forward = match batching {
            true => {
                let quick = BatchConfigBuilder::default().with_scheduled_delay(Duration::from_millis(5)).build();
                let processor = BatchSpanProcessor::builder(exporter).with_batch_config(quick).build();
                Forward::to_processor(&SharedProcessor::new(processor))
            }
            false => Forward::to_exporter(exporter),
        };
        let telemetry = telemetry(forward.into_destination("exporter"));
        tracer.set(tracer_provider(&telemetry).tracer("client")).unwrap();
        telemetry.agent_span("session", "agent").finish();
        assert!(telemetry.flush(5 * SECOND));
        std::thread::sleep(Duration::from_millis(300));
        let receipt = telemetry.shutdown(5 * SECOND);
        assert!(receipt.is_complete(), "{receipt}");
        assert_eq!((receipt.traces.recorded, exported.load(Ordering::SeqCst)), (1, 1), "batching: {batching}");
    }
}

#[test]
fn events_are_log_records_of_the_users_provider() {
    let logs = InMemoryLogExporter::default();
    let resource = Resource::builder_empty().with_service_name("own").build();
    let provider = SdkLoggerProvider::builder().with_resource(resource).with_simple_exporter(logs.clone()).build();
    // Cloned: the last one that is dropped shuts the pipeline down, and the exporter in memory then forgets.
    let forward = Forward::to_exporter(Exporter::default()).with_events(provider.clone());
    let telemetry = telemetry(forward.into_destination("pipeline"));
    let agent = telemetry.agent_span("session", "agent");
    let context = agent.context();
    agent.record_mode_transition(vigil::OperatingMode::Explore, vigil::OperatingMode::Execute);
    agent.finish();
    let receipt = telemetry.shutdown(5 * SECOND);
    assert!(receipt.is_complete(), "{receipt}");
    let emitted = logs.get_emitted_logs().unwrap();
    assert_eq!(account(&receipt, "pipeline").logs.delivered, emitted.len() as u64);
    let event = emitted.iter().find(|log| log.record.event_name() == Some("vigil.mode.transition")).unwrap();
    let spanned = event.record.trace_context().unwrap();
    assert_eq!(spanned.trace_id.to_bytes(), context.trace_id.0);
    assert_eq!(spanned.span_id.to_bytes(), context.span_id.0);
    assert_eq!(event.record.severity_number(), Some(opentelemetry::logs::Severity::Info));
    assert_eq!(event.record.severity_text(), Some("INFO"));
    assert!(event.record.timestamp().is_some_and(|time| time.elapsed().unwrap() < 60 * SECOND));
    let attributes: Vec<_> = event.record.attributes_iter().collect();
    assert!(attributes.contains(&&(Key::new("life.mode.from"), AnyValue::from("explore"))), "{attributes:?}");
    assert_eq!(event.instrumentation.name(), "vigil");
    assert_eq!(event.resource.get(&Key::new("service.name")), Some("own".into()));
}

#[derive(Debug)]
struct RefusesLogs;

impl LogExporter for RefusesLogs {
    async fn export(&self, _: LogBatch<'_>) -> OTelSdkResult {
        Err(OTelSdkError::InternalFailure("no".to_owned()))
    }
}

#[test]
fn events_a_logger_provider_does_not_take_are_lost_as_rejected() {
    let ended = SdkLoggerProvider::builder().with_simple_exporter(InMemoryLogExporter::default()).build();
    ended.shutdown().unwrap();
    let refusing = SdkLoggerProvider::builder().with_batch_exporter(RefusesLogs).build();
    let without_processor = SdkLoggerProvider::builder().build();
    for provider in [ended, refusing, without_processor] {
        let forward = Forward::to_exporter(Exporter::default()).with_events(provider).into_destination("pipeline");
        let telemetry = telemetry(forward);
        let agent = telemetry.agent_span("session", "agent");
        agent.record_mode_transition(vigil::OperatingMode::Explore, vigil::OperatingMode::Execute);
        agent.finish();
        let receipt = telemetry.shutdown(5 * SECOND);
        let account = account(&receipt, "pipeline");
        assert_eq!(account.logs.lost.get(LossReason::Rejected), account.logs.recorded, "{receipt}");
        assert!(account.logs.recorded > 0);
        assert_eq!((account.traces.delivered, account.logs.delivered), (1, 0));
    }
}

#[test]
fn without_a_place_for_them_events_are_none_of_the_destinations_business() {
    let telemetry = telemetry(Forward::to_exporter(Exporter::default()).into_destination("exporter"));
    telemetry.agent_span("session", "agent").finish();
    let receipt = telemetry.shutdown(5 * SECOND);
    let account = account(&receipt, "exporter");
    assert_eq!((account.traces.recorded, account.logs.recorded, account.metrics.recorded), (1, 0, 0));
    assert!(receipt.is_complete());
}

#[test]
fn a_shared_processor_is_a_processor_like_any_other() {
    let in_memory = InMemorySpanExporter::default();
    let mut processor = SharedProcessor::new(SimpleSpanProcessor::new(in_memory.clone()));
    processor.set_resource(&Resource::builder_empty().build());
    let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
    provider.tracer("program").in_span("span", |_| {});
    assert!(processor.force_flush().is_ok());
    assert_eq!(in_memory.get_finished_spans().unwrap().len(), 1);
}

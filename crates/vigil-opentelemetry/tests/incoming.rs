//! Libraries that are instrumented with OpenTelemetry's API and nothing else, in Vigil's traces.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests, with threads and tasks")]

mod support;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt, Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider, get_active_span,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use support::{decoded_spans, library, memory};
use vigil::contract::{SpanKind as Kind, attr};
use vigil::testing::{self, TestTelemetry};
use vigil::{InSpanExt, Telemetry};
use vigil_opentelemetry::{VigilTracer, tracer_provider};

fn tracer(telemetry: &Telemetry) -> VigilTracer {
    tracer_provider(telemetry).tracer("library")
}

fn remote(sampled: bool) -> SpanContext {
    let state = TraceState::from_key_value([("vendor", "kept")]).unwrap();
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    SpanContext::new(TraceId::from(7), SpanId::from(8), flags, true, state)
}

#[test]
fn a_library_that_knows_only_the_api_is_part_of_the_agents_trace() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let agent = telemetry.agent_span("session", "agent");
    let tool = agent.tool_span("search", "call");
    {
        let _inside = tool.enter();
        library::handle(&tracer);
    }
    tool.finish();
    agent.finish();
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    assert_eq!(
        recorded.tree(),
        "invoke_agent agent\n  execute_tool search\n    GET /users/{id}\n      SELECT users [error timeout]\n"
    );
    let query = recorded.span("SELECT users").unwrap();
    assert_eq!(query.kind, Kind::Host);
    assert_eq!(query.attributes.str(attr::VIGIL_HOST_TARGET), Some("library"));
    // Whoever is above is told there too.
    assert_eq!(query.attributes.str(attr::GEN_AI_AGENT_NAME), Some("agent"));
    let of_the_request: Vec<_> = recorded.span("GET /users/{id}").unwrap().attributes.custom().collect();
    assert_eq!(of_the_request.len(), 3, "{of_the_request:?}");
    assert!(of_the_request.contains(&("http.request.method", &"GET".into())));
    assert!(of_the_request.contains(&("http.response.body.size", &512_i64.into())));
    // An event in a span is an event of Vigil's; what it says is content.
    assert_eq!(recorded.events.iter().filter(|event| event.kind.id() == "vigil.host.log").count(), 2);
}

#[test]
fn kinds_links_status_and_ids_are_on_the_wire() {
    let (destination, kept) = memory();
    let telemetry = testing::start(vigil::from_env("test").destination(destination));
    let tracer = tracer(&telemetry);
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let mut contexts = Vec::new();
    for kind in kinds {
        let builder = tracer.span_builder("work").with_kind(kind).with_links(vec![Link::with_context(remote(true))]);
        let mut span = builder.start(&tracer);
        span.add_link(remote(true), vec![KeyValue::new("attributes of links", "are not kept")]);
        span.add_link(SpanContext::NONE, vec![]);
        contexts.push(span.span_context().clone());
    }
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    let spans = decoded_spans(&kept);
    assert_eq!(spans.iter().map(|span| span.kind).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for (span, context) in spans.iter().zip(contexts) {
        assert_eq!(span.trace_id, context.trace_id().to_bytes());
        assert_eq!(span.span_id, context.span_id().to_bytes());
        assert_eq!(span.links.len(), 2);
        assert_eq!(span.links[0].trace_id, remote(true).trace_id().to_bytes());
        assert_eq!(span.links[0].span_id, remote(true).span_id().to_bytes());
        assert!(span.attributes.iter().all(|attribute| !attribute.key.starts_with("vigil.host.link")));
    }
}

#[test]
fn a_status_that_was_well_stays_and_an_error_has_its_type() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let end = |name: &'static str, statuses: &[Status], error: Option<&'static str>| {
        let mut span = tracer.start(name);
        span.set_attributes(error.map(|error| KeyValue::new("error.type", error)));
        statuses.iter().for_each(|status| span.set_status(status.clone()));
        span.end();
        span.set_status(Status::error("too late"));
        span.set_attribute(KeyValue::new("late", 1));
        span.update_name("too late");
        span.end();
        assert!(!span.is_recording());
    };
    end("unset", &[], None);
    end("well", &[Status::Ok, Status::error("no"), Status::Unset], None);
    end("typed", &[Status::error("no")], Some("timeout"));
    end("untyped", &[Status::Unset, Status::error("no"), Status::Unset], None);
    end("said so", &[], Some("500"));
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    assert_eq!(recorded.tree(), "unset\nwell\ntyped [error timeout]\nuntyped [error _OTHER]\nsaid so\n");
    let said: Vec<_> = recorded.span("said so").unwrap().attributes.custom().collect();
    assert_eq!(said, [("error.type", &"500".into())]);
}

#[test]
fn a_remote_parent_is_continued_with_its_decision_and_its_state() {
    let (destination, kept) = memory();
    let telemetry = testing::start(vigil::from_env("test").destination(destination));
    let tracer = tracer(&telemetry);
    for sampled in [true, false] {
        let headers = HashMap::from([
            ("traceparent".to_owned(), format!("00-{:032x}-{:016x}-0{}", 7, 8, u8::from(sampled))),
            ("tracestate".to_owned(), "vendor=kept".to_owned()),
        ]);
        let above = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        let span = tracer.start_with_context("request", &above);
        assert_eq!(span.span_context().trace_id(), TraceId::from(7));
        assert_eq!(span.span_context().is_sampled(), sampled);
        assert!(!span.span_context().is_remote());

        // And further on, over one of Vigil's.
        let attached = above.with_span(span).attach();
        let tool = telemetry.tool_span("tool", "call");
        assert_eq!(tool.context().trace_id.to_string(), format!("{:032x}", 7));
        assert_eq!(tool.is_sampled(), sampled);
        let inside = tool.enter();
        let mut sent = HashMap::new();
        TraceContextPropagator::new().inject_context(&Context::current(), &mut sent);
        assert_eq!(Some(&sent["traceparent"]), tool.traceparent().as_ref());
        assert_eq!(sent["tracestate"], "vendor=kept");
        drop((inside, attached));
        tool.finish();
    }
    let recorded = telemetry.recorded();
    assert_eq!(recorded.spans.len(), 4, "what is not exported is recorded all the same");
    recorded.verify_contract().unwrap();
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    let spans = decoded_spans(&kept);
    assert_eq!(spans.len(), 2);
    assert_eq!(spans.iter().find(|span| span.name == "request").unwrap().parent_span_id, 8_u64.to_be_bytes());
}

#[test]
fn what_vigil_does_not_sample_the_library_does_not_either() {
    let (destination, kept) = memory();
    let telemetry = testing::start(vigil::from_env("test").sampling_ratio(0.0).destination(destination));
    let tracer = tracer(&telemetry);
    let agent = telemetry.agent_span("session", "agent");
    let inside = agent.enter();
    tracer.in_span("below", |context| assert!(!context.span().span_context().is_sampled()));
    drop(inside);
    agent.finish();
    tracer.in_span("root", |context| assert!(!context.span().span_context().is_sampled()));
    assert_eq!(telemetry.recorded().tree(), "invoke_agent agent\n  below\nroot\n");
    telemetry.shutdown(Duration::from_secs(5));
    assert!(decoded_spans(&kept).is_empty());
}

#[test]
fn a_context_without_a_span_starts_a_trace_whatever_is_current() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let agent = telemetry.agent_span("session", "agent");
    let _inside = agent.enter();
    tracer.start_with_context("apart", &Context::new()).end();
    tracer.start_with_context("invalid", &Context::new().with_remote_span_context(SpanContext::NONE)).end();
    tracer.start("within").end();
    agent.finish();
    assert_eq!(telemetry.recorded().tree(), "invoke_agent agent\n  within\napart\ninvalid\n");
}

#[test]
fn off_or_ended_nothing_is_recorded_and_the_parents_context_is_handed_on() {
    let off = vigil::from_env("test").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    let ended = testing::recorder();
    let late = tracer(&ended);
    let open = late.start("open");
    let receipt = ended.shutdown(Duration::from_secs(5));
    assert!(receipt.is_complete());
    drop(open);
    for tracer in [tracer(&off), late] {
        let mut span = tracer.start_with_context("late", &Context::new().with_remote_span_context(remote(true)));
        assert!(!span.is_recording());
        assert_eq!(*span.span_context(), remote(true));
        span.set_attribute(KeyValue::new("name", "value"));
        span.add_event("event", vec![]);
        span.end();
    }
    assert_eq!(ended.recorded().tree(), "open [cancelled]\n");
}

#[test]
fn what_is_done_where_telemetry_is_suppressed_is_not_recorded() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let suppressed = Context::enter_telemetry_suppressed_scope();
    assert!(!tracer.start("current").is_recording());
    assert!(!tracer.start_with_context("given", &Context::new()).is_recording());
    drop(suppressed);
    let context = Context::new().with_telemetry_suppressed();
    assert!(!tracer.start_with_context("suppressed", &context).is_recording());
    tracer.start("recorded").end();
    assert_eq!(telemetry.recorded().tree(), "recorded\n");
}

#[test]
fn times_a_library_gives_are_kept_and_short_spans_stay_short() {
    let (destination, kept) = memory();
    let telemetry = vigil::from_env("test").environment([]).destination(destination).start();
    let tracer = tracer(&telemetry);
    let now = SystemTime::now();
    let (start, end) = (now - Duration::from_secs(9), now - Duration::from_secs(4));
    tracer.span_builder("given").with_start_time(start).start(&tracer).end_with_timestamp(end);
    tracer.in_span("now", |_| std::thread::sleep(Duration::from_millis(20)));
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    let spans = decoded_spans(&kept);
    let nanos = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let given = spans.iter().find(|span| span.name == "given").unwrap();
    assert!(given.start_time_unix_nano.abs_diff(nanos(start)) < 10_000_000);
    assert!(given.end_time_unix_nano.abs_diff(nanos(end)) < 10_000_000);
    let short = spans.iter().find(|span| span.name == "now").unwrap();
    let took = short.end_time_unix_nano - short.start_time_unix_nano;
    assert!((20_000_000..2_000_000_000).contains(&took), "{took}");
}

#[test]
fn many_threads_lose_nothing() {
    const THREADS: usize = 8;
    const EACH: usize = 1000;
    let (destination, kept) = memory();
    let telemetry = vigil::from_env("test").environment([]).destination(destination).start();
    let tracer = tracer(&telemetry);
    let agent = telemetry.agent_span("session", "agent");
    let inside = agent.enter();
    let above = Context::current();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let _attached = above.clone().attach();
                (0..EACH).for_each(|_| tracer.in_span("work", |_| {}));
            });
        }
    });
    drop(inside);
    let id = agent.context();
    agent.finish();
    let receipt = telemetry.shutdown(Duration::from_secs(10));
    assert!(receipt.is_complete(), "{receipt}");
    assert_eq!(receipt.traces.delivered, (THREADS * EACH + 1) as u64);
    let spans = decoded_spans(&kept);
    let below = spans.iter().filter(|span| span.name == "work" && span.parent_span_id == id.span_id.0).count();
    assert_eq!(below, THREADS * EACH);
}

/// Work that is awaited: the library's future, then Vigil's, each inside the other.
async fn nested(telemetry: TestTelemetry, tracer: VigilTracer) -> TestTelemetry {
    let agent = telemetry.agent_span("session", "agent");
    async {
        let outer = Context::current_with_span(tracer.start("outer"));
        async {
            tokio::task::yield_now().await;
            let tool = telemetry.tool_span("tool", "call");
            async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let inner = Context::current_with_span(tracer.start("inner"));
                let carried = inner.clone();
                let of_task = tracer.clone();
                tokio::spawn(async move { of_task.start("spawned").end() }.with_context(carried)).await.unwrap();
                tokio::task::yield_now().with_context(inner).await;
            }
            .in_span(&tool)
            .await;
            tool.finish();
        }
        .with_context(outer)
        .await;
        assert!(get_active_span(|span| span.span_context().is_valid()), "the agent's again");
        tracer.start("after").end();
    }
    .in_span(&agent)
    .await;
    agent.finish();
    assert!(!get_active_span(|span| span.span_context().is_valid()));
    telemetry
}

#[test]
fn parents_are_right_across_await_and_tasks() {
    let one = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for runtime in [one(), many()] {
        let telemetry = testing::recorder();
        let tracer = tracer(&telemetry);
        let telemetry = runtime.block_on(async { tokio::spawn(nested(telemetry, tracer)).await.unwrap() });
        let recorded = telemetry.recorded();
        recorded.verify_contract().unwrap();
        let parent = |name: &str| {
            let parent = recorded.span(name).unwrap().parent.unwrap();
            recorded.spans.iter().find(|span| span.context.span_id == parent).unwrap().name()
        };
        assert_eq!(parent("outer"), "invoke_agent agent");
        assert_eq!(parent("execute_tool tool"), "outer");
        assert_eq!(parent("inner"), "execute_tool tool");
        assert_eq!(parent("spawned"), "inner");
        assert_eq!(parent("after"), "invoke_agent agent");
        assert!(recorded.spans.iter().all(|span| span.context.trace_id == recorded.spans[0].context.trace_id));
    }
}

#[test]
fn guards_that_are_dropped_in_any_order_leave_nothing_current() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let (first, second) = (telemetry.tool_span("first", "1"), telemetry.tool_span("second", "2"));
    let inside_first = first.enter();
    let attached = Context::current_with_span(tracer.start("library")).attach();
    let inside_second = second.enter();
    drop(inside_first);
    tracer.start("in second").end();
    drop(attached);
    tracer.start("in second too").end();
    drop(inside_second);
    assert!(vigil::current().is_none());
    assert!(!get_active_span(|span| span.span_context().is_valid()));
    telemetry.tool_span("root", "3").finish();
    drop((first, second));
    let recorded = telemetry.recorded();
    let second = recorded.span("execute_tool second").unwrap().context.span_id;
    assert_eq!(recorded.span("in second").unwrap().parent, Some(second));
    assert_eq!(recorded.span("in second too").unwrap().parent, Some(second));
    assert_eq!(recorded.span("execute_tool root").unwrap().parent, None);
}

#[test]
fn entering_a_span_where_the_api_has_its_context_borrowed_does_not_panic() {
    let telemetry = testing::recorder();
    let tracer = tracer(&telemetry);
    let agent = telemetry.agent_span("session", "agent");
    get_active_span(|_| {
        let inside = agent.enter();
        telemetry.tool_span("tool", "call").finish();
        drop(inside);
    });
    tracer.start("after").end();
    agent.finish();
    assert_eq!(telemetry.recorded().tree(), "invoke_agent agent\n  execute_tool tool\nafter\n");
}

#[test]
fn baggage_goes_through_vigils_spans() {
    use opentelemetry::baggage::BaggageExt;
    let telemetry = testing::recorder();
    vigil_opentelemetry::share_context(&telemetry);
    let _attached = Context::current_with_baggage([KeyValue::new("tenant", "acme")]).attach();
    let agent = telemetry.agent_span("session", "agent");
    let _inside = agent.enter();
    assert_eq!(Context::current().baggage().get("tenant").map(ToString::to_string), Some("acme".to_owned()));
}

#[test]
fn names_of_ones_own_are_names_when_one_says_so() {
    let telemetry = testing::recorder();
    let provider = tracer_provider(&telemetry).with_names(["acme.tier"]);
    let tracer = provider.tracer("library");
    let text = "x".repeat(1000);
    let attributes = [("acme.tier", "gold"), ("acme.note", "not a name"), ("http.route", &text)];
    let attributes = attributes.map(|(name, value)| KeyValue::new(name, value.to_owned()));
    tracer.span_builder("span").with_attributes(attributes).start(&tracer).end();
    let recorded = telemetry.recorded();
    let custom: Vec<_> = recorded.spans[0].attributes.custom().collect();
    assert_eq!(custom[0], ("acme.tier", &"gold".into()));
    assert_eq!(custom[1].0, "http.route");
    assert!(custom[1].1.as_str().unwrap().len() <= 256, "a text under a name's key is cut to a name's length");
    assert_eq!(custom.len(), 2);
}

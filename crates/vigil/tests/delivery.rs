//! From handles to the wire, over real sockets, decoded by somebody else's code.
#![expect(clippy::disallowed_methods, reason = "tests measure time and start threads")]

mod support;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use support::{Answer, Server};
use vigil::{Builder, ErrorType, OperatingMode, Provider, Telemetry, Usage};

fn builder(variables: &[(&str, &str)]) -> Builder {
    vigil::from_env("test").environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn small_run(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session-1", "tester");
    let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_token_usage(Usage::anthropic(10, 20).cache(30, 40));
    chat.finish();
    agent.record_mode_transition(OperatingMode::Explore, OperatingMode::Execute);
    agent.tool_span("search", "call-1").fail(ErrorType::TIMEOUT);
    agent.finish();
}

/// The instances that two programs of this environment say they are.
fn instances(resource: &str) -> Vec<String> {
    let server = Server::start(Answer::Ok);
    for _ in 0..2 {
        let telemetry =
            builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()), ("OTEL_RESOURCE_ATTRIBUTES", resource)]).start();
        small_run(&telemetry);
        assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
    }
    let bodies = server.bodies("/v1/metrics");
    let metrics = bodies.iter().filter_map(|body| ExportMetricsServiceRequest::decode(&body[..]).ok());
    let resources = metrics.flat_map(|all| all.resource_metrics).filter_map(|one| one.resource);
    let attributes = resources.flat_map(|resource| resource.attributes);
    let mut found: Vec<String> = attributes
        .filter(|attribute| attribute.key == "service.instance.id")
        .filter_map(|attribute| match attribute.value?.value? {
            Value::StringValue(text) => Some(text),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn two_runs_of_one_program_are_two_instances_unless_the_user_names_them() {
    assert_eq!(instances("a=b").len(), 2);
    assert_eq!(instances("service.instance.id=mine"), ["mine"]);
}

#[test]
fn l7_c8_a_run_arrives_as_standard_otlp_with_parents_kinds_and_tokens() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()),
        ("OTEL_SERVICE_NAME", "named"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=value"),
    ])
    .start();
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert!(receipt.is_complete(), "{receipt}");
    assert_eq!((receipt.traces.recorded, receipt.traces.delivered), (3, 3));

    let traces: Vec<_> =
        server.bodies("/v1/traces").iter().map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap()).collect();
    let resource = traces[0].resource_spans[0].resource.as_ref().unwrap();
    let text = |value: &opentelemetry_proto::tonic::common::v1::KeyValue| match value.value.clone().unwrap().value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    };
    let resource: HashMap<_, _> = resource.attributes.iter().map(|kv| (kv.key.clone(), text(kv))).collect();
    assert_eq!(resource["service.name"], "named");
    assert_eq!(resource["deployment.environment.name"], "test");
    let instance = &resource["service.instance.id"];
    assert!(instance.len() == 36 && instance.as_bytes()[14] == b'4', "{instance}");

    let spans: Vec<_> =
        traces.into_iter().flat_map(|t| t.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect();
    let span =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} in {spans:#?}"));
    let (agent, chat, tool) =
        (span("invoke_agent tester"), span("chat claude-sonnet-4-5"), span("execute_tool search"));
    assert_eq!((agent.kind, chat.kind, tool.kind), (1, 3, 1));
    assert!(agent.parent_span_id.is_empty());
    assert_eq!((&chat.parent_span_id, &tool.parent_span_id), (&agent.span_id, &agent.span_id));
    assert!(
        spans
            .iter()
            .all(|span| span.trace_id == agent.trace_id && span.start_time_unix_nano <= span.end_time_unix_nano)
    );
    assert_eq!(tool.status.as_ref().unwrap().code, 2);
    let attribute = |key: &str| chat.attributes.iter().find(|kv| kv.key == key).and_then(|kv| kv.value.clone()?.value);
    assert_eq!(attribute("gen_ai.usage.input_tokens"), Some(Value::IntValue(80)));
    assert_eq!(attribute("gen_ai.usage.output_tokens"), Some(Value::IntValue(20)));
    assert_eq!(attribute("gen_ai.usage.cache_read.input_tokens"), Some(Value::IntValue(30)));

    let logs: Vec<_> =
        server.bodies("/v1/logs").iter().map(|body| ExportLogsServiceRequest::decode(&body[..]).unwrap()).collect();
    let names: Vec<_> = logs
        .iter()
        .flat_map(|l| &l.resource_logs)
        .flat_map(|r| &r.scope_logs)
        .flat_map(|s| &s.log_records)
        .map(|r| r.event_name.as_str())
        .collect();
    assert!(names == ["vigil.mode.transition"], "{names:?}");

    let metrics: Vec<_> = server
        .bodies("/v1/metrics")
        .iter()
        .map(|body| ExportMetricsServiceRequest::decode(&body[..]).unwrap())
        .collect();
    let names: Vec<_> = metrics
        .iter()
        .flat_map(|m| &m.resource_metrics)
        .flat_map(|r| &r.scope_metrics)
        .flat_map(|s| &s.metrics)
        .map(|m| m.name.as_str())
        .collect();
    assert!(
        names.contains(&"gen_ai.client.inference.duration") && names.contains(&"life.tool.executions"),
        "{names:?}"
    );

    let request = &server.requests()[0];
    let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!((header("x-key"), header("content-type")), (Some("value"), Some("application/x-protobuf")));
    assert!(header("user-agent").unwrap().starts_with("Vigil/"));
}

/// The attributes of every span that arrived, by the span's name.
fn arrived_attributes(server: &Server) -> HashMap<String, HashMap<String, Value>> {
    let bodies = server.bodies("/v1/traces");
    let requests = bodies.iter().filter_map(|body| ExportTraceServiceRequest::decode(&body[..]).ok());
    let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
    let attributes = |span: opentelemetry_proto::tonic::trace::v1::Span| {
        let all = span.attributes.into_iter().filter_map(|one| Some((one.key, one.value?.value?)));
        (span.name, all.collect())
    };
    scopes.flat_map(|scope| scope.spans).map(attributes).collect()
}

#[test]
fn l7_l9_langsmith_gets_its_metadata_and_threads_where_asked_for_and_no_content_in_them() {
    for (enrichment, there) in [("true", true), ("false", false)] {
        let server = Server::start(Answer::Ok);
        let telemetry = builder(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()),
            ("VIGIL_LANGSMITH_ENRICHMENT", enrichment),
            ("VIGIL_CAPTURE_CONTENT", "true"),
        ])
        .start();
        let agent = telemetry.agent_span("session-1", "tester");
        let mut chat = agent.chat_span(Provider::OPENAI, "gpt-5");
        chat.record_content(vigil::Content::InputMessages, || "c4n4ry".to_owned());
        chat.record_token_usage(Usage::openai(10, 20));
        chat.finish();
        agent.finish();
        assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
        let spans = arrived_attributes(&server);
        let chat = &spans["chat gpt-5"];
        let text = |text: &str| there.then(|| Value::StringValue(text.to_owned()));
        assert_eq!(chat.get("session.id").cloned(), text("session-1"));
        assert_eq!(chat.get("langsmith.metadata.thread_id").cloned(), text("session-1"));
        assert_eq!(chat.get("langsmith.metadata.agent_name").cloned(), text("tester"));
        assert_eq!(chat.get("langsmith.metadata.request_model").cloned(), text("gpt-5"));
        let tokens = chat.get("langsmith.metadata.usage_output_tokens").cloned();
        assert_eq!(tokens, there.then_some(Value::IntValue(20)));
        assert!(chat.contains_key("gen_ai.input.messages"), "where content belongs it is");
        let copies = chat.iter().filter(|(name, _)| name.starts_with("langsmith."));
        assert!(copies.into_iter().all(|(_, value)| !format!("{value:?}").contains("c4n4ry")));
    }
}

#[test]
fn l6_without_an_endpoint_there_is_the_log_and_nothing_else() {
    let telemetry = builder(&[("VIGIL_LOG_FORMAT", "off")]).start();
    assert!(!telemetry.is_on());
    let telemetry = builder(&[]).log_writer(std::io::sink()).start();
    assert!(telemetry.is_on() && telemetry.destinations().is_empty());
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!((receipt.traces.recorded, receipt.metrics.recorded, receipt.destinations.len()), (3, 0, 0));
}

#[test]
fn c7_l1_disabled_by_the_environment_records_nothing_and_still_hands_the_trace_on() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let telemetry = builder(&[
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("TRACEPARENT", parent),
    ])
    .start();
    assert!(!telemetry.is_on());
    let agent = telemetry.agent_span("s", "a");
    assert_eq!(agent.traceparent().as_deref(), Some(parent));
    assert_eq!(agent.child_env().collect::<Vec<_>>(), [("TRACEPARENT", parent.to_owned())]);
    agent.finish();
    assert_eq!(telemetry.shutdown(Duration::from_secs(1)), vigil::Receipt::default());
}

#[test]
fn traceparent_from_the_environment_is_the_parent_of_roots_and_goes_on_to_children() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()),
        ("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("TRACESTATE", "vendor=1"),
        ("BAGGAGE", "tenant=blue"),
    ])
    .start();
    let agent = telemetry.agent_span("s", "a");
    let environment: HashMap<_, _> = agent.child_env().collect();
    assert_eq!((environment["TRACESTATE"].as_str(), environment["BAGGAGE"].as_str()), ("vendor=1", "tenant=blue"));
    assert_eq!(Some(&environment["TRACEPARENT"]), agent.traceparent().as_ref());
    let handed_on = agent.traceparent().unwrap();
    assert!(handed_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && !handed_on.contains("b7ad6b7169203331"));
    agent.finish();
    telemetry.shutdown(Duration::from_secs(5));
    let body = &server.bodies("/v1/traces")[0];
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
}

#[test]
fn c6_a_dead_collector_costs_the_deadline_and_a_true_receipt() {
    for (answer, refused) in [(Answer::Hang, false), (Answer::Status(503), false), (Answer::Ok, true)] {
        let server = Server::start(answer);
        let url = if refused { "http://127.0.0.1:9".to_owned() } else { server.url() };
        let telemetry = builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).start();
        small_run(&telemetry);
        let before = Instant::now();
        let receipt = telemetry.shutdown(Duration::from_millis(400));
        let took = before.elapsed();
        assert!(took < Duration::from_millis(500), "{answer:?} took {took:?}");
        assert_eq!(
            (receipt.traces.recorded, receipt.traces.delivered, receipt.traces.lost.total()),
            (3, 0, 3),
            "{receipt}"
        );
    }
}

#[test]
fn a_refusal_for_good_is_not_delivery() {
    let server = Server::start(Answer::Status(400));
    let telemetry = builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url())]).start();
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(
        (receipt.traces.delivered, receipt.traces.lost.get(vigil::deliver::LossReason::Rejected)),
        (0, 3),
        "{receipt}"
    );
    assert!(!receipt.is_complete());
}

#[test]
fn content_longer_than_the_limit_stays_valid_json() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()),
        ("VIGIL_CAPTURE_CONTENT", "true"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "300"),
    ])
    .start();
    let chat = telemetry.chat_span(Provider::OPENAI, "m");
    let long = "word ".repeat(1000);
    chat.record_content(vigil::Content::InputMessages, || format!("[{{\"role\":\"user\",\"content\":\"{long}\"}}]"));
    chat.finish();
    telemetry.shutdown(Duration::from_secs(5));
    let request = ExportTraceServiceRequest::decode(&server.bodies("/v1/traces")[0][..]).unwrap();
    let attributes = &request.resource_spans[0].scope_spans[0].spans[0].attributes;
    let content = attributes.iter().find(|kv| kv.key == "gen_ai.input.messages").unwrap().value.clone().unwrap().value;
    let Some(Value::StringValue(content)) = content else { panic!("{content:?}") };
    assert!(content.len() <= 300, "{}", content.len());
    let parsed: serde_json::Value = serde_json::from_str(&content).unwrap();
    assert_eq!(parsed[0]["role"], "user");
}

#[test]
fn sampling_drops_spans_and_keeps_totals_and_events_true() {
    let server = Server::start(Answer::Ok);
    let telemetry =
        builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()), ("OTEL_TRACES_SAMPLER", "always_off")]).start();
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!(receipt.traces.recorded, 0);
    assert!(receipt.metrics.delivered > 0 && receipt.logs.delivered > 0);
    assert!(server.bodies("/v1/traces").is_empty());
}

#[test]
fn a_signal_that_is_not_wanted_is_not_sent() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ])
    .start();
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert!(receipt.is_complete(), "{receipt}");
    let requests = server.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.path == "/v1/traces"));
    assert!(requests[0].headers.contains(&("content-encoding".to_owned(), "gzip".to_owned())));
}

#[test]
fn what_does_not_fit_in_the_buffer_is_counted_exactly_and_told() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url())]).buffer_bytes(4 << 10).start();
    let agent = telemetry.agent_span("s", "a");
    let total: u64 = 5_000;
    for number in 0..total {
        agent.tool_span("t", &number.to_string()).finish();
    }
    agent.finish();
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    let lost = receipt.traces.lost.get(vigil::deliver::LossReason::BufferFull);
    assert!(lost > 0, "a buffer of 4 KiB holds {total} spans?");
    assert_eq!(receipt.traces.delivered + lost, total + 1, "{receipt}");
    let told = server.bodies("/v1/logs").iter().any(|body| body.windows(10).any(|bytes| bytes == b"vigil.loss"));
    assert!(told);
}

#[test]
fn b7_a_second_telemetry_replaces_nothing() {
    let first = builder(&[]).log_format(vigil::LogFormat::Off).start();
    let second = builder(&[]).log_format(vigil::LogFormat::Off).start();
    first.install().unwrap();
    assert!(second.install().is_err());
    vigil::tool_span("free", "1").finish();
}

#[test]
fn dropping_the_last_value_delivers() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url())]).start();
    small_run(&telemetry.clone());
    drop(telemetry);
    assert_eq!(server.bodies("/v1/traces").len(), 1);
}

#[test]
fn an_agents_sums_hold_what_other_threads_did_for_it() {
    let telemetry = vigil::testing::recorder();
    let (send, receive) = std::sync::mpsc::channel::<vigil::ToolSpan>();
    let (done, wait) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        for tool in receive {
            tool.finish();
            done.send(()).unwrap();
        }
    });
    for _ in 0..2_000 {
        let agent = telemetry.agent_span("s", "a");
        send.send(agent.tool_span("t", "1")).unwrap();
        wait.recv().unwrap();
        agent.finish();
    }
    drop(send);
    worker.join().unwrap();
    let recorded = telemetry.recorded();
    let agents = recorded.spans.iter().filter(|span| span.kind == vigil::contract::SpanKind::Agent);
    let counts: Vec<_> = agents.map(|span| span.attributes.int(vigil::contract::attr::VIGIL_TOOL_COUNT)).collect();
    assert_eq!(counts.len(), 2_000);
    assert!(counts.iter().all(|count| *count == Some(1)), "{} lost", counts.iter().filter(|c| **c != Some(1)).count());
    let sessions = recorded.spans.iter().filter_map(|span| span.attributes.str(vigil::contract::attr::LIFE_SESSION_ID));
    assert_eq!(sessions.count(), 4_000);
}

#[test]
fn any_deadline_is_taken() {
    let server = Server::start(Answer::Ok);
    let telemetry = builder(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &server.url())]).start();
    small_run(&telemetry);
    assert!(telemetry.flush(Duration::MAX));
    assert!(telemetry.shutdown(Duration::MAX).is_complete());
}

#[test]
fn a_signal_no_destination_takes_is_not_delivered() {
    let server = Server::start(Answer::Ok);
    let url = format!("{}/v1/traces", server.url());
    let telemetry = builder(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url)]).start();
    small_run(&telemetry);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!((receipt.traces.delivered, receipt.logs.delivered, receipt.metrics.delivered), (3, 0, 0), "{receipt}");
    assert!(receipt.is_complete());
}

#[test]
fn t1_t3_a_backend_that_throttles_us_is_one_event_and_does_not_feed_on_itself() {
    let server = Server::start(Answer::Status(429));
    let telemetry = vigil::testing::start(vigil::from_env("test").endpoint(server.url()));
    let began = Instant::now();
    let mut rounds = 0;
    // Attempts are made again after a moment; each round records more, the event about the first among it.
    while server.requests().len() < 8 && began.elapsed() < Duration::from_secs(20) {
        small_run(&telemetry);
        rounds += 1;
        telemetry.flush(Duration::from_millis(300));
    }
    let recorded = telemetry.recorded();
    assert!(server.requests().len() >= 8, "{} requests in {rounds} rounds", server.requests().len());
    recorded.verify_contract().unwrap();
    let kind = vigil::contract::EventKind::DownstreamRateLimit;
    let events: Vec<_> = recorded.events.iter().filter(|event| event.kind == kind).collect();
    assert_eq!(events.len(), 1, "one a minute, however often it answers so");
    let word = |key| events[0].attributes.str(key);
    assert_eq!(word(vigil::contract::attr::DOWNSTREAM_SERVICE), Some("telemetry_export"));
    assert_eq!(word(vigil::contract::attr::DOWNSTREAM_OPERATION), Some("telemetry_export"));
    assert_eq!(word(vigil::contract::attr::DOWNSTREAM_CLASSIFICATION), Some("rate_limit"));
    assert_eq!(events[0].span, None, "it happened in nobody's work");
}

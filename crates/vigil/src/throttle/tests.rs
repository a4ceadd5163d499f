use super::*;
use crate::testing;
use crate::{Provider, Usage};
use std::time::Duration;
use vigil_core::contract::{EventKind, Metric, attr};

fn throttle() -> Throttle {
    let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"Rate limited"}}"#;
    classify_http(429, [("retry-after", "7")], body).unwrap()
}

fn value_of(recorded: &testing::Recorded, metric: Metric) -> Vec<(String, crate::encode::PointValue)> {
    let labels = |series: &crate::encode::MetricSeries| {
        let words = series.attributes.iter().filter_map(|(_, value)| value.as_str().map(str::to_owned));
        words.collect::<Vec<_>>().join(" ")
    };
    recorded
        .metrics
        .iter()
        .filter(|series| series.metric == metric)
        .map(|series| (labels(series), series.value.clone()))
        .collect()
}

#[test]
fn t1_t2_a_throttled_call_is_an_error_event_on_its_span_and_no_error_of_it() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("session", "researcher");
    let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.throttled(&throttle(), ThrottleOutcome::Retried);
    let context = chat.context();
    chat.record_token_usage(Usage::anthropic(1, 1));
    chat.finish();
    agent.throttled(&throttle(), ThrottleOutcome::Failed);
    agent.finish();
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    let events: Vec<_> = recorded.events.iter().filter(|event| event.kind == EventKind::DownstreamRateLimit).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].span, Some(context));
    let word = |index: usize, key| events[index].attributes.str(key);
    assert_eq!(events[0].severity, crate::contract::EventKind::DownstreamRateLimit.def().severity);
    assert_eq!(word(0, attr::DOWNSTREAM_SERVICE), Some("provider"));
    assert_eq!(word(0, attr::DOWNSTREAM_OPERATION), Some("chat"), "the span says what was being done");
    assert_eq!(word(1, attr::DOWNSTREAM_OPERATION), Some("agent_run"));
    assert_eq!(word(0, attr::VIGIL_THROTTLE_OUTCOME), Some("retried"));
    assert_eq!(events[0].attributes.int(attr::DOWNSTREAM_RETRY_AFTER_MS), Some(7000));
    assert_eq!(recorded.tree(), "invoke_agent researcher\n  chat claude-sonnet-4-5\n", "nothing failed");
}

#[test]
fn t8_events_waits_and_headroom_are_metrics() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("session", "researcher");
    agent.throttled(&throttle(), ThrottleOutcome::Retried);
    let told = Told { wait: Some(Duration::from_millis(2500)), count: 3, ..Told::default() };
    agent.throttled_with(&throttle(), told);
    agent.throttled(&throttle(), ThrottleOutcome::Failed);
    agent.record_headroom(
        "api.anthropic.com",
        [("anthropic-ratelimit-requests-limit", "100"), ("anthropic-ratelimit-requests-remaining", "7")],
    );
    agent.finish();
    let recorded = telemetry.recorded();
    let events = value_of(&recorded, Metric::ThrottleEvents);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].1, crate::encode::PointValue::Int(5), "one, three and one");
    let waits = value_of(&recorded, Metric::ThrottleWait);
    let crate::encode::PointValue::Histogram(wait) = &waits[0].1 else { panic!("a histogram") };
    assert_eq!((wait.count, wait.sum), (2, 9.5), "what failed was not waited for");
    let left = value_of(&recorded, Metric::ThrottleRemainingRatio);
    assert_eq!(left, [("provider anthropic requests".to_owned(), crate::encode::PointValue::Double(0.07))]);
    let kinds: Vec<_> = recorded.events.iter().map(|event| event.kind).collect();
    assert!(!kinds.contains(&EventKind::Headroom), "a gauge is no event");
}

#[test]
fn an_error_of_a_client_library_is_judged_by_its_text() {
    let throttle = classify_error("Error code: 429 - {'error': {'code': 'insufficient_quota'}}", None).unwrap();
    assert_eq!((throttle.class, throttle.retryable), (ThrottleClass::Quota, false));
    assert_eq!(classify_error("connection reset by peer", None), None);
    assert_eq!(classify_error(&"x".repeat(1 << 20), Some(404)), None);
}

#[test]
fn headers_may_be_a_map_or_pairs_and_the_host_names_the_service() {
    let mut map = http::HeaderMap::new();
    map.insert("x-ratelimit-remaining", http::HeaderValue::from_static("0"));
    map.insert("x-odd", http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    let throttle =
        classify_response("api.github.com", 403, &map, b"{\"message\":\"API rate limit exceeded\"}").unwrap();
    assert_eq!(throttle.category(), ServiceCategory::Github);
    assert_eq!(
        classify_response("api.github.com", 200, &map, b"{}"),
        None,
        "a limit that is used up is no failure yet"
    );
}

#[test]
fn off_records_nothing_and_costs_a_look() {
    let telemetry = crate::from_env("test").environment([]).enabled(false).start();
    let agent = telemetry.agent_span("session", "researcher");
    agent.throttled(&throttle(), ThrottleOutcome::Failed);
    telemetry.throttled(&throttle(), ThrottleOutcome::Failed);
    assert!(!agent.is_recording());
}

#[test]
fn telemetry_is_a_handle_too() {
    let telemetry = testing::recorder();
    telemetry.throttled(&throttle(), ThrottleOutcome::Blocked);
    let tool = telemetry.tool_span("gh", "call-1");
    let context = tool.context();
    {
        let _inside = tool.enter();
        telemetry.throttled(&throttle(), ThrottleOutcome::Retried);
    }
    tool.finish();
    let recorded = telemetry.recorded();
    let spans: Vec<_> = recorded.events.iter().map(|event| event.span).collect();
    assert_eq!(spans, [None, Some(context)]);
}

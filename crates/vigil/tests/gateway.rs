//! Seeds B1, B2, B4, B8 to B11: calls through the gateway, what is decided about them and what their spans say.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and start threads")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vigil::contract::{EventKind, Metric, SpanKind, attr};
use vigil::encode::PointValue;
use vigil::gateway::{Clause, Gateway, GatewayError, Policy, ReadClock, RuntimeError, capability};
use vigil::testing::{self, Recorded};
use vigil::{ErrorType, Phase, Telemetry};

const CANARY: &str = "c4n4ry-argument";

fn policy() -> Policy {
    Policy::parse(
        r#"{ "rules": {
            "net.fetch": { "allow": true, "budget": 2 },
            "db.query": { "allow": true },
            "fs.write": { "allow": false }
        } }"#,
    )
    .unwrap()
}

fn ok(result: &str) -> Result<String, io::Error> {
    Ok(result.to_owned())
}

/// Spans of capabilities, told apart by their ids, in the order they started.
fn calls(recorded: &Recorded) -> BTreeMap<[u8; 8], &vigil_core::fact::SpanRecord> {
    let spans = recorded.spans.iter().filter(|span| span.kind == SpanKind::Capability);
    spans.map(|span| (span.context.span_id.0, span)).collect()
}

fn only<'a>(recorded: &'a Recorded, name: &str) -> &'a vigil_core::fact::SpanRecord {
    let calls = calls(recorded);
    let mut named = calls.into_values().filter(|span| span.attributes.str(attr::CAP_NAME) == Some(name));
    let first = named.next().unwrap();
    assert!(named.next().is_none(), "two calls of {name}");
    first
}

#[test]
fn b1_b11_a_call_that_went_well_is_one_span_with_its_sizes_and_what_is_left() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let gateway = Gateway::new(policy());
    let result = gateway.call(&agent, "net.fetch", ("GET", "https://example.com"), |(method, _)| {
        telemetry.advance(Duration::from_millis(7));
        ok(&format!("answer to {method}"))
    });
    assert_eq!(result.unwrap(), "answer to GET");
    let recorded = telemetry.recorded();
    let span = only(&recorded, "net.fetch");
    assert_eq!(span.name(), "capability net.fetch");
    assert_eq!(span.attributes.int(attr::BYTES_IN), Some(3 + 19));
    assert_eq!(span.attributes.int(attr::BYTES_OUT), Some(13));
    assert_eq!(span.attributes.int(attr::CAP_BUDGET_REMAINING), Some(1));
    assert_eq!(span.attributes.get(attr::ERROR_KIND), None);
    assert_eq!(span.attributes.get(attr::ERROR_TYPE), None);
    assert_eq!(span.duration(), Duration::from_millis(7));
    agent.finish();
    recorded.verify_contract().unwrap();
    assert_eq!(telemetry.recorded().tree(), "invoke_agent a\n  capability net.fetch\n");
}

#[test]
fn b1_b11_a_call_without_a_budget_says_nothing_about_one_and_a_structured_result_has_its_size() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let rows = serde_json::json!([{ "name": "ab", "age": 7 }, { "name": null, "tags": ["c", "def"] }]);
    gateway.call(&turn, "db.query", "select", |_| Ok::<_, io::Error>(rows)).unwrap();
    let recorded = telemetry.recorded();
    let span = only(&recorded, "db.query");
    assert_eq!(span.attributes.int(attr::BYTES_OUT), Some(4 + 2 + 3 + 4 + 4 + 1 + 3));
    assert_eq!(span.attributes.get(attr::CAP_BUDGET_REMAINING), None);
}

#[test]
fn b1_b11_a_denied_call_says_so_and_is_not_made() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    for (name, clause) in [("fs.write", Clause::Rule), ("random", Clause::DefaultAllow)] {
        let error = gateway.call(&turn, name, "abcd", |_| -> io::Result<()> { panic!("it was made") }).unwrap_err();
        assert!(matches!(&error, GatewayError::Denied(denied) if denied.clause == clause), "{error:?}");
        let recorded = telemetry.recorded();
        let span = only(&recorded, name);
        assert_eq!(span.attributes.str(attr::ERROR_KIND), Some("denied"));
        assert_eq!(span.attributes.str(attr::ERROR_TYPE), Some("denied"));
        assert_eq!(span.attributes.int(attr::BYTES_IN), Some(4));
        assert_eq!(span.attributes.get(attr::BYTES_OUT), None);
        recorded.verify_contract().unwrap();
    }
    assert_eq!(
        gateway.call(&turn, "fs.write", (), |_| ok("")).unwrap_err().to_string(),
        "fs.write is denied: its rule says so"
    );
}

#[test]
fn b1_b10_the_last_allowed_call_and_a_refused_one_both_say_0_and_are_told_apart() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let fetch = || gateway.call(&turn, "net.fetch", "x", |_| ok("y"));
    let results: Vec<_> = (0..4).map(|_| fetch().map_err(|error| error.to_string())).collect();
    assert_eq!(results[1], Ok("y".to_owned()));
    assert_eq!(results[3], Err("net.fetch was used 2 times, which is all it may be".to_owned()));
    let recorded = telemetry.recorded();
    let mut spans: Vec<_> = recorded.spans.iter().collect();
    spans.sort_by_key(|span| span.start);
    let told: Vec<_> = spans
        .iter()
        .map(|span| (span.attributes.int(attr::CAP_BUDGET_REMAINING), span.attributes.str(attr::ERROR_KIND)))
        .collect();
    let exceeded = (Some(0), Some("budget_exceeded"));
    let mut expected = vec![(Some(1), None), (Some(0), None), exceeded, exceeded];
    let mut told_sorted = told.clone();
    told_sorted.sort();
    expected.sort();
    assert_eq!(told_sorted, expected);
    // Told once as an event, however often it is tried.
    let events: Vec<_> = recorded.events.iter().filter(|event| event.kind == EventKind::BudgetExhausted).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].attributes.str(attr::CAP_NAME), Some("net.fetch"));
    assert_eq!(events[0].attributes.int(attr::VIGIL_BUDGET_LIMIT), Some(2));
    recorded.verify_contract().unwrap();
}

#[test]
fn b1_a_handler_that_fails_is_a_runtime_error_and_costs_a_call() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let error = gateway
        .call(&turn, "net.fetch", "x", |_| Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionReset)))
        .unwrap_err();
    assert!(matches!(&error, GatewayError::Runtime(error) if error.error_type == ErrorType::CONNECTION));
    let chosen = RuntimeError::new(ErrorType::RATE_LIMIT, "slow down");
    let error = gateway.call(&turn, "net.fetch", "x", |_| Err::<(), _>(chosen)).unwrap_err();
    assert_eq!(error.to_string(), "slow down");
    let error = gateway.call(&turn, "db.query", "x", |_| Err::<(), _>("no such table")).unwrap_err();
    assert_eq!(error.error_type().as_str(), "runtime_error");
    let recorded = telemetry.recorded();
    let mut types: Vec<_> = calls(&recorded)
        .values()
        .map(|span| {
            assert_eq!(span.attributes.str(attr::ERROR_KIND), Some("runtime_error"));
            span.attributes.str(attr::ERROR_TYPE).unwrap().to_owned()
        })
        .collect();
    types.sort();
    assert_eq!(types, ["connection_failed", "rate_limit", "runtime_error"]);
    assert_eq!(gateway.calls_left("net.fetch"), Some(0));
    recorded.verify_contract().unwrap();
}

#[test]
fn b9_no_byte_of_an_argument_a_result_or_a_message_is_in_anything_that_is_recorded() {
    for telemetry in [testing::recorder(), testing::recorder_with_content()] {
        let gateway = Gateway::new(policy());
        let turn = telemetry.turn_span(1);
        gateway.call(&turn, "net.fetch", CANARY, ok).unwrap();
        gateway.call(&turn, "net.fetch", CANARY, |_| Err::<(), _>(CANARY)).unwrap_err();
        gateway.call(&turn, "net.fetch", CANARY, ok).unwrap_err();
        gateway.call(&turn, "fs.write", CANARY, ok).unwrap_err();
        turn.finish();
        let recorded = telemetry.recorded();
        let everything = format!("{:?}{:?}{:?}", recorded.spans, recorded.events, recorded.metrics);
        assert!(!everything.contains(CANARY), "{everything}");
        assert_eq!(calls(&recorded).len(), 4);
    }
}

/// What a series of calls comes to, without anything of telemetry.
fn decisions(telemetry: &Telemetry) -> Vec<String> {
    let gateway = Gateway::new(policy());
    let phase = telemetry.phase_span(Phase::Execute);
    let names = ["net.fetch", "fs.write", "db.query", "net.fetch", "random", "net.fetch", "db.query"];
    let call = |name| gateway.call(&phase, name, name, ok);
    names.map(|name| format!("{:?}", call(name).map_err(|error| error.to_string()))).to_vec()
}

#[test]
fn b4_b8_decisions_are_the_same_with_telemetry_on_off_broken_and_full() {
    let expected = decisions(&testing::recorder());
    assert_eq!(expected.iter().filter(|result| result.starts_with("Ok")).count(), 4);
    let off = vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    assert!(!off.is_on());
    assert_eq!(decisions(&off), expected);
    // Nobody listens there.
    let broken = vigil::from_env("t").environment([]).endpoint("http://127.0.0.1:9").quiet(true).start();
    assert!(broken.is_on());
    assert_eq!(decisions(&broken), expected);
    broken.shutdown(Duration::from_millis(50));
    assert_eq!(decisions(&broken), expected);
    // Full: what does not fit any more is lost, and nothing else changes.
    let full = vigil::testing::start(vigil::from_env("t").buffer_bytes(0));
    let started = Instant::now();
    while full.vitals().lost_records() < 1_000 {
        assert_eq!(decisions(&full), expected);
        assert!(started.elapsed() < Duration::from_secs(20), "it never becomes full");
    }
    // Nothing of what was decided depends on sampling.
    let sampled_out = vigil::testing::start(vigil::from_env("t").sampling_ratio(0.0));
    assert_eq!(decisions(&sampled_out), expected);
}

#[test]
fn b4_an_endpoint_that_is_unset_or_empty_means_nothing_is_exported_and_the_program_behaves_the_same() {
    let expected = decisions(&testing::recorder());
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for endpoint in [None, Some("")] {
        let endpoint = endpoint.map(|value| variable("OTEL_EXPORTER_OTLP_ENDPOINT", value));
        let variables = endpoint.into_iter().chain([variable("VIGIL_LOG_FORMAT", "off")]);
        let telemetry = vigil::from_env("t").environment(variables).start();
        assert!(!telemetry.is_on() && telemetry.destinations().is_empty() && telemetry.warnings().is_empty());
        assert_eq!(decisions(&telemetry), expected);
    }
}

#[test]
fn a_budget_is_never_overdrawn_by_many_threads() {
    const BUDGET: u64 = 5_000;
    let gateway = Gateway::new(Policy::deny_all().allow("acme.work", BUDGET));
    let telemetry = testing::recorder();
    let agent = Arc::new(telemetry.agent_span("s", "a"));
    let made = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (gateway, agent, made) = (gateway.clone(), agent.clone(), made.clone());
            std::thread::spawn(move || {
                let call = || {
                    gateway.call(&agent, "acme.work", (), |()| {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, io::Error>(())
                    })
                };
                (0..2_000).filter(|_| call().is_ok()).count() as u64
            })
        })
        .collect();
    let admitted: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!((admitted, made.load(Ordering::Relaxed)), (BUDGET, BUDGET));
    assert_eq!(gateway.calls_left("acme.work"), Some(0));
    assert_eq!(calls(&telemetry.recorded()).len(), 16_000);
}

#[test]
fn a_handler_that_refuses_once_it_knows_more_gives_the_call_back() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let refuse = |_: &str| {
        Err::<(), _>(vigil::gateway::Denied { capability: "net.fetch".into(), clause: Clause::PrivateAddresses })
    };
    let error = gateway.call(&turn, "net.fetch", "x", refuse).unwrap_err();
    assert!(matches!(error, GatewayError::Denied(denied) if denied.clause == Clause::PrivateAddresses));
    assert_eq!(gateway.calls_left("net.fetch"), Some(2));
    let recorded = telemetry.recorded();
    let span = only(&recorded, "net.fetch");
    assert_eq!(span.attributes.str(attr::ERROR_KIND), Some("denied"));
    assert_eq!(span.attributes.int(attr::CAP_BUDGET_REMAINING), Some(2));
}

#[test]
fn a_panic_in_a_handler_ends_the_span_and_leaves_the_gateway_usable() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        gateway.call(&turn, "net.fetch", "abc", |_| -> io::Result<()> { std::panic::panic_any(7) })
    }));
    assert!(caught.is_err());
    assert!(gateway.call(&turn, "net.fetch", "x", ok).is_ok());
    assert!(gateway.call(&turn, "net.fetch", "x", ok).is_err());
    let recorded = telemetry.recorded();
    let panicked = calls(&recorded).into_values().find(|span| span.attributes.int(attr::BYTES_IN) == Some(3)).unwrap();
    assert_eq!(panicked.attributes.str(attr::ERROR_TYPE), Some("panic"));
    assert_eq!(panicked.attributes.str(attr::ERROR_KIND), Some("runtime_error"));
    recorded.verify_contract().unwrap();
}

#[tokio::test]
async fn asynchronous_calls_pass_the_same_gate() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let inside = Cell::new(None);
    let answer = gateway
        .call_async(&turn, "net.fetch", "abc", async |text: &str| {
            tokio::task::yield_now().await;
            // Spans made inside hang below the call.
            inside.set(vigil::current());
            ok(text)
        })
        .await;
    assert_eq!(answer.unwrap(), "abc");
    let never = gateway.call_async(&turn, "fs.write", (), async |()| -> io::Result<()> { panic!("it was made") }).await;
    assert!(matches!(never, Err(GatewayError::Denied(_))));
    let recorded = telemetry.recorded();
    let span = only(&recorded, "net.fetch");
    assert_eq!(inside.get(), Some(span.context));
    assert_eq!((span.attributes.int(attr::BYTES_IN), span.attributes.int(attr::BYTES_OUT)), (Some(3), Some(3)));
    assert_eq!(gateway.calls_left("net.fetch"), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_calls_move_between_threads() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(Policy::deny_all().allow("acme.work", 50));
    let agent = Arc::new(telemetry.agent_span("s", "a"));
    let tasks: Vec<_> = (0..80_u64)
        .map(|number| {
            let (gateway, agent) = (gateway.clone(), agent.clone());
            tokio::spawn(async move {
                let work = async |number: u64| {
                    tokio::time::sleep(Duration::from_millis(number % 5)).await;
                    Ok::<_, io::Error>(number)
                };
                gateway.call_async(&agent, "acme.work", number, work).await.is_ok()
            })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        admitted += u64::from(task.await.unwrap());
    }
    assert_eq!(admitted, 50);
    let recorded = telemetry.recorded();
    assert_eq!(calls(&recorded).values().filter(|span| span.attributes.get(attr::ERROR_KIND).is_none()).count(), 50);
}

#[tokio::test]
async fn a_future_that_was_never_polled_costs_nothing_and_one_given_up_half_way_costs_a_call() {
    let telemetry = testing::recorder();
    let gateway = Gateway::new(policy());
    let turn = telemetry.turn_span(1);
    let hang = async |_: &str| {
        std::future::pending::<()>().await;
        ok("")
    };
    drop(gateway.call_async(&turn, "net.fetch", "abc", hang));
    assert_eq!(gateway.calls_left("net.fetch"), Some(2));
    let call = gateway.call_async(&turn, "net.fetch", "abc", hang);
    assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
    assert_eq!(gateway.calls_left("net.fetch"), Some(1));
    let recorded = telemetry.recorded();
    let span = only(&recorded, "net.fetch");
    assert_eq!(span.attributes.str(attr::VIGIL_OUTCOME), Some("cancelled"));
    assert_eq!(span.attributes.get(attr::ERROR_TYPE), None);
    assert_eq!(span.attributes.int(attr::BYTES_IN), Some(3));
    recorded.verify_contract().unwrap();
}

#[test]
fn the_policy_in_the_guide_is_one_and_names_every_field_there_is() {
    let guide = include_str!("../../../docs/gateway.md");
    let (_, rest) = guide.split_once("```json\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.rule("net.fetch").budget, Some(50));
    // The fields of the values have the names of the form; what is left out here are those of patterns.
    let shown = format!("{policy:?}");
    for field in shown.split([' ', '{', ',']).filter_map(|word| word.strip_suffix(':')) {
        let is_field = field.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') && field.contains('_');
        let inner = ["any_below", "is_absolute"].contains(&field);
        assert!(!is_field || inner || text.contains(&format!("\"{field}\"")), "{field} is not in the guide");
    }
}

#[test]
fn calls_are_counted_by_capability_and_how_they_failed() {
    let telemetry = testing::recorder();
    decisions(&telemetry);
    let recorded = telemetry.recorded();
    let durations: Vec<_> =
        recorded.metrics.iter().filter(|series| series.metric == Metric::CapabilityDuration).collect();
    let count = |name: &str, kind: Option<&str>| {
        let wanted = |series: &&&vigil::encode::MetricSeries| {
            let word =
                |key| series.attributes.iter().find(|(own, _)| *own == key).and_then(|(_, value)| value.as_str());
            word(attr::CAP_NAME) == Some(name) && word(attr::ERROR_KIND) == kind
        };
        durations
            .iter()
            .filter(wanted)
            .map(|series| match &series.value {
                PointValue::Histogram(histogram) => histogram.count,
                other => panic!("{other:?}"),
            })
            .sum::<u64>()
    };
    assert_eq!(count("net.fetch", None), 2);
    assert_eq!(count("net.fetch", Some("budget_exceeded")), 1);
    assert_eq!(count("fs.write", Some("denied")), 1);
}

#[test]
fn the_clock_and_chance_are_side_effects_too() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let gateway = Gateway::new(Policy::deny_all().allow(capability::TIME_NOW, 0));
    assert!(gateway.run(&turn, &ReadClock, ()).unwrap() > 1_700_000_000_000_000_000);
    assert!(gateway.run(&turn, &vigil::gateway::DrawBytes, 8).is_err());
    let gateway = Gateway::new(Policy::allow_all());
    let draw = |count| gateway.run(&turn, &vigil::gateway::DrawBytes, count);
    assert_eq!(draw(16).unwrap().len(), 16);
    assert_ne!(draw(16).unwrap(), draw(16).unwrap());
    assert!(matches!(draw(1 << 20), Err(GatewayError::Runtime(_))));
}

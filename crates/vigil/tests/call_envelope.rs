//! Seed L10: the envelope of a model call, as attributes and as a line of JSON.
#![allow(clippy::unwrap_used, reason = "tests fail")]

use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vigil::contract::attr;
use vigil::{CircuitState, Content, ErrorType, FinishReason, Provider, ReplayTelemetry, Telemetry, Usage, testing};

const CANARY: &str = "c4n4ry-5ecret";

struct Lines(PathBuf);

impl Lines {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("vigil-calls-{}-{number}.jsonl", std::process::id())))
    }

    fn read(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).unwrap();
        assert!(!text.contains(CANARY), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn call(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session-42", "researcher");
    let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_run("run-7", "main");
    chat.record_chosen_by("budget");
    chat.record_fallback();
    chat.record_circuit_state(CircuitState::HalfOpen);
    chat.record_policy("strict-7");
    chat.record_cache_hit(false);
    chat.record_retry(1, Duration::from_secs(1), &ErrorType::OVERLOADED);
    chat.record_response("msg_1", "claude-sonnet-4-5-20250929");
    chat.record_token_usage(Usage::anthropic(890, 2103).cache(100, 512));
    chat.record_finish_reason(FinishReason::ToolCall);
    chat.record_content(Content::InputMessages, || CANARY.to_owned());
    chat.finish();
    agent.tool_span("search", "call-1").finish();
    agent.chat_span(Provider::OPENAI, "no-such-model").fail_with(ErrorType::RATE_LIMIT, || CANARY.to_owned());
    agent.finish();
}

#[test]
fn l10_the_envelope_of_a_call_is_on_its_span() {
    let telemetry = testing::recorder();
    call(&telemetry);
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    let at = &recorded.span("chat claude-sonnet-4-5").unwrap().attributes;
    assert_eq!(at.str(attr::VIGIL_CALL_CHOSEN_BY), Some("budget"));
    assert_eq!(at.str(attr::VIGIL_CALL_POLICY), Some("strict-7"));
    assert_eq!(at.str(attr::LIFE_RELIABILITY_CIRCUIT_STATE), Some("half_open"));
    assert_eq!(at.int(attr::LIFE_RELIABILITY_RETRY_COUNT), Some(1));
    assert_eq!(format!("{:?}", at.get(attr::LIFE_RELIABILITY_FALLBACK_TRIGGERED)), "Some(Bool(true))");
    assert_eq!(format!("{:?}", at.get(attr::VIGIL_CALL_CACHE_HIT)), "Some(Bool(false))");
    assert_eq!(at.str(attr::LIFE_RUN_ID), Some("run-7"));
}

#[test]
fn l10_every_model_call_is_one_line_of_json_and_nothing_else_is() {
    // Also with content capture on, and with nothing sampled: the lines are the same.
    for (content, ratio) in [(false, 1.0), (true, 0.0)] {
        let lines = Lines::new();
        let builder = vigil::from_env("t").call_lines(&lines.0).capture_content(content).sampling_ratio(ratio);
        let telemetry = testing::start(builder);
        call(&telemetry);
        let recorded = telemetry.recorded();
        let [fine, failed] = <[Value; 2]>::try_from(lines.read()).unwrap();
        let span = recorded.span("chat claude-sonnet-4-5").unwrap();
        assert_eq!(fine["time"], "2026-01-01T00:00:00.000000000Z");
        assert_eq!(
            fine["identity"],
            json!({
                "session_id": "session-42", "conversation_id": "session-42", "agent": "researcher", "run_id": "run-7",
                "branch_id": "main", "response_id": "msg_1", "originator": "sdk",
                "trace_id": span.context.trace_id.to_string(), "span_id": span.context.span_id.to_string(),
            })
        );
        assert_eq!(
            fine["model"],
            json!({
                "provider": "anthropic", "operation": "chat", "requested": "claude-sonnet-4-5",
                "answered": "claude-sonnet-4-5-20250929", "chosen_by": "budget",
            })
        );
        let cost = span.attributes.int(attr::VIGIL_COST_NANO_USD).unwrap();
        let economics = &fine["economics"];
        assert_eq!((&economics["input_tokens"], &economics["output_tokens"]), (&json!(1502), &json!(2103)));
        assert_eq!(economics["cost_nano_usd"], cost);
        assert_eq!(
            fine["reliability"],
            json!({
                "outcome": "ok", "finish_reasons": ["tool_call"], "retry_count": 1, "fallback_triggered": true,
                "circuit_state": "half_open", "duration_ms": 0.0,
            })
        );
        assert_eq!(fine["governance"], json!({ "policy": "strict-7" }));
        assert_eq!(fine["cache"], json!({ "hit": false, "read_tokens": 100, "write_tokens": 512 }));
        assert_eq!(failed["reliability"]["error_type"], "rate_limit");
        assert_eq!(failed["economics"], json!({}));
    }
}

#[test]
fn l10_the_variable_says_where_and_lines_are_appended() {
    let lines = Lines::new();
    for run in 1..=2 {
        let variables = [("VIGIL_JSONL_PATH", lines.0.to_str().unwrap()), ("VIGIL_LOG_FORMAT", "off")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let telemetry = vigil::from_env("t").environment(variables).start();
        // Nothing else is wanted, and that is enough to be on.
        assert!(telemetry.is_on());
        call(&telemetry);
        telemetry.shutdown(Duration::from_secs(5));
        assert_eq!(lines.read().len(), 2 * run);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&lines.0).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_replay_and_a_file_that_cannot_be_made_write_nothing_and_disturb_nothing() {
    let lines = Lines::new();
    let replayed = testing::start(vigil::from_env("t").call_lines(&lines.0).replay(ReplayTelemetry::Marked));
    call(&replayed);
    assert_eq!(replayed.recorded().spans.len(), 4);
    assert!(lines.read().is_empty());
    let nowhere = testing::start(vigil::from_env("t").call_lines("/no/such/folder/calls.jsonl"));
    call(&nowhere);
    assert_eq!(nowhere.recorded().spans.len(), 4);
}

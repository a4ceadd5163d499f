//! Seeds C1, C2 and C5 to C9: what agent SDKs and command lines want of their telemetry.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::time::Duration;
use support::{Answer, Kept, Server};
use vigil::contract::{EventKind, SpanKind, attr};
use vigil::testing::{self, Recorded, TestTelemetry};
use vigil::{Builder, LogFormat, Originator, Provider, Telemetry, ToolStatus, Usage};
use vigil_core::fact::SpanRecord;

/// A thread with a turn in it that asks for approval, calls a tool, and cleans up; each takes a time of its own.
fn thread(telemetry: &TestTelemetry) {
    let thread = telemetry.agent_span("thread-1", "coder");
    let turn = thread.turn_span(1);
    let approval = turn.approval_span("shell");
    telemetry.advance(Duration::from_millis(7000));
    approval.finish();
    let mut tool = turn.tool_span("shell", "call-1");
    tool.record_tool_status(ToolStatus::Ok);
    telemetry.advance(Duration::from_millis(6000));
    // Work that takes longer than a moment is told of before it ends.
    telemetry.flush(Duration::from_secs(5));
    tool.finish();
    let mut chat = turn.chat_span(Provider::OPENAI, "gpt-5");
    chat.record_token_usage(Usage::openai(1200, 34));
    telemetry.advance(Duration::from_millis(250));
    chat.finish();
    let cleanup = turn.cleanup_span("attachments");
    telemetry.advance(Duration::from_millis(40));
    cleanup.finish();
    turn.finish();
    thread.finish();
}

fn of_kind(recorded: &Recorded, kind: SpanKind) -> &SpanRecord {
    recorded.spans.iter().find(|span| span.kind == kind).unwrap()
}

#[test]
fn c1_c8_turns_tools_and_attachment_cleanup_have_durations_that_are_true() {
    let telemetry = testing::recorder();
    thread(&telemetry);
    let recorded = telemetry.recorded();
    let expected = [
        (SpanKind::Approval, 7000),
        (SpanKind::Tool, 6000),
        (SpanKind::Chat, 250),
        (SpanKind::Cleanup, 40),
        (SpanKind::Turn, 13_290),
        (SpanKind::Agent, 13_290),
    ];
    for (kind, millis) in expected {
        assert_eq!(of_kind(&recorded, kind).duration(), Duration::from_millis(millis), "{kind:?}");
    }
    recorded.verify_contract().unwrap();
}

#[test]
fn c2_the_same_work_says_whether_an_sdk_or_a_command_line_originated_it() {
    for (originator, word) in [(Originator::Sdk, "sdk"), (Originator::Cli, "cli")] {
        let telemetry = testing::start(vigil::from_env("test").originator(originator));
        thread(&telemetry);
        let recorded = telemetry.recorded();
        let spans = recorded.spans.iter().map(|span| &span.attributes);
        let events = recorded.events.iter().map(|event| &event.attributes);
        assert!(!recorded.spans.is_empty() && !recorded.events.is_empty());
        assert!(spans.chain(events).all(|attributes| attributes.str(attr::VIGIL_ORIGINATOR) == Some(word)), "{word}");
    }
}

#[test]
fn c5_starts_and_ends_of_threads_turns_tools_and_approvals_are_tied_by_ids_and_have_timestamps() {
    let telemetry = testing::recorder();
    thread(&telemetry);
    let recorded = telemetry.recorded();
    let agent = of_kind(&recorded, SpanKind::Agent);
    for kind in [SpanKind::Agent, SpanKind::Turn, SpanKind::Tool] {
        let span = of_kind(&recorded, kind);
        let mut starts = recorded.events.iter().filter(|event| event.kind == EventKind::SpanStarted);
        let start = starts.find(|event| event.span == Some(span.context)).unwrap();
        assert_eq!(start.time, span.start, "{kind:?}: the start event tells when");
    }
    for kind in [SpanKind::Turn, SpanKind::Tool, SpanKind::Approval] {
        let span = of_kind(&recorded, kind);
        assert_eq!(span.context.trace_id, agent.context.trace_id, "{kind:?}");
        assert!(span.start >= agent.start && span.end > span.start && span.end <= agent.end, "{kind:?}");
    }
    let turn = of_kind(&recorded, SpanKind::Turn);
    assert_eq!(turn.parent, Some(agent.context.span_id));
    let tool = of_kind(&recorded, SpanKind::Tool);
    assert_eq!(tool.parent, Some(turn.context.span_id));
    assert_eq!(tool.attributes.str(attr::GEN_AI_TOOL_CALL_ID), Some("call-1"));
    assert_eq!(agent.attributes.str(attr::LIFE_SESSION_ID), Some("thread-1"));
}

fn builder(variables: &[(&str, &str)]) -> Builder {
    vigil::from_env("test").environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn small_run(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session", "coder");
    let mut chat = agent.chat_span(Provider::OPENAI, "gpt-5");
    chat.record_token_usage(Usage::openai(1200, 34));
    chat.finish();
    agent.finish();
}

#[test]
fn c6_what_cannot_work_at_the_start_is_a_warning_and_the_program_goes_on() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "no url at all"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon"),
        ("OTEL_TRACES_SAMPLER", "whoever comes"),
        ("VIGIL_SHUTDOWN_TIMEOUT", "soon"),
    ];
    for (name, value) in wrong {
        let lines = Kept::default();
        let telemetry = builder(&[(name, value)]).quiet(true).log_writer(lines.clone()).start();
        assert!(telemetry.warnings().iter().any(|warning| warning.contains(name)), "{name}");
        small_run(&telemetry);
        assert_eq!(telemetry.shutdown(Duration::from_secs(5)).traces.recorded, 2, "{name}");
        assert!(lines.text().contains("chat gpt-5"), "{name}");
    }
    // An optional part that cannot work leaves the others alone.
    let server = Server::start(Answer::Ok);
    let nowhere = [("VIGIL_JSONL_PATH", "/no/such/folder/calls"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file")];
    let telemetry = builder(&nowhere).endpoint(server.url()).quiet(true).start();
    small_run(&telemetry);
    assert!(telemetry.shutdown(Duration::from_secs(5)).is_complete());
}

#[test]
fn c7_everything_is_exported_unless_a_share_is_asked_for_and_metrics_are_of_all_of_it() {
    for (ratio, exported) in [(None, 20), (Some("0.0"), 0)] {
        let server = Server::start(Answer::Ok);
        let url = server.url();
        let mut variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
        variables.extend(ratio.map(|ratio| ("VIGIL_SAMPLING_RATIO", ratio)));
        let telemetry = builder(&variables).start();
        (0..10).for_each(|_| small_run(&telemetry));
        let receipt = telemetry.shutdown(Duration::from_secs(5));
        assert_eq!(receipt.traces.delivered, exported, "{ratio:?}");
        assert!(receipt.metrics.delivered > 0 && receipt.is_complete(), "{ratio:?}");
    }
}

#[test]
fn c9_without_an_exporter_the_log_tells_durations_and_tokens() {
    let lines = Kept::default();
    let telemetry = builder(&[("VIGIL_LOG_FORMAT", "json")]).log_writer(lines.clone()).start();
    small_run(&telemetry);
    telemetry.shutdown(Duration::from_secs(5));
    let text = lines.text();
    let chat = text.lines().find(|line| line.contains("chat gpt-5")).unwrap();
    assert!(chat.contains("\"duration_ms\":") && chat.contains("1200") && chat.contains("34"), "{chat}");

    let lines = Kept::default();
    let telemetry = builder(&[]).log_format(LogFormat::Pretty).log_writer(lines.clone()).start();
    small_run(&telemetry);
    telemetry.shutdown(Duration::from_secs(5));
    let text = lines.text();
    let chat = text.lines().find(|line| line.contains("chat gpt-5")).unwrap();
    assert!(chat.contains("in 1,200") && chat.contains("out 34"), "{chat}");
}

#[test]
fn c9_users_have_an_exporter_in_memory_for_their_tests() {
    let telemetry = testing::recorder();
    thread(&telemetry);
    let expected = "invoke_agent coder\n  turn 1\n    approval shell\n    execute_tool shell\n    chat gpt-5\n    cleanup attachments\n";
    assert_eq!(telemetry.recorded().tree(), expected);
}

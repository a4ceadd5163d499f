//! The agent loop as seeds L2, L3, L4, L8, L10 and C1, C2 ask for it.

#![expect(clippy::panic, reason = "a test that meets the wrong type has failed")]

use std::time::Duration;
use vigil::contract::{EventKind, Metric, SpanKind, attr};
use vigil::encode::PointValue;
use vigil::testing::{self, Recorded, TestTelemetry};
use vigil::{
    BudgetLeft, CapabilityError, Content, Decision, ErrorType, Evaluation, FinishReason, McpMethod, OperatingMode,
    Phase, Provider, ToolStatus, Usage,
};

/// One session of a small agent: every kind of span, one failing tool, a sub-agent, a budget that runs down.
fn session(telemetry: &TestTelemetry) {
    let tick = || telemetry.advance(Duration::from_millis(10));
    let agent = telemetry.agent_span("session-42", "researcher");
    for turn in 1..=2 {
        let turn = agent.turn_span(turn);
        let perceive = turn.phase_span(Phase::Perceive);
        perceive.record_budget(&BudgetLeft {
            tokens_remaining: Some(10_000),
            cost_remaining_nano_usd: Some(2_500_000_000),
            time_remaining: Some(Duration::from_secs(90)),
            tool_calls_remaining: Some(7),
        });
        tick();
        perceive.finish();

        let deliberate = turn.phase_span(Phase::Deliberate);
        let mut chat = deliberate.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
        tick();
        chat.record_response("msg_1", "claude-sonnet-4-5-20250929");
        chat.record_token_usage(Usage::anthropic(890, 2103).cache(0, 512));
        chat.record_finish_reason(FinishReason::ToolCall);
        chat.record_content(Content::InputMessages, || "the secret prompt".to_owned());
        chat.finish();
        deliberate.finish();

        let execute = turn.phase_span(Phase::Execute);
        let mut approval = execute.approval_span("run_command");
        tick();
        approval.record_decision(Decision::Accept);
        approval.finish();
        let mut tool = execute.tool_span("run_command", "call-1");
        tick();
        tool.record_tool_status(ToolStatus::Error);
        tool.record_exit_code(3);
        tool.finish();
        let tool = execute.tool_span("delegate", "call-2");
        let sub = tool.agent_span("session-42", "searcher");
        let mut chat = sub.chat_span(Provider::OPENAI, "no-such-model-7");
        chat.record_token_usage(Usage::openai(100, 10));
        chat.finish();
        sub.finish();
        let mcp = tool.mcp_span(McpMethod::TOOLS_CALL, "search");
        mcp.finish();
        tool.finish();
        let mut capability = execute.capability_span("fs.write");
        capability.record_bytes(120, 0);
        capability.record_budget_remaining(0);
        capability.fail_capability(CapabilityError::BudgetExceeded);
        execute.finish();

        let reflect = turn.phase_span(Phase::Reflect);
        reflect.record_evaluation(&Evaluation {
            name: "task_success",
            score: Some(0.9),
            label: Some("pass"),
            evaluator: Some("self"),
            ..Evaluation::default()
        });
        reflect.record_mode_transition(OperatingMode::Explore, OperatingMode::Verify);
        reflect.finish();
        turn.finish();
    }
    let mut cleanup = agent.cleanup_span("attachments");
    cleanup.record_count(2);
    cleanup.finish();
    agent.finish();
}

fn recorded() -> Recorded {
    let telemetry = testing::recorder();
    session(&telemetry);
    telemetry.recorded()
}

fn counter(recorded: &Recorded, metric: Metric) -> i64 {
    recorded
        .metrics
        .iter()
        .filter(|series| series.metric == metric)
        .map(|series| match series.value {
            PointValue::Int(number) => number,
            _ => panic!("{metric:?} is no whole number"),
        })
        .sum()
}

#[test]
fn l3_l8_spans_mirror_the_loop_one_to_one() {
    let tree = recorded().tree();
    let turn = "  turn 1
    phase perceive
    phase deliberate
      chat claude-sonnet-4-5
    phase execute
      approval run_command
      execute_tool run_command [error tool_error]
      execute_tool delegate
        invoke_agent searcher
          chat no-such-model-7
        tools/call search
      capability fs.write [error budget_exceeded]
    phase reflect
";
    let expected =
        format!("invoke_agent researcher\n{turn}{}  cleanup attachments\n", turn.replace("turn 1", "turn 2"));
    assert_eq!(tree, expected);
}

#[test]
fn l2_l10_everything_recorded_keeps_the_contract() {
    recorded().verify_contract().unwrap();
}

#[test]
fn c2_every_span_and_event_says_who_originated_it() {
    let recorded = recorded();
    assert!(recorded.spans.iter().all(|span| span.attributes.str(attr::VIGIL_ORIGINATOR) == Some("sdk")));
    assert!(recorded.events.iter().all(|event| event.attributes.str(attr::VIGIL_ORIGINATOR) == Some("sdk")));
    assert!(!recorded.events.is_empty());
}

#[test]
fn c1_turns_tools_and_cleanup_have_true_durations() {
    let recorded = recorded();
    for (kind, millis) in [(SpanKind::Turn, 40), (SpanKind::Chat, 10)] {
        let span = recorded.spans.iter().find(|span| span.kind == kind).unwrap();
        assert_eq!(span.duration(), Duration::from_millis(millis), "{kind:?}");
    }
    assert_eq!(recorded.span("invoke_agent researcher").unwrap().duration(), Duration::from_millis(80));
    assert_eq!(recorded.span("execute_tool run_command").unwrap().duration(), Duration::from_millis(10));
}

#[test]
fn l4_tokens_durations_tools_budget_and_modes_become_metrics_without_being_reported_twice() {
    let recorded = recorded();
    assert_eq!(counter(&recorded, Metric::InferenceInputTokens), 2 * (890 + 512) + 2 * 100);
    assert_eq!(counter(&recorded, Metric::InferenceOutputTokens), 2 * 2103 + 2 * 10);
    assert_eq!(counter(&recorded, Metric::InferenceCacheWriteTokens), 2 * 512);
    assert_eq!(counter(&recorded, Metric::ToolExecutions), 4);
    assert_eq!(counter(&recorded, Metric::ModeTransitions), 2);
    assert_eq!(counter(&recorded, Metric::UnpricedCalls), 2);
    assert_eq!(counter(&recorded, Metric::BudgetTokensRemaining), 10_000);
    for metric in
        [Metric::InferenceDuration, Metric::InvokeAgentDuration, Metric::ExecuteToolDuration, Metric::TurnDuration]
    {
        assert!(recorded.metrics.iter().any(|series| series.metric == metric), "{metric:?}");
    }
    for series in &recorded.metrics {
        for (key, _) in &series.attributes {
            assert!(series.metric.def().attributes.contains(key), "{:?} has {key:?}", series.metric);
        }
    }
}

#[test]
fn an_agent_carries_the_sums_of_everything_below_under_keys_of_its_own() {
    let recorded = recorded();
    let agent = recorded.span("invoke_agent researcher").unwrap();
    assert_eq!(agent.attributes.int(attr::VIGIL_USAGE_INPUT_TOKENS), Some(2 * (890 + 512) + 200));
    assert_eq!(agent.attributes.int(attr::VIGIL_USAGE_OUTPUT_TOKENS), Some(2 * 2103 + 20));
    assert_eq!(agent.attributes.get(attr::GEN_AI_USAGE_INPUT_TOKENS), None);
    assert_eq!(agent.attributes.int(attr::VIGIL_CHAT_COUNT), Some(4));
    assert_eq!(agent.attributes.int(attr::VIGIL_TOOL_COUNT), Some(4));
    assert_eq!(agent.attributes.int(attr::VIGIL_TOOL_FAILED), Some(2));
    assert_eq!(agent.attributes.int(attr::VIGIL_TURN_COUNT), Some(2));
    assert!(agent.attributes.get(attr::VIGIL_COST_UNPRICED_MODELS).is_some());
    // A model below has no price: what the whole cost nobody knows, and no number says otherwise.
    assert_eq!(agent.attributes.int(attr::VIGIL_COST_NANO_USD), None);
    let sub = recorded.span("invoke_agent searcher").unwrap();
    assert_eq!(
        (sub.attributes.int(attr::VIGIL_CHAT_COUNT), sub.attributes.int(attr::VIGIL_TOOL_COUNT)),
        (Some(1), Some(0))
    );
}

#[test]
fn an_agent_costs_what_its_calls_cost_when_all_of_them_have_a_price() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    for _ in 0..3 {
        let mut chat = agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
        chat.record_token_usage(Usage::anthropic(1_000, 100).cache(0, 0));
        chat.finish();
    }
    // A call that failed before it used anything makes no sum unknown.
    agent.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5").fail(ErrorType::OVERLOADED);
    agent.finish();
    let recorded = telemetry.recorded();
    let agent = recorded.span("invoke_agent a").unwrap();
    assert_eq!(agent.attributes.int(attr::VIGIL_COST_NANO_USD), Some(3 * (1_000 * 3_000 + 100 * 15_000)));
    assert_eq!(counter(&recorded, Metric::CostNanoUsd), 3 * (1_000 * 3_000 + 100 * 15_000));
    recorded.verify_contract().unwrap();
}

#[test]
fn a_tool_that_reports_failure_is_an_error_even_when_it_is_finished() {
    let recorded = recorded();
    let tool = recorded.span("execute_tool run_command").unwrap();
    assert_eq!(tool.attributes.str(attr::ERROR_TYPE), Some("tool_error"));
    assert_eq!(tool.attributes.str(attr::LIFE_TOOL_STATUS), Some("error"));
    let fine = recorded.span("execute_tool delegate").unwrap();
    assert_eq!(fine.attributes.str(attr::LIFE_TOOL_STATUS), Some("ok"));
    assert_eq!(fine.attributes.str(attr::GEN_AI_AGENT_NAME), Some("researcher"));
    assert_eq!(
        recorded.span("chat no-such-model-7").unwrap().attributes.str(attr::GEN_AI_AGENT_NAME),
        Some("searcher")
    );
}

#[test]
fn b1_b10_a_refused_capability_says_that_nothing_was_left() {
    let recorded = recorded();
    let capability = recorded.span("capability fs.write").unwrap();
    assert_eq!(capability.attributes.int(attr::CAP_BUDGET_REMAINING), Some(0));
    assert_eq!(capability.attributes.str(attr::ERROR_KIND), Some("budget_exceeded"));
    assert_eq!(capability.attributes.int(attr::BYTES_IN), Some(120));
}

#[test]
fn a_dropped_handle_is_cancelled_and_a_failed_chat_is_an_event_too() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    drop(agent.chat_span(Provider::OPENAI, "m"));
    agent.chat_span(Provider::OPENAI, "m").fail_with(ErrorType::RATE_LIMIT, || "the secret message".to_owned());
    agent.finish();
    let recorded = telemetry.recorded();
    assert_eq!(recorded.tree(), "invoke_agent a\n  chat m [cancelled]\n  chat m [error rate_limit]\n");
    let exceptions: Vec<_> = recorded.events.iter().filter(|event| event.kind == EventKind::ClientException).collect();
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].attributes.str(attr::EXCEPTION_TYPE), Some("rate_limit"));
    recorded.verify_contract().unwrap();
}

#[test]
fn content_is_kept_only_by_who_asks_for_it_and_its_closure_is_not_called_otherwise() {
    let closed = testing::recorder();
    let chat = closed.chat_span(Provider::OPENAI, "m");
    chat.record_content(Content::InputMessages, || panic!("the gate is closed"));
    chat.finish();
    assert_eq!(closed.recorded().spans[0].attributes.get(attr::GEN_AI_INPUT_MESSAGES), None);

    let open = testing::recorder_with_content();
    let chat = open.chat_span(Provider::OPENAI, "m");
    chat.record_content(Content::InputMessages, || "[{\"role\":\"user\"}]".to_owned());
    chat.finish();
    let recorded = open.recorded();
    assert_eq!(recorded.spans[0].attributes.str(attr::GEN_AI_INPUT_MESSAGES), Some("[{\"role\":\"user\"}]"));
    recorded.verify_contract().unwrap();
}

#[test]
fn a_retry_that_succeeded_is_an_event_and_no_error() {
    let telemetry = testing::recorder();
    let chat = telemetry.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_retry(1, Duration::from_secs(2), &ErrorType::OVERLOADED);
    chat.finish();
    let recorded = telemetry.recorded();
    assert_eq!(recorded.tree(), "chat claude-sonnet-4-5\n");
    assert_eq!(recorded.spans[0].attributes.int(attr::VIGIL_RETRY_COUNT), Some(1));
    assert_eq!(counter(&recorded, Metric::Retries), 1);
    recorded.verify_contract().unwrap();
}

#[test]
fn long_work_is_told_of_before_it_ends() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let tool = agent.tool_span("sleep", "1");
    let started =
        |recorded: &Recorded| recorded.events.iter().filter(|event| event.kind == EventKind::SpanStarted).count();
    assert_eq!(started(&telemetry.recorded()), 1);
    telemetry.advance(Duration::from_secs(6));
    assert_eq!(started(&telemetry.recorded()), 2);
    assert!(telemetry.recorded().spans.is_empty());
    tool.finish();
    agent.finish();
    assert_eq!(telemetry.recorded().spans.len(), 2);
}

#[test]
fn what_is_open_at_shutdown_is_closed_and_counted() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let phase = agent.phase_span(Phase::Execute);
    let receipt = telemetry.shutdown(Duration::from_secs(5));
    assert_eq!((receipt.traces.recorded, receipt.traces.delivered), (2, 2));
    drop((agent, phase));
    assert_eq!(telemetry.shutdown(Duration::ZERO), receipt);
    assert_eq!(telemetry.recorded().tree(), "invoke_agent a [cancelled]\n  phase execute [cancelled]\n");
}

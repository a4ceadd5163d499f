//! What a running agent can know about itself, and what it says about itself.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and measure time")]

use std::time::{Duration, Instant};
use vigil::contract::{EventKind, Metric, SpanKind, attr};
use vigil::encode::PointValue;
use vigil::testing::{self, TestTelemetry};
use vigil::{
    Ask, Budget, EconomicMode, ErrorType, Evaluation, EvaluationTiming, Health, HealthReport, Limits, OperatingMode,
    Phase, Provider, RiskLevel, StateVector, ToolStatus, Usage, Vitals,
};

/// The vitals when everything recorded so far was seen.
fn vitals(telemetry: &TestTelemetry) -> Vitals {
    assert!(telemetry.wait_assembled(Duration::from_secs(5)));
    telemetry.vitals()
}

fn chat(telemetry: &TestTelemetry, model: &str, usage: Usage) {
    let mut chat = telemetry.chat_span(Provider::ANTHROPIC, model);
    chat.record_token_usage(usage);
    chat.finish();
}

#[test]
fn tokens_and_money_used_add_up_with_those_of_adapters_and_unpriced_calls_apart() {
    let telemetry = testing::recorder();
    assert_eq!(telemetry.vitals().tokens_used(), 0);
    chat(&telemetry, "claude-sonnet-4-5", Usage::anthropic(1_000, 100));
    chat(&telemetry, "no-such-model", Usage::anthropic(10, 1));
    let seen = vitals(&telemetry);
    assert_eq!(seen.tokens_used(), 1_111);
    assert_eq!(seen.nano_usd_used(), 1_000 * 3_000 + 100 * 15_000);
    assert_eq!(seen.unpriced_calls(), 1);
    assert_eq!(seen.context_tokens(), Some(11));
}

#[test]
fn the_burn_rate_and_what_is_left_say_how_long_it_lasts() {
    let telemetry = testing::recorder();
    let budget = Budget::new(Limits::none().tokens(10_000));
    telemetry.watch_budget(&budget);
    assert_eq!(telemetry.vitals().left().unwrap().tokens_remaining, Some(10_000));
    assert_eq!(telemetry.vitals().time_to_exhaustion(), None);
    for _ in 0..6 {
        telemetry.advance(Duration::from_secs(5));
        chat(&telemetry, "claude-sonnet-4-5", Usage::anthropic(90, 10));
        let turn = telemetry.turn_span(1);
        budget.admit(&turn, Ask { tokens: Some(100), ..Ask::default() }).unwrap().settle(&turn);
    }
    telemetry.advance(Duration::from_secs(5));
    let seen = vitals(&telemetry);
    // 600 tokens in the 30 seconds since the first call.
    assert!((seen.tokens_per_minute() - 1_200.0).abs() < 1.0, "{}", seen.tokens_per_minute());
    assert_eq!(seen.left().unwrap().tokens_remaining, Some(9_400));
    let lasts = seen.time_to_exhaustion().unwrap();
    assert!(lasts.abs_diff(Duration::from_secs(470)) < Duration::from_secs(1), "{lasts:?}");
    // A quiet minute later nothing is being used.
    telemetry.advance(Duration::from_secs(61));
    let seen = vitals(&telemetry);
    assert_eq!((seen.tokens_per_minute(), seen.time_to_exhaustion()), (0.0, None));
    assert_eq!(seen.tokens_used(), 600);
}

#[test]
fn errors_in_a_row_and_the_failure_rate_of_tools_follow_what_ended() {
    let telemetry = testing::recorder();
    let tool = |ok: bool| match (ok, telemetry.tool_span("t", "1")) {
        (true, tool) => tool.finish(),
        (false, mut tool) => {
            tool.record_tool_status(ToolStatus::Error);
            tool.finish();
        }
    };
    assert_eq!(vitals(&telemetry).tool_failure_rate(), None);
    for ok in [true, false, false] {
        tool(ok);
        // Calls in one round are told apart by the time they ended.
        telemetry.advance(Duration::from_millis(1));
    }
    telemetry.chat_span(Provider::OPENAI, "m").fail(ErrorType::SERVER_ERROR);
    telemetry.advance(Duration::from_millis(1));
    drop(telemetry.tool_span("given up", "2"));
    let seen = vitals(&telemetry);
    assert_eq!(seen.error_streak(), 3);
    assert_eq!(seen.tool_failure_rate(), Some(0.5));
    tool(true);
    assert_eq!(vitals(&telemetry).error_streak(), 0);
    for _ in 0..40 {
        tool(true);
    }
    assert_eq!(vitals(&telemetry).tool_failure_rate(), Some(0.0));
}

#[test]
fn pressure_is_told_by_service_and_fades() {
    let telemetry = testing::recorder();
    chat(&telemetry, "claude-sonnet-4-5", Usage::anthropic(1, 1));
    assert_eq!(vitals(&telemetry).throttles(), []);
    let mut retried = telemetry.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    retried.record_retry(1, Duration::from_secs(4), &ErrorType::OVERLOADED);
    retried.record_retry(2, Duration::from_secs(8), &ErrorType::RATE_LIMIT);
    retried.record_retry(3, Duration::from_secs(1), &ErrorType::CONNECTION);
    retried.record_token_usage(Usage::anthropic(1, 1));
    retried.finish();
    telemetry.chat_span(Provider::OPENAI, "m").fail(ErrorType::QUOTA);
    telemetry.chat_span(Provider::X_AI, "m").fail(ErrorType::SERVER_ERROR);
    let seen = vitals(&telemetry);
    let told: Vec<_> = seen.throttles().iter().map(|one| (one.service.as_ref(), one.throttled, one.served)).collect();
    assert_eq!(told, [("anthropic", 2, 2), ("openai", 1, 0)]);
    assert_eq!(seen.throttles()[0].pressure(), 0.5);
    assert_eq!(seen.pressure(), 1.0);
    assert_eq!(seen.wait(), Duration::from_secs(8));
    telemetry.advance(Duration::from_secs(6));
    assert_eq!(telemetry.vitals().wait(), Duration::from_secs(2));
    telemetry.advance(Duration::from_secs(60));
    let seen = vitals(&telemetry);
    assert_eq!((seen.throttles().len(), seen.pressure(), seen.wait()), (0, 0.0, Duration::ZERO));
}

#[test]
fn the_phase_and_slow_calls_are_those_under_way() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let outer = turn.phase_span(Phase::Deliberate);
    telemetry.advance(Duration::from_secs(1));
    let inner = turn.phase_span(Phase::Execute);
    let tool = inner.tool_span("build", "1");
    assert_eq!(vitals(&telemetry).phase(), Some((Phase::Execute, Duration::ZERO)));
    telemetry.advance(Duration::from_secs(6));
    let late = inner.chat_span(Provider::OPENAI, "m");
    let seen = vitals(&telemetry);
    assert_eq!(seen.phase(), Some((Phase::Execute, Duration::from_secs(6))));
    let slow: Vec<_> = seen.slow_calls().iter().map(|call| (call.kind, call.target.as_ref())).collect();
    assert_eq!(slow, [(SpanKind::Tool, "build")]);
    late.finish();
    tool.finish();
    inner.finish();
    let seen = vitals(&telemetry);
    assert_eq!(seen.phase(), Some((Phase::Deliberate, Duration::from_secs(7))));
    assert!(seen.slow_calls().is_empty());
    outer.finish();
    assert_eq!(vitals(&telemetry).phase(), None);
}

#[test]
fn what_telemetry_loses_is_known_while_it_runs() {
    let telemetry = testing::start(vigil::from_env("t").buffer_bytes(0));
    assert_eq!(telemetry.vitals().lost_records(), 0);
    let agent = telemetry.agent_span("s", "a");
    let started = Instant::now();
    while telemetry.vitals().lost_records() == 0 {
        agent.phase_span(Phase::Sleep).finish();
        assert!(started.elapsed() < Duration::from_secs(20), "it never becomes full");
    }
    let fine = testing::recorder();
    fine.agent_span("s", "a").finish();
    assert_eq!(vitals(&fine).lost_records(), 0);
}

#[test]
fn with_telemetry_off_the_budget_is_still_known() {
    let off = vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    let budget = Budget::new(Limits::none().tool_calls(3));
    off.watch_budget(&budget);
    let turn = off.turn_span(1);
    budget.admit_tool(&turn).unwrap().settle(&turn);
    let vitals = off.vitals();
    assert_eq!(vitals.left().unwrap().tool_calls_remaining, Some(2));
    assert_eq!((vitals.tokens_used(), vitals.error_streak(), vitals.lost_records()), (0, 0, 0));
    assert_eq!((vitals.phase(), vitals.wait(), vitals.age()), (None, Duration::ZERO, Duration::ZERO));
}

#[test]
fn vitals_that_are_kept_say_what_they_said_in_any_thread() {
    fn check(kept: &[Vitals], tokens: u64) {
        assert!(!kept.is_empty());
        for vitals in kept {
            assert_eq!((vitals.tokens_used(), vitals.left().unwrap().tokens_remaining), (tokens, Some(10)));
        }
    }
    let off = vigil::from_env("off").environment([]).log_format(vigil::LogFormat::Off).enabled(false).start();
    let on = testing::recorder();
    for (telemetry, recorder, tokens) in [(&*on, Some(&on), 100), (&off, None, 0)] {
        let (one, other) = (Budget::new(Limits::none().tokens(10)), Budget::new(Limits::none().tokens(20)));
        telemetry.watch_budget(&one);
        if let Some(recorder) = recorder {
            chat(recorder, "claude-sonnet-4-5", Usage::anthropic(90, 10));
            assert!(recorder.wait_assembled(Duration::from_secs(5)));
        }
        // Nothing new comes between: these are more than can be held without being counted.
        let mut kept: Vec<Vitals> = (0..20).map(|_| telemetry.vitals()).collect();
        let away = kept.split_off(10);
        let copies = away.clone();
        let thread = std::thread::spawn(move || {
            check(&away, tokens);
            away
        });
        telemetry.watch_budget(&other);
        if let Some(recorder) = recorder {
            chat(recorder, "claude-sonnet-4-5", Usage::anthropic(90, 10));
            assert_eq!(vitals(recorder).tokens_used(), 200);
        }
        assert_eq!(telemetry.vitals().left().unwrap().tokens_remaining, Some(20));
        let away = thread.join().unwrap();
        [&kept, &copies, &away].into_iter().for_each(|kept| check(kept, tokens));
        // The last ones go in another order than they came, and after their budget's handle.
        drop(one);
        drop(kept);
        check(&copies, tokens);
    }
    let kept = on.vitals();
    drop((on, off));
    assert_eq!(kept.tokens_used(), 200);
}

#[test]
fn replayed_work_counts_nothing() {
    let telemetry = testing::start(vigil::from_env("t").replay(vigil::ReplayTelemetry::Marked));
    chat(&telemetry, "claude-sonnet-4-5", Usage::anthropic(1_000, 100));
    telemetry.tool_span("t", "1").fail(ErrorType::TIMEOUT);
    let seen = vitals(&telemetry);
    assert_eq!((seen.tokens_used(), seen.error_streak(), seen.tool_failure_rate()), (0, 0, None));
}

#[test]
fn what_was_recorded_shows_without_being_waited_for() {
    let telemetry =
        vigil::from_env("t").environment([]).log_format(vigil::LogFormat::Json).log_writer(std::io::sink()).start();
    let started = Instant::now();
    telemetry.tool_span("t", "1").fail(ErrorType::TIMEOUT);
    while telemetry.vitals().error_streak() == 0 {
        assert!(started.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(telemetry.vitals().age() < Duration::from_secs(5));
}

#[test]
fn l3_modes_state_and_health_are_on_spans_events_and_counters() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    agent.record_run("run-7", "main");
    let phase = agent.phase_span(Phase::Reflect);
    phase.record_operating_mode(OperatingMode::Verify);
    phase.record_state(&StateVector {
        progress: Some(0.5),
        uncertainty: Some(7.0),
        risk_level: Some(RiskLevel::Medium),
        error_streak: Some(2),
        context_pressure: Some(f64::NAN),
    });
    phase.record_health(&HealthReport {
        operational: Some(Health::Degraded),
        economic: Some(Health::Healthy),
        cognitive: None,
    });
    phase.record_economic_mode(EconomicMode::Conserving);
    phase.record_mode_transition(OperatingMode::Verify, OperatingMode::Recover);
    phase.record_economic_mode_transition(EconomicMode::Conserving, EconomicMode::Hustle);
    phase.record_evaluation(&Evaluation {
        name: "task_success",
        score: Some(0.25),
        label: Some("fail"),
        evaluator: Some("self"),
        layer: Some("execution"),
        timing: Some(EvaluationTiming::Inline),
    });
    phase.finish();
    agent.finish();
    let recorded = telemetry.recorded();
    recorded.verify_contract().unwrap();
    let at = &recorded.span("phase reflect").unwrap().attributes;
    assert_eq!(at.str(attr::LIFE_OPERATING_MODE), Some("verify"));
    assert_eq!(format!("{:?}", at.get(attr::LIFE_STATE_UNCERTAINTY)), "Some(Double(1.0))");
    assert_eq!(at.get(attr::LIFE_STATE_CONTEXT_PRESSURE), None);
    assert_eq!((at.str(attr::LIFE_STATE_RISK_LEVEL), at.int(attr::LIFE_STATE_ERROR_STREAK)), (Some("medium"), Some(2)));
    assert_eq!(at.str(attr::AUTONOMIC_OPERATIONAL_HEALTH), Some("degraded"));
    assert_eq!(at.get(attr::AUTONOMIC_COGNITIVE_HEALTH), None);
    let run = &recorded.span("invoke_agent a").unwrap().attributes;
    assert_eq!((run.str(attr::LIFE_RUN_ID), run.str(attr::LIFE_BRANCH_ID)), (Some("run-7"), Some("main")));
    let event = |kind| &recorded.events.iter().find(|event| event.kind == kind).unwrap().attributes;
    let economic = event(EventKind::EconomicModeTransition);
    assert_eq!(economic.str(attr::AUTONOMIC_ECONOMIC_MODE_TO), Some("hustle"));
    let evaluation = event(EventKind::EvaluationResult);
    assert_eq!(
        (evaluation.str(attr::LIFE_EVAL_LAYER), evaluation.str(attr::LIFE_EVAL_TIMING)),
        (Some("execution"), Some("inline"))
    );
    assert_eq!(evaluation.str(attr::LIFE_EVAL_LABEL), Some("fail"));
    for metric in [Metric::ModeTransitions, Metric::EconomicModeTransitions, Metric::EvaluationCount] {
        let series = recorded.metrics.iter().find(|series| series.metric == metric).unwrap();
        assert_eq!(series.value, PointValue::Int(1), "{metric:?}");
    }
    let seen = telemetry.vitals();
    assert_eq!(seen.operating_mode(), Some(OperatingMode::Recover));
    assert_eq!(seen.economic_mode(), Some(EconomicMode::Hustle));
}

//! Budgets in the SDK: admitted before they are spent, shared, inherited, told of.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, and start threads")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vigil::contract::{EventKind, Metric, attr};
use vigil::encode::PointValue;
use vigil::gateway::{Gateway, GatewayError, Policy};
use vigil::testing::{self, Recorded};
use vigil::{Amounts, Ask, Budget, BudgetKind, BudgetRefusal, Limits, Provider, Telemetry, Unpriced, Usage};

const MODEL: &str = "claude-sonnet-4-5";

fn events(recorded: &Recorded, kind: EventKind) -> Vec<(Option<&str>, Option<i64>)> {
    let events = recorded.events.iter().filter(|event| event.kind == kind);
    events
        .map(|event| (event.attributes.str(attr::VIGIL_BUDGET_KIND), event.attributes.int(attr::VIGIL_BUDGET_LIMIT)))
        .collect()
}

#[test]
fn a_call_is_admitted_by_its_estimate_and_settled_by_what_it_really_used() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let budget = Budget::new(Limits::none().tokens(1_000).nano_usd(10_000_000));
    let admission = budget.admit_chat(&turn, &Provider::ANTHROPIC, MODEL, &Usage::total(500, 100)).unwrap();
    assert_eq!(budget.left().tokens_remaining, Some(400));
    assert_eq!(budget.left().cost_remaining_nano_usd, Some(10_000_000 - 500 * 3_000 - 100 * 15_000));
    let second = budget.admit_chat(&turn, &Provider::ANTHROPIC, MODEL, &Usage::total(500, 100));
    assert_eq!(second.unwrap_err().kind(), Some(BudgetKind::Tokens));
    admission.settle(&turn, &Usage::anthropic(300, 20));
    assert_eq!(budget.left().tokens_remaining, Some(680));
    assert_eq!(budget.left().cost_remaining_nano_usd, Some(10_000_000 - 300 * 3_000 - 20 * 15_000));
    // Failed before the model began.
    budget.admit_chat(&turn, &Provider::ANTHROPIC, MODEL, &Usage::total(500, 100)).unwrap().refund(&turn);
    assert_eq!(budget.left().tokens_remaining, Some(680));
    // Given up: nobody knows, so it counts as asked for.
    drop(budget.admit(&turn, Ask { tokens: Some(80), ..Ask::default() }).unwrap());
    assert_eq!(budget.left().tokens_remaining, Some(600));
    assert_eq!(budget.used(), Amounts { tokens: 400, nano_usd: 1_200_000, tool_calls: 0 });
}

#[test]
fn what_a_sub_agent_spends_its_parent_spends_too() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let agent = Budget::new(Limits::none().tokens(1_000).tool_calls(3));
    let helper = agent.child(Limits::none().tokens(300));
    assert_eq!(helper.left().tool_calls_remaining, Some(3));
    helper.admit_tool(&turn).unwrap().settle(&turn);
    let call = helper.admit_chat(&turn, &Provider::OPENAI, "gpt-4o-mini", &Usage::unknown()).unwrap();
    call.settle(&turn, &Usage::openai(200, 50));
    assert_eq!((agent.left().tokens_remaining, agent.left().tool_calls_remaining), (Some(750), Some(2)));
    assert_eq!((helper.left().tokens_remaining, helper.left().tool_calls_remaining), (Some(50), Some(2)));
    let ask = Ask { tokens: Some(60), ..Ask::default() };
    assert!(helper.admit(&turn, ask).is_err());
    agent.admit(&turn, ask).unwrap().settle(&turn);
    // A helper that is gone has spent what it spent.
    drop(helper);
    assert_eq!(agent.left().tokens_remaining, Some(690));
}

#[test]
fn running_low_is_told_once_and_used_up_is_told_once_with_what_is_left() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let budget = Budget::new(Limits::none().tool_calls(5).tokens(100));
    for _ in 0..5 {
        budget.admit_tool(&turn).unwrap().settle(&turn);
    }
    for _ in 0..3 {
        assert_eq!(budget.admit_tool(&turn).unwrap_err().kind(), Some(BudgetKind::ToolCalls));
    }
    turn.finish();
    let recorded = telemetry.recorded();
    assert_eq!(events(&recorded, EventKind::BudgetLow), [(Some("tool_calls"), Some(5))]);
    assert_eq!(events(&recorded, EventKind::BudgetExhausted), [(Some("tool_calls"), Some(5))]);
    let low = recorded.events.iter().find(|event| event.kind == EventKind::BudgetLow).unwrap();
    assert_eq!(low.attributes.int(attr::LIFE_BUDGET_TOOL_CALLS_REMAINING), Some(1));
    assert_eq!(low.attributes.int(attr::LIFE_BUDGET_TOKENS_REMAINING), Some(100));
    assert_eq!(low.span.map(|span| span.span_id), Some(recorded.spans[0].context.span_id));
    recorded.verify_contract().unwrap();
}

#[test]
fn a_model_without_a_price_is_refused_counted_or_warned_of() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let limits = Limits::none().tokens(1_000).nano_usd(1_000_000_000);
    let ask = |budget: &Budget| {
        budget.admit_chat(&turn, &Provider::OPENAI, "no-such-model", &Usage::total(10, 10)).map(|admission| {
            admission.settle(&turn, &Usage::openai(10, 10));
        })
    };
    assert!(matches!(ask(&Budget::new(limits)), Err(BudgetRefusal::Unpriced(_))));
    // Also where only the parent's money is limited.
    assert!(ask(&Budget::new(limits).child(Limits::none())).is_err());
    let counting = Budget::with_unpriced(limits, Unpriced::CountTokens);
    ask(&counting).unwrap();
    assert_eq!(counting.used(), Amounts { tokens: 20, nano_usd: 0, tool_calls: 0 });
    let unlimited = Budget::new(Limits::none().tokens(1_000));
    assert!(ask(&unlimited).is_ok());
    let warning = Budget::with_unpriced(limits, Unpriced::Warn);
    for _ in 0..3 {
        ask(&warning.child(Limits::none())).unwrap();
    }
    let recorded = telemetry.recorded();
    let warned: Vec<_> = recorded.events.iter().filter(|event| event.kind == EventKind::BudgetUnpriced).collect();
    assert_eq!(warned.len(), 1);
    assert_eq!(warned[0].attributes.str(attr::GEN_AI_REQUEST_MODEL), Some("no-such-model"));
    recorded.verify_contract().unwrap();
}

#[test]
fn a_call_answered_under_another_name_costs_what_that_costs_if_it_is_known() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let budget = Budget::new(Limits::none().nano_usd(100_000_000));
    let ask = || budget.admit_chat(&turn, &Provider::ANTHROPIC, MODEL, &Usage::total(100, 0)).unwrap();
    ask().settle_by(&turn, "claude-sonnet-4-5-20250929", &Usage::anthropic(10, 1));
    assert_eq!(budget.used().nano_usd, 10 * 3_000 + 15_000);
    ask().settle_by(&turn, "claude-sonnet-4-5-of-tomorrow", &Usage::anthropic(10, 1));
    assert_eq!(budget.used().nano_usd, 2 * (10 * 3_000 + 15_000));
    // Nothing is known of what it used: then what was asked for.
    ask().settle(&turn, &Usage::unknown());
    assert_eq!(budget.used().nano_usd, 2 * (10 * 3_000 + 15_000) + 100 * 3_000);
}

#[test]
fn many_threads_overspend_by_no_more_than_what_was_in_flight() {
    const LIMIT: u64 = 200_000;
    const ASKED: u64 = 100;
    const USED: u64 = 130;
    let budget = Budget::new(Limits::none().tokens(LIMIT).tool_calls(u64::MAX));
    let telemetry = testing::recorder();
    let agent = Arc::new(telemetry.agent_span("s", "a"));
    let most_in_flight = Arc::new(AtomicU64::new(0));
    let in_flight = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            // Half of them through children of their own.
            let budget = if thread % 2 == 0 { budget.clone() } else { budget.child(Limits::none()) };
            let (agent, most, now) = (agent.clone(), most_in_flight.clone(), in_flight.clone());
            std::thread::spawn(move || {
                while let Ok(admission) = budget.admit(&agent, Ask { tokens: Some(ASKED), ..Ask::default() }) {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    admission.settle_with(&agent, Amounts { tokens: USED, ..Amounts::default() });
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let used = budget.used().tokens;
    let over = used.saturating_sub(LIMIT);
    assert!(over <= 8 * (USED - ASKED), "{over} more than the limit");
    // And nearly all of it was used: nobody was refused while there was enough.
    assert!(used + ASKED > LIMIT, "{used}");
    assert!(most_in_flight.load(Ordering::SeqCst) <= 8);
}

#[test]
fn what_is_admitted_does_not_depend_on_telemetry() {
    let spend = |telemetry: &Telemetry| {
        let turn = telemetry.turn_span(1);
        let budget = Budget::new(Limits::none().tokens(1_000).tool_calls(4));
        let admitted = |number: u64| {
            let ask = Ask { tokens: Some(number * 100), tool_calls: Some(1), nano_usd: None };
            budget.admit(&turn, ask).map(|admission| admission.settle(&turn)).map_err(|refusal| refusal.to_string())
        };
        (0..8).map(admitted).collect::<Vec<_>>()
    };
    let expected = spend(&testing::recorder());
    assert_eq!(expected.iter().filter(|result| result.is_ok()).count(), 4);
    let off = vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    assert_eq!(spend(&off), expected);
    let full = testing::start(vigil::from_env("t").buffer_bytes(0));
    let started = Instant::now();
    while full.vitals().lost_records() < 1_000 {
        assert_eq!(spend(&full), expected);
        assert!(started.elapsed() < Duration::from_secs(20), "it never becomes full");
    }
    assert_eq!(spend(&testing::start(vigil::from_env("t").sampling_ratio(0.0))), expected);
}

#[test]
fn l4_what_is_left_is_on_the_span_and_on_gauges_each_tick_also_when_nothing_is_sampled() {
    let telemetry = testing::start(vigil::from_env("t").sampling_ratio(0.0));
    let agent = telemetry.agent_span("s", "a");
    let budget =
        Budget::new(Limits::none().tokens(100).nano_usd(2_000_000_000).tool_calls(9).time(Duration::from_secs(90)));
    for tick in 1..=3 {
        let phase = agent.phase_span(vigil::Phase::Perceive);
        budget.admit(&phase, Ask { tokens: Some(10), ..Ask::default() }).unwrap().settle(&phase);
        budget.record(&phase);
        phase.finish();
        let recorded = telemetry.recorded();
        let gauge = |metric| {
            let series = recorded.metrics.iter().find(|series| series.metric == metric).unwrap();
            match series.value {
                PointValue::Int(number) => number as f64,
                PointValue::Double(number) => number,
                _ => panic!("{metric:?} is no gauge"),
            }
        };
        assert_eq!(gauge(Metric::BudgetTokensRemaining), 100.0 - 10.0 * f64::from(tick));
        assert_eq!(gauge(Metric::BudgetCostRemaining), 2.0);
        assert_eq!(gauge(Metric::BudgetToolCallsRemaining), 9.0);
        let left = gauge(Metric::BudgetTimeRemaining);
        assert!((60_000.0..=90_000.0).contains(&left), "{left}");
        let phase = recorded.spans.last().unwrap();
        assert_eq!(phase.attributes.int(attr::LIFE_BUDGET_TOKENS_REMAINING), Some(100 - 10 * i64::from(tick)));
    }
}

#[test]
fn no_side_effect_begins_when_the_time_is_over() {
    let telemetry = testing::recorder();
    let turn = telemetry.turn_span(1);
    let budget = Budget::new(Limits::none().time(Duration::from_millis(60)));
    let helper = budget.child(Limits::none());
    let gateway = Gateway::builder(Policy::deny_all().allow("acme.work", 10)).budget(&helper).build();
    let work = || gateway.call(&turn, "acme.work", (), |()| Ok::<_, std::io::Error>(()));
    assert!(work().is_ok());
    std::thread::sleep(Duration::from_millis(70));
    for _ in 0..2 {
        let error = work().unwrap_err();
        let GatewayError::BudgetExceeded(exceeded) = &error else { panic!("{error:?}") };
        assert_eq!((exceeded.kind, exceeded.limit), (BudgetKind::Time, 60));
        assert_eq!(error.to_string(), "acme.work is not begun: the 60 ms of the agent are over");
    }
    assert_eq!(gateway.calls_left("acme.work"), Some(9));
    assert_eq!(helper.left().time_remaining, Some(Duration::ZERO));
    let recorded = telemetry.recorded();
    assert_eq!(events(&recorded, EventKind::BudgetExhausted), [(Some("time"), Some(60))]);
    recorded.verify_contract().unwrap();
}

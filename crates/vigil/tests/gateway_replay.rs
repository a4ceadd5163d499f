//! Seed B8 and field note 51: what a run asked of the world is recorded, and replayed without the world.
#![allow(clippy::unwrap_used, reason = "tests fail")]

use serde_json::{Value, json};
use std::cell::Cell;
use std::io;
use vigil::contract::{Metric, attr};
use vigil::gateway::{
    CallOutcome, CallRecord, CallTape, Clause, DrawBytes, Gateway, GatewayError, Json, Policy, ReadClock, ReplayError,
};
use vigil::{ErrorType, Provider, ReplayTelemetry, Telemetry, Usage, testing};

fn policy() -> Policy {
    Policy::parse(
        r#"{ "rules": {
            "db.query": { "budget": 2 }, "time.now": {}, "random": {}, "llm.call": {}, "fs.write": { "allow": false }
        } }"#,
    )
    .unwrap()
}

/// An agent whose state depends on everything the world says.
fn run(gateway: &Gateway, telemetry: &Telemetry, question: &str, world: &Cell<u64>) -> Vec<String> {
    let agent = telemetry.agent_span("s", "a");
    let touched = |value: Value| {
        world.set(world.get() + 1);
        Ok::<_, io::Error>(value)
    };
    let state = vec![
        format!("{:?}", gateway.call(&agent, "db.query", question, |_| touched(json!({ "rows": [world.get()] })))),
        format!("{:?}", gateway.run(&agent, &ReadClock, ()).unwrap()),
        format!("{:?}", gateway.run(&agent, &DrawBytes, 8).unwrap()),
        format!("{:?}", gateway.call(&agent, "fs.write", "x", |_| touched(json!(1))).map_err(|error| error.kind())),
        format!(
            "{:?}",
            gateway
                .call(&agent, "llm.call", ("model", 7), |_| {
                    world.set(world.get() + 1);
                    Err::<(), _>(io::Error::from(io::ErrorKind::TimedOut))
                })
                .map_err(|error| error.error_type())
        ),
        format!("{:?}", gateway.call(&agent, "db.query", "again", |_| touched(json!(null)))),
        format!("{:?}", gateway.call(&agent, "db.query", "more", |_| touched(json!(0))).map_err(|error| error.kind())),
        format!("{:?}", gateway.calls_left("db.query")),
    ];
    agent.finish();
    state
}

fn recorded() -> (CallTape, Vec<String>) {
    let tape = CallTape::default();
    let gateway = Gateway::builder(policy()).record(tape.clone()).build();
    let state = run(&gateway, &testing::recorder(), "question", &Cell::new(40));
    (tape, state)
}

#[test]
fn b8_a_replay_comes_to_the_same_state_and_does_not_touch_the_world() {
    let (tape, state) = recorded();
    assert_eq!(tape.calls().len(), 7);
    let world = Cell::new(1_000);
    let gateway = Gateway::builder(policy()).replay(tape.rewound()).build();
    assert!(gateway.is_replay());
    assert_eq!(run(&gateway, &testing::recorder(), "question", &world), state);
    assert_eq!(world.get(), 1_000);
}

#[test]
fn b8_a_record_holds_nothing_operational_and_is_the_same_with_telemetry_on_and_off() {
    let record = |telemetry: &Telemetry| {
        let tape = CallTape::default();
        let gateway = Gateway::builder(policy()).record(tape.clone()).build();
        let agent = telemetry.agent_span("s", "a");
        for question in ["a", "b", "c"] {
            gateway.call(&agent, "db.query", question, |text| Ok::<_, io::Error>(text.to_owned())).ok();
        }
        tape.calls()
    };
    let off = vigil::from_env("t").environment([("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())]).start();
    let on = testing::recorder();
    let calls = record(&on);
    assert_eq!(record(&off), calls);
    // The fields are listed, so that a new one has to be thought about here.
    let CallRecord { number, capability, digest, outcome } = calls[1].clone();
    assert_eq!((number, capability.as_str()), (1, "db.query"));
    assert_eq!(digest, vigil::gateway::digest_of("b"));
    assert_eq!(outcome, CallOutcome::Answered(b"b".to_vec()));
    assert_eq!(
        calls[2].outcome,
        CallOutcome::Failed { kind: vigil::CapabilityError::BudgetExceeded, error_type: "budget_exceeded".into() }
    );
}

#[test]
fn where_two_runs_part_is_told_with_the_number_of_the_call_and_both_requests() {
    let (tape, _) = recorded();
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let gateway = Gateway::builder(policy()).replay(tape.rewound()).build();
    let ask = |capability: &str, text: &str| {
        gateway.call(&agent, capability, text, |_| -> io::Result<Value> { panic!("the world was touched") })
    };
    assert!(ask("db.query", "question").is_ok());
    let error = ask("db.query", "another").unwrap_err();
    let GatewayError::Replay(ReplayError::Parted { number: 1, recorded: Some(recorded), asked }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((recorded.capability.as_str(), asked.capability.as_str()), ("time.now", "db.query"));
    assert_eq!(recorded.digest, vigil::gateway::digest_of(&()));
    assert!(error.to_string().starts_with("the runs part at call 1: recorded was time.now "), "{error}");
    // From there on nothing is what it was.
    assert_eq!(ask("db.query", "question").unwrap_err().to_string(), error.to_string());

    let gateway = Gateway::builder(policy()).replay(CallTape::default()).build();
    let error = gateway.call(&agent, "db.query", "x", |_| Ok::<_, io::Error>(())).unwrap_err();
    assert!(error.to_string().starts_with("the runs part at call 0: the record ends before it"), "{error}");
}

#[test]
fn a_result_of_another_type_is_told() {
    let (tape, _) = recorded();
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let gateway = Gateway::builder(policy()).replay(tape.rewound()).build();
    let error = gateway.call(&agent, "db.query", "question", |_| Ok::<u64, io::Error>(1)).unwrap_err();
    assert!(matches!(error, GatewayError::Replay(ReplayError::WrongType { number: 0, .. })));
}

#[test]
fn refusals_are_repeated_whatever_the_policy_says_now() {
    let (tape, _) = recorded();
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let gateway = Gateway::builder(Policy::allow_all()).replay(tape.rewound()).build();
    let mut calls = tape.calls().into_iter();
    gateway.call(&agent, "db.query", "question", |_| Ok::<_, io::Error>(json!(0))).unwrap();
    gateway.run(&agent, &ReadClock, ()).unwrap();
    gateway.run(&agent, &DrawBytes, 8).unwrap();
    let denied = gateway.call(&agent, "fs.write", "x", |_| Ok::<_, io::Error>(json!(0))).unwrap_err();
    assert!(matches!(denied, GatewayError::Denied(denied) if denied.clause == Clause::Recorded));
    assert!(matches!(calls.nth(3).unwrap().outcome, CallOutcome::Failed { kind: vigil::CapabilityError::Denied, .. }));
}

#[tokio::test]
async fn calls_that_overlap_are_replayed_in_the_order_they_began() {
    let overlap = async |gateway: &Gateway, telemetry: &Telemetry| {
        let agent = telemetry.agent_span("s", "a");
        let ask = async |name: &str, turns: usize| {
            gateway
                .call_async(&agent, "llm.call", name, async |name: &str| {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, io::Error>(Json(vec![name.to_owned()]))
                })
                .await
                .unwrap()
                .0
        };
        tokio::join!(ask("slow", 9), ask("fast", 1), ask("middle", 4))
    };
    let tape = CallTape::default();
    let telemetry = testing::recorder();
    let recording = Gateway::builder(policy()).record(tape.clone()).build();
    let first = overlap(&recording, &telemetry).await;
    let ended: Vec<u64> = tape.calls().iter().map(|call| call.number).collect();
    assert_eq!(ended, [1, 2, 0]);
    let replaying = Gateway::builder(policy()).replay(tape.rewound()).build();
    assert_eq!(overlap(&replaying, &telemetry).await, first);
}

#[test]
fn a_record_that_cannot_be_written_loses_no_result_and_lets_no_further_call_through() {
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let mut written = 0;
    let log = move |_: &CallRecord| {
        written += 1;
        if written == 2 { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    };
    let gateway = Gateway::builder(Policy::allow_all()).record(log).build();
    let made = Cell::new(0);
    let call = || {
        gateway.call(&agent, "db.query", (), |()| {
            made.set(made.get() + 1);
            Ok::<_, io::Error>(made.get())
        })
    };
    assert_eq!((call().unwrap(), call().unwrap()), (1_i32, 2));
    assert!(matches!(call(), Err(GatewayError::Unrecorded)));
    assert_eq!(made.get(), 2);
}

#[test]
fn a_record_that_is_out_of_order_or_cannot_be_read_is_an_error_and_no_panic() {
    struct Broken;
    impl vigil::gateway::CallSource for Broken {
        fn next_call(&mut self) -> io::Result<Option<CallRecord>> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let telemetry = testing::recorder();
    let agent = telemetry.agent_span("s", "a");
    let ask = |gateway: &Gateway| {
        let error = gateway.call(&agent, "db.query", (), |()| Ok::<_, io::Error>(())).unwrap_err();
        error.to_string()
    };
    let gateway = Gateway::builder(policy()).replay(Broken).build();
    assert_eq!(ask(&gateway), "call 0 cannot be read from the record: the disk is gone");
    let far = (1..10_000).map(|number| CallRecord {
        number,
        capability: "db.query".into(),
        digest: [0; 32],
        outcome: CallOutcome::Answered(Vec::new()),
    });
    let gateway = Gateway::builder(policy()).replay(far.collect::<CallTape>()).build();
    assert_eq!(ask(&gateway), "call 0 cannot be read from the record: records are out of order");
}

/// A run with a model call, so that there is something to cost.
fn paid(gateway: &Gateway, telemetry: &testing::TestTelemetry) {
    run(gateway, telemetry, "question", &Cell::new(40));
    let mut chat = telemetry.chat_span(Provider::ANTHROPIC, "claude-sonnet-4-5");
    chat.record_token_usage(Usage::anthropic(1_000, 100));
    chat.fail(ErrorType::OVERLOADED);
}

#[test]
fn b8_the_telemetry_of_a_replay_is_off_by_default() {
    let (tape, _) = recorded();
    // Telemetry that knows: nothing at all.
    let knowing = testing::start(vigil::from_env("t").replay(ReplayTelemetry::Off));
    assert!(!knowing.is_on());
    paid(&Gateway::builder(policy()).replay(tape.rewound()).build(), &knowing);
    assert!(knowing.recorded().spans.is_empty());
    // Telemetry that does not know: the gateway keeps quiet.
    let unaware = testing::recorder();
    run(&Gateway::builder(policy()).replay(tape.rewound()).build(), &unaware, "question", &Cell::new(0));
    assert_eq!(unaware.recorded().tree(), "invoke_agent a\n");
}

#[test]
fn b8_the_telemetry_of_a_replay_is_marked_and_left_out_of_metrics_and_cost() {
    let (tape, _) = recorded();
    let marked = testing::start(vigil::from_env("t").replay(ReplayTelemetry::Marked));
    paid(&Gateway::builder(policy()).replay(tape.rewound()).build(), &marked);
    let replayed = marked.recorded();
    let truth = |span: &vigil_core::fact::SpanRecord| format!("{:?}", span.attributes.get(attr::VIGIL_REPLAY));
    assert_eq!(replayed.spans.len(), 9);
    assert!(replayed.spans.iter().all(|span| truth(span) == "Some(Bool(true))"));
    assert!(replayed.events.iter().all(|event| event.attributes.get(attr::VIGIL_REPLAY).is_some()));
    assert!(!replayed.events.is_empty());
    assert!(replayed.metrics.is_empty(), "{:?}", replayed.metrics);
    assert!(replayed.spans.iter().all(|span| span.attributes.get(attr::VIGIL_COST_NANO_USD).is_none()));
    replayed.verify_contract().unwrap();

    // The same run, done: the same spans, with metrics and cost.
    let live = testing::recorder();
    paid(&Gateway::builder(policy()).record(CallTape::default()).build(), &live);
    let live = live.recorded();
    assert_eq!(live.tree(), replayed.tree());
    assert!(live.metrics.iter().any(|series| series.metric == Metric::CostNanoUsd));
    assert!(live.spans.iter().all(|span| span.attributes.get(attr::VIGIL_REPLAY).is_none()));
    // Sizes and what is left are told alike.
    let numbers = |recorded: &testing::Recorded| {
        let mut all: Vec<_> = recorded
            .spans
            .iter()
            .map(|span| {
                let at = &span.attributes;
                let numbers = [attr::BYTES_IN, attr::BYTES_OUT, attr::CAP_BUDGET_REMAINING].map(|key| at.int(key));
                (span.name(), numbers, at.str(attr::ERROR_KIND).map(str::to_owned))
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(numbers(&live), numbers(&replayed));
}

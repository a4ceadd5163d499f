use super::*;
use crate::demo::economy;
use crate::demo::model::Protocol;
use crate::demo::policy;
use crate::demo::scratch::{self, Scratch};
use crate::demo::script::{HELPER_MODEL, MAIN_MODEL, SAVING_MODEL};
use crate::demo::server::ScriptedServer;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use vigil::contract::{EventKind, Metric, attr};
use vigil::encode::PointValue;
use vigil::testing::{self, Recorded, TestTelemetry};

fn scratch() -> Scratch {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Scratch::create(&std::env::temp_dir(), &format!("vigil-demo-test-{}-{number}", std::process::id())).unwrap()
}

/// The agent against the scripted server with the models of these names.
fn run_on(telemetry: &TestTelemetry, scratch: &Scratch, task: &str, names: [&str; 2]) -> Result<Report, AgentError> {
    run_with(telemetry, scratch, task, names, policy::BUILT_IN, &economy::budget(true))
}

fn run_with(
    telemetry: &TestTelemetry,
    scratch: &Scratch,
    task: &str,
    names: [&str; 2],
    policy: &str,
    budget: &Budget,
) -> Result<Report, AgentError> {
    let server = ScriptedServer::start().unwrap();
    let model = Model::new(Protocol::Anthropic, &server.anthropic_url(), "the secret key", names[0]);
    let saving = Model::new(Protocol::Anthropic, &server.anthropic_url(), "the secret key", SAVING_MODEL);
    let helper = Model::new(Protocol::OpenAi, &server.openai_url(), "the secret key", names[1]);
    let job = Job {
        session: "session-1",
        task,
        model: &model,
        saving: &saving,
        helper: &helper,
        budget,
        policy,
        events: &Events::Unkept,
        scripted: true,
    };
    let tools = Tools::new(Some(scratch.path()), policy.parse().unwrap(), budget, job.events).unwrap();
    run(telemetry, &job, &tools)
}

fn recorded() -> Recorded {
    let telemetry = testing::recorder();
    let scratch = scratch();
    let report = run_on(&telemetry, &scratch, scratch::TASK, [MAIN_MODEL, HELPER_MODEL]);
    assert_eq!(report, Ok(Report { passed: Some(true) }));
    assert!(!scratch.path().exists());
    telemetry.recorded()
}

#[test]
fn l3_l8_the_run_is_a_tree_that_mirrors_the_loop_and_keeps_the_contract() {
    let recorded = recorded();
    let expected = "\
invoke_agent auditor
  turn 1
    phase perceive
      capability fs.read
    phase deliberate
      chat claude-sonnet-5-5
        capability llm.call
    phase execute
      execute_tool list_files
        capability fs.read
      execute_tool delegate
        invoke_agent helper
          chat gpt-6-luna
            capability llm.call
          execute_tool read_file
            capability fs.read
          execute_tool read_file
            capability fs.read
          chat gpt-6-luna
            capability llm.call
    phase reflect
  turn 2
    phase perceive
      capability fs.read
    phase deliberate
      chat claude-sonnet-5-5
        capability llm.call [error overloaded]
        capability llm.call
    phase gate
      approval write_file
      approval run_command
    phase execute
      execute_tool write_file
        capability fs.write
      execute_tool run_command [error tool_error]
        capability process.run
    phase reflect
  turn 3
    phase perceive
      capability fs.read
    phase deliberate
      chat claude-sonnet-5-5
        capability llm.call
    phase gate
      approval write_file
      approval run_command
    phase execute
      execute_tool read_file
        capability fs.read
      execute_tool write_file
        capability fs.write
      execute_tool run_command
        capability process.run
    phase reflect
  turn 4
    phase perceive
      capability fs.read
    phase deliberate
      chat claude-haiku-5-5
        capability llm.call
    phase reflect
  cleanup scratch_folder
";
    assert_eq!(recorded.tree(), expected);
    recorded.verify_contract().unwrap();
}

#[test]
fn tokens_money_and_counts_of_both_providers_add_up_on_the_agent() {
    let recorded = recorded();
    let agent = recorded.span("invoke_agent auditor").unwrap();
    let count = |key| agent.attributes.int(key).unwrap();
    assert_eq!(count(attr::VIGIL_USAGE_INPUT_TOKENS), 11_103);
    assert_eq!(count(attr::VIGIL_USAGE_OUTPUT_TOKENS), 462);
    assert_eq!(count(attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS), 7_041);
    let counts = [attr::VIGIL_TURN_COUNT, attr::VIGIL_CHAT_COUNT, attr::VIGIL_TOOL_COUNT, attr::VIGIL_TOOL_FAILED];
    assert_eq!(counts.map(count), [4, 6, 9, 1]);
    let chats = recorded.spans.iter().filter(|span| span.name().starts_with("chat"));
    let costs: Vec<i64> = chats.map(|span| span.attributes.int(attr::VIGIL_COST_NANO_USD).unwrap()).collect();
    assert_eq!(count(attr::VIGIL_COST_NANO_USD), costs.iter().sum::<i64>());
    assert_eq!(costs.len(), 6);
}

#[test]
fn what_a_chat_was_asked_and_how_it_ended_is_on_its_span() {
    let recorded = recorded();
    let chats = recorded.spans.iter().filter(|span| span.name().starts_with("chat claude"));
    let chats: Vec<_> = chats.map(|span| &span.attributes).collect();
    let words = |key| chats.iter().map(|chat| format!("{:?}", chat.get(key))).collect::<Vec<_>>();
    assert!(words(attr::GEN_AI_RESPONSE_FINISH_REASONS)[..3].iter().all(|reason| reason.contains("tool_call")));
    assert!(words(attr::GEN_AI_RESPONSE_FINISH_REASONS)[3].contains("stop"));
    for (index, chat) in chats.iter().enumerate() {
        assert_eq!(chat.str(attr::GEN_AI_PROVIDER_NAME), Some("anthropic"));
        assert_eq!(chat.str(attr::GEN_AI_RESPONSE_ID), Some(format!("msg_main_{}", index + 1).as_str()));
        // For the last one money ran low.
        assert_eq!(chat.str(attr::GEN_AI_RESPONSE_MODEL), Some(if index < 3 { MAIN_MODEL } else { SAVING_MODEL }));
        assert_eq!(chat.str(attr::VIGIL_CALL_CHOSEN_BY), (index == 3).then_some("budget"));
        assert_eq!(chat.str(attr::SERVER_ADDRESS), Some("127.0.0.1"));
        assert!(chat.get(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK).is_some());
        assert_eq!(chat.int(attr::VIGIL_RETRY_COUNT), (index == 1).then_some(1));
    }
}

#[test]
fn modes_budget_evaluation_and_retry_are_events_and_metrics() {
    let recorded = recorded();
    let events = |kind: EventKind| recorded.events.iter().filter(move |event| event.kind == kind);
    let modes: Vec<_> = events(EventKind::ModeTransition)
        .map(|event| (event.attributes.str(attr::LIFE_MODE_FROM), event.attributes.str(attr::LIFE_MODE_TO)))
        .collect();
    let modes: Vec<_> = modes.into_iter().map(|(from, to)| (from.unwrap(), to.unwrap())).collect();
    assert_eq!(modes, [("explore", "execute"), ("execute", "recover"), ("recover", "execute"), ("execute", "verify")]);
    let evaluation = events(EventKind::EvaluationResult).next().unwrap();
    assert_eq!(evaluation.attributes.str(attr::GEN_AI_EVALUATION_SCORE_LABEL), Some("pass"));
    let retry = events(EventKind::Retry).next().unwrap();
    assert_eq!(retry.attributes.str(attr::VIGIL_RETRY_REASON), Some("overloaded"));
    let perceives = recorded.spans.iter().filter(|span| span.name() == "phase perceive");
    let left: Vec<_> = perceives.map(|span| span.attributes.int(attr::LIFE_BUDGET_TOKENS_REMAINING).unwrap()).collect();
    assert!(left.len() == 4 && left.is_sorted_by(|earlier, later| earlier > later), "{left:?}");
    let gauge = recorded.metrics.iter().find(|series| series.metric == Metric::BudgetTokensRemaining).unwrap();
    assert!(matches!(gauge.value, PointValue::Int(number) if number == left[3]), "{gauge:?}");
}

#[test]
fn no_secret_of_key_task_or_file_is_recorded_while_the_gate_is_closed() {
    const CANARY: &str = "canary-4b7e1d";
    for open in [false, true] {
        let telemetry = if open { testing::recorder_with_content() } else { testing::recorder() };
        let scratch = scratch();
        let log = scratch.path().join("logs/tuesday.log");
        fs::write(&log, fs::read_to_string(&log).unwrap() + CANARY).unwrap();
        let task = format!("{} {CANARY}", scratch::TASK);
        run_on(&telemetry, &scratch, &task, [MAIN_MODEL, HELPER_MODEL]).unwrap();
        let recorded = telemetry.recorded();
        let everything = format!("{:?}{:?}{:?}", recorded.spans, recorded.events, recorded.metrics);
        assert_eq!(everything.contains(CANARY), open);
        assert!(!everything.contains("the secret key"));
        recorded.verify_contract().unwrap();
    }
}

#[test]
fn a_model_that_refuses_fails_every_span_above_the_call_and_the_folder_is_still_removed() {
    let telemetry = testing::recorder();
    let scratch = scratch();
    let error = run_on(&telemetry, &scratch, scratch::TASK, ["no-such-model", HELPER_MODEL]).unwrap_err();
    assert_eq!(error.kind(), ErrorType::INVALID_REQUEST);
    assert!(!scratch.path().exists());
    let recorded = telemetry.recorded();
    assert_eq!(
        recorded.tree(),
        "invoke_agent auditor [error invalid_request]\n  turn 1 [error invalid_request]\n    phase perceive\n      \
         capability fs.read\n    phase deliberate [error invalid_request]\n      chat no-such-model [error invalid_request]\n        \
         capability llm.call [error invalid_request]\n  \
         cleanup scratch_folder\n"
    );
    recorded.verify_contract().unwrap();
}

#[test]
fn a_helper_that_fails_is_a_failed_tool_and_the_agent_goes_on() {
    let telemetry = testing::recorder();
    let scratch = scratch();
    let report = run_on(&telemetry, &scratch, scratch::TASK, [MAIN_MODEL, "no-such-model"]);
    assert_eq!(report, Ok(Report { passed: Some(true) }));
    let tree = telemetry.recorded().tree();
    assert!(
        tree.contains("execute_tool delegate [error tool_error]\n        invoke_agent helper [error invalid_request]"),
        "{tree}"
    );
}

#[test]
fn a_refused_call_and_one_of_an_unknown_tool_are_not_made_and_say_why() {
    let telemetry = testing::recorder();
    let scratch = scratch();
    let model = Model::new(Protocol::Anthropic, "http://127.0.0.1:1", "key", MAIN_MODEL);
    let budget = economy::budget(true);
    let job = Job {
        session: "session-1",
        task: "",
        model: &model,
        saving: &model,
        helper: &model,
        budget: &budget,
        policy: policy::BUILT_IN,
        events: &Events::Unkept,
        scripted: true,
    };
    let tools = Tools::new(Some(scratch.path()), policy::BUILT_IN.parse().unwrap(), &budget, job.events).unwrap();
    let mut auditor = Auditor::new(&telemetry, &job, &tools);
    let turn = telemetry.turn_span(1);
    let call = |name: &str, path: &str| ToolCall {
        id: "call-1".into(),
        name: name.into(),
        arguments: serde_json::json!({ "path": path, "content": "exit 0" }),
    };
    let calls = [call("write_file", "check.sh"), call("fly to the moon", "")];
    let decisions = auditor.gate(&turn, &calls).unwrap();
    // Writing as such is allowed; writing there is not, which the gateway knows.
    assert_eq!(decisions, [Decision::Accept, Decision::Accept]);
    let execute = turn.phase_span(Phase::Execute);
    let refused = calls.iter().zip(decisions).map(|(call, decision)| {
        let (result, refused) = auditor.execute(&execute, call, decision).unwrap();
        assert!(result.failed);
        refused
    });
    assert_eq!(refused.collect::<Vec<_>>(), [true, false]);
    execute.finish();
    turn.finish();
    assert!(fs::read_to_string(scratch.path().join("check.sh")).unwrap().contains("exit 1"));
    let recorded = telemetry.recorded();
    assert_eq!(
        recorded.tree(),
        "turn 1\n  phase gate\n    approval write_file\n  phase execute\n    \
         execute_tool write_file [error denied]\n      capability fs.write [error denied]\n    \
         execute_tool unknown [error tool_not_found]\n"
    );
    recorded.verify_contract().unwrap();
}

#[test]
fn an_agent_that_is_refused_everything_stops_cleanly() {
    let telemetry = testing::recorder();
    let scratch = scratch();
    let names = [MAIN_MODEL, HELPER_MODEL];
    let result =
        run_with(&telemetry, &scratch, scratch::TASK, names, r#"{"rules": {"llm.call": {}}}"#, &economy::budget(true));
    assert_eq!(result, Err(AgentError::Refused));
    assert!(!scratch.path().exists());
    let recorded = telemetry.recorded();
    assert_eq!(
        recorded.tree(),
        "\
invoke_agent auditor [error denied]
  turn 1 [error denied]
    phase perceive
      capability fs.read [error denied]
    phase deliberate
      chat claude-sonnet-5-5
        capability llm.call
    phase execute [error denied]
      execute_tool list_files [error denied]
        capability fs.read [error denied]
      execute_tool delegate [error denied]
        invoke_agent helper [error denied]
          chat gpt-6-luna
            capability llm.call
          execute_tool read_file [error denied]
            capability fs.read [error denied]
          execute_tool read_file [error denied]
            capability fs.read [error denied]
  cleanup scratch_folder
"
    );
    recorded.verify_contract().unwrap();
}

#[test]
fn an_agent_turns_to_a_cheaper_model_when_money_runs_low_and_says_so() {
    let recorded = recorded();
    let event = recorded.events.iter().find(|event| event.kind == EventKind::EconomicModeTransition).unwrap();
    assert_eq!(event.attributes.str(attr::AUTONOMIC_ECONOMIC_MODE_TO), Some("conserving"));
    let chats = recorded.spans.iter().filter(|span| span.name().starts_with("chat claude"));
    let models: Vec<_> = chats.map(|span| span.attributes.str(attr::GEN_AI_REQUEST_MODEL).unwrap()).collect();
    assert_eq!(models, [MAIN_MODEL, MAIN_MODEL, MAIN_MODEL, SAVING_MODEL]);
}

#[test]
fn an_agent_slows_down_after_it_was_throttled_and_not_before() {
    let recorded = recorded();
    let phases = recorded.spans.iter().filter(|span| span.name() == "phase deliberate");
    let slowed: Vec<bool> =
        phases.map(|span| span.attributes.custom().any(|(name, _)| name == "demo.slowed_ms")).collect();
    // The second call met an overloaded server.
    assert_eq!(slowed, [false, false, true, true]);
}

#[test]
fn an_agent_without_money_stops_before_it_asks_and_the_budget_is_told_of() {
    let telemetry = testing::recorder();
    let scratch = scratch();
    // Enough for the first turn and no more.
    let budget = Budget::new(vigil::Limits::none().nano_usd(6_000_000));
    let names = [MAIN_MODEL, HELPER_MODEL];
    let result = run_with(&telemetry, &scratch, scratch::TASK, names, policy::BUILT_IN, &budget);
    let Err(AgentError::Budget(refusal)) = result else { panic!("{result:?}") };
    assert_eq!(refusal.kind(), Some(vigil::BudgetKind::Cost));
    assert!(!scratch.path().exists());
    let recorded = telemetry.recorded();
    let exhausted = recorded.events.iter().filter(|event| event.kind == EventKind::BudgetExhausted).count();
    assert_eq!(exhausted, 1);
    let error = recorded.span("invoke_agent auditor").unwrap().attributes.str(attr::ERROR_TYPE).map(str::to_owned);
    assert_eq!(error.as_deref(), Some("budget_exhausted"));
    recorded.verify_contract().unwrap();
}

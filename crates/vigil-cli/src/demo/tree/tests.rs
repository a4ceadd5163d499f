use super::*;
use crate::demo::trace;
use std::time::Duration;
use vigil::deliver::{DestinationConfig, MemoryDestination, Target};
use vigil::{ErrorType, OperatingMode, Phase, Provider, Telemetry, ToolStatus, Usage};

fn spans(record: impl FnOnce(&Telemetry)) -> Vec<TracedSpan> {
    let memory = MemoryDestination::new();
    let telemetry = vigil::from_env("test")
        .environment([])
        .destination(DestinationConfig::new("memory", Target::Memory(memory.clone())))
        .start();
    record(&telemetry);
    telemetry.shutdown(Duration::from_secs(5));
    let mut spans = trace::read(&memory.take());
    // True times differ from run to run.
    for (index, span) in (0_u64..).zip(&mut spans) {
        span.start_ns = index * 1_000_000;
        span.end_ns = 9_000_000;
    }
    spans
}

fn run(telemetry: &Telemetry) {
    let agent = telemetry.agent_span("session", "auditor");
    let phase = agent.phase_span(Phase::Deliberate);
    let mut chat = phase.chat_span(Provider::ANTHROPIC, "claude-haiku-4-5");
    chat.record_token_usage(Usage::anthropic(1000, 20).cache(4000, 0));
    chat.record_retry(1, Duration::from_millis(5), &ErrorType::OVERLOADED);
    chat.finish();
    phase.record_mode_transition(OperatingMode::Explore, OperatingMode::Execute);
    phase.finish();
    let mut tool = agent.tool_span("run_command", "call-1");
    tool.record_exit_code(3);
    tool.record_tool_status(ToolStatus::Error);
    tool.finish();
    agent.tool_span("a_tool_with_a_very_long_name_that_goes_on", "call-2").finish();
    agent.finish();
}

#[test]
fn a_run_is_drawn_with_branches_times_a_chart_and_what_is_worth_saying() {
    let text = tree(&spans(run), Styles::none());
    let expected = "\
invoke_agent auditor                   9.0 ms ──────────  $0.0015
├ phase deliberate                     8.0 ms  ─────────  explore → execute
│ └ chat claude-haiku-4-5              7.0 ms   ━━━━━━━━  5,000 in, 20 out, $0.0015, 1 retry
├ execute_tool run_command             6.0 ms    ━━━━━━━  tool_error, exit 3
└ execute_tool a_tool_with_a_very_lo…  5.0 ms     ━━━━━━
";
    assert_eq!(text, expected);
}

#[test]
fn the_totals_are_those_of_the_agents_own_span() {
    let text = totals(&spans(run));
    let expected = "  calls   0 turns, 1 chat (1 retry), 2 tool calls (1 failed), 0 sub-agents\n  \
                    tokens  5,000 in (4,000 from the cache), 20 out\n  cost    $0.0015 by the prices of ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_model_without_a_price_costs_not_nothing_but_nobody_knows_what() {
    let text = totals(&spans(|telemetry| {
        let agent = telemetry.agent_span("session", "auditor");
        let mut chat = agent.chat_span(Provider::OPENAI, "no-such-model");
        chat.record_token_usage(Usage::openai(10, 10));
        chat.finish();
        agent.finish();
    }));
    assert!(text.contains("cost    not known"), "{text}");
}

#[test]
fn no_line_is_wider_than_a_terminal_and_names_cannot_steer_it() {
    let spans = spans(|telemetry| {
        let agent = telemetry.agent_span("session", &"long ".repeat(50));
        let mut open = vec![agent.tool_span("deep", "0")];
        for _ in 0..30 {
            let next = open[open.len() - 1].tool_span("evil\u{1b}[31m", "1");
            open.push(next);
        }
        while let Some(tool) = open.pop() {
            tool.finish();
        }
        agent.fail(ErrorType::from_code(&"long".repeat(30)));
    });
    let text = tree(&spans, Styles::none());
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert!(!text.contains('\u{1b}'));
    assert!(tree(&[], Styles::none()).is_empty() && totals(&[]).is_empty());
}

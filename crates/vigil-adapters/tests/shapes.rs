//! Shapes of runs of which no recording is committed, as the notes on the format describe them.

mod support;

use support::{spans, tree};
use vigil_adapters::{Note, Observer, Options, RunEnd, Summary, TranscriptFile};
use vigil_core::fact::{Fact, UnixNanos};

fn observe(stream: &str, main: &str) -> (Vec<Fact>, Summary) {
    let mut observer = Observer::new(Options::default());
    observer.stdout(stream.as_bytes(), UnixNanos(0));
    if !main.is_empty() {
        observer.transcript(TranscriptFile::Main, main.as_bytes());
    }
    observer.finish(RunEnd { exit_code: Some(0), at: Some(UnixNanos(1_795_223_500_000_000_000)), ..RunEnd::default() })
}

fn init() -> String {
    "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\"model\":\"m\"}\n".to_owned()
}

fn said(id: &str, second: u32, blocks: &str, stop: &str, output: u32) -> String {
    format!(
        "{{\"type\":\"assistant\",\"message\":{{\"id\":\"{id}\",\"model\":\"m\",\"content\":[{blocks}],\"stop_reason\":{stop},\"usage\":{{\"input_tokens\":5,\"output_tokens\":{output}}}}},\"session_id\":\"s\",\"sessionId\":\"s\",\"entrypoint\":\"sdk-cli\",\"timestamp\":\"2026-11-21T01:10:{second:02}Z\"}}\n"
    )
}

fn tool(id: &str) -> String {
    format!("{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"Bash\",\"input\":{{}}}}")
}

fn result_of(id: &str, second: u32) -> String {
    format!(
        "{{\"type\":\"user\",\"message\":{{\"content\":[{{\"type\":\"tool_result\",\"tool_use_id\":\"{id}\",\"content\":\"x\"}}]}},\"session_id\":\"s\",\"sessionId\":\"s\",\"entrypoint\":\"sdk-cli\",\"timestamp\":\"2026-11-21T01:10:{second:02}Z\"}}\n"
    )
}

fn prompt(second: u32) -> String {
    format!(
        "{{\"type\":\"queue-operation\",\"operation\":\"enqueue\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-21T01:10:{second:02}Z\"}}\n\
         {{\"type\":\"user\",\"message\":{{\"content\":\"do it\"}},\"sessionId\":\"s\",\"entrypoint\":\"sdk-cli\",\"promptSource\":\"sdk\",\"timestamp\":\"2026-11-21T01:10:{second:02}Z\"}}\n"
    )
}

fn request(second: u32) -> String {
    format!(
        "{{\"type\":\"api-request\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-21T01:10:{second:02}Z\",\"params\":{{\"model\":\"m\"}}}}\n"
    )
}

fn totals(kind: &str, uuid: &str, input: u32, output: u32) -> String {
    let usage = format!("{{\"m\":{{\"inputTokens\":{input},\"outputTokens\":{output},\"costUSD\":0.5}}}}");
    format!(
        "{{\"type\":\"{kind}\",\"subtype\":\"success\",\"is_error\":false,\"uuid\":\"{uuid}\",\"session_id\":\"s\",\"sessionId\":\"s\",\"modelUsage\":{usage},\"model_usage_since_last_result\":{usage}}}\n"
    )
}

#[test]
fn parallel_tools_of_one_message_end_in_any_order() {
    let calls = [tool("t1"), tool("t2"), tool("t3")].map(|tool| said("m1", 1, &tool, "null", 3)).concat();
    let results = ["t3", "t1", "t2"].map(|id| result_of(id, 4)).concat();
    let stream = init() + &calls + &results + &said("m2", 6, "", "null", 3) + &totals("result", "r", 10, 9);
    let main = prompt(0)
        + &request(0)
        + &[tool("t1"), tool("t2"), tool("t3")].map(|tool| said("m1", 1, &tool, "\"tool_use\"", 4)).concat()
        + &results
        + &request(5)
        + &said("m2", 6, "", "\"end_turn\"", 5);
    let (facts, summary) = observe(&stream, &main);
    assert_eq!(
        tree::render(&facts),
        "invoke_agent claude-code in=10 read=0 write=0 out=9 turns=1 chats=2 tools=3 exit=0\n  \
           turn 1 chats=2 tools=3\n    \
             chat m in=5 read=0 write=0 out=4\n    \
             execute_tool Bash\n    execute_tool Bash\n    execute_tool Bash\n    \
             chat m in=5 read=0 write=0 out=5\n"
    );
    assert_eq!(summary.notes, []);
    let last =
        spans(&facts).into_iter().filter(|span| span.name() == "chat m").map(|span| span.duration().as_secs()).max();
    assert_eq!(last, Some(1), "a chat starts when its request left");
}

#[test]
fn several_prompts_of_one_process_are_its_turns() {
    let stream = [(1, "a"), (3, "b"), (5, "c")]
        .map(|(second, id)| init() + &said(id, second, "", "null", 3) + &totals("result", id, 5, 7))
        .concat();
    let main = [(1, "a"), (3, "b"), (5, "c")]
        .map(|(second, id)| prompt(second - 1) + &request(second) + &said(id, second, "", "\"end_turn\"", 7))
        .concat()
        + &totals("cost-state", "x", 15, 21);
    let (both, summary) = observe(&stream, &main);
    let (alone, _) = observe("", &main);
    assert_eq!((summary.turns, summary.chats, summary.usage.output()), (3, 3, Some(21)));
    let ids = |facts: &[Fact]| {
        spans(facts).iter().map(|span| span.context.span_id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&both), ids(&alone), "one process: its totals come once, at its end");
}

#[test]
fn a_call_that_broke_in_the_middle_has_no_tokens_and_is_followed_by_another() {
    let main = prompt(0)
        + &request(0)
        + &said("broken", 1, "", "null", 3)
        + &request(2)
        + &said("whole", 3, "", "\"end_turn\"", 7)
        + &totals("cost-state", "x", 5, 7);
    let stream =
        init() + &said("broken", 1, "", "null", 3) + &said("whole", 3, "", "null", 3) + &totals("result", "r", 5, 7);
    for (facts, summary) in [observe(&stream, &main), observe("", &main)] {
        assert_eq!((summary.chats, summary.chats_failed), (2, 1));
        assert!(tree::render(&facts).contains("chat m !connection_failed\n"), "{}", tree::render(&facts));
        assert_eq!(summary.notes, []);
    }
    // With partial messages the stream alone shows it, also when no block of it was complete.
    let started = |id: &str| {
        format!(
            "{{\"type\":\"stream_event\",\"session_id\":\"s\",\"event\":{{\"type\":\"message_start\",\"message\":{{\"id\":\"{id}\"}}}}}}\n"
        )
    };
    let delta = "{\"type\":\"stream_event\",\"session_id\":\"s\",\"event\":{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}}\n";
    let stream = init()
        + &started("broken")
        + &started("whole")
        + &said("whole", 3, "", "null", 3)
        + delta
        + &totals("result", "r", 5, 7);
    let (facts, summary) = observe(&stream, "");
    assert_eq!((summary.chats, summary.chats_failed), (2, 1));
    assert!(tree::render(&facts).contains("chat m in=5 read=0 write=0 out=7\n"), "{}", tree::render(&facts));
}

#[test]
fn history_a_fork_copied_is_not_told_again() {
    let copied = prompt(0).lines().nth(1).map(|line| format!("{line}\n")).unwrap_or_default()
        + &said("old", 1, "", "\"end_turn\"", 7);
    let own = prompt(20) + &request(21) + &said("new", 22, "", "\"end_turn\"", 8) + &totals("cost-state", "x", 10, 15);
    for main in [
        copied.clone() + &own,
        prompt(20).lines().next().map(|line| format!("{line}\n")).unwrap_or_default() + &copied + &own,
    ] {
        let (_, summary) = observe("", &main);
        assert_eq!((summary.chats, summary.usage.output()), (1, Some(8)));
        assert_eq!(summary.notes, [Note::CopiedHistory { lines: 2 }]);
        let stream = init() + &said("new", 22, "", "null", 3) + &totals("result", "r", 5, 8);
        let (_, summary) = observe(&stream, &main);
        assert_eq!((summary.chats, summary.usage.output()), (1, Some(8)));
    }
}

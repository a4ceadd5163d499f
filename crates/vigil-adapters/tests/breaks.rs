//! Runs that break, stop, fork or go on in unusual ways: what each committed recording of one must say.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use support::{Feed, Recording, corpus, recordings, spans};
use vigil_adapters::{Note, Observer, Options, RunEnd, Summary};
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Fact, Outcome, SpanRecord, UnixNanos};
use vigil_core::vocab::ErrorType;

fn recording(name: &str) -> Recording {
    recordings(&corpus()).into_iter().find(|recording| recording.name == name).unwrap()
}

fn of_kind(facts: &[Fact], kind: SpanKind) -> Vec<&SpanRecord> {
    spans(facts).into_iter().filter(|span| span.kind == kind).collect()
}

fn failed_chats(facts: &[Fact]) -> Vec<&SpanRecord> {
    of_kind(facts, SpanKind::Chat).into_iter().filter(|chat| chat.outcome != Outcome::Ok).collect()
}

fn input(summary: &Summary) -> Option<u64> {
    summary.usage.input()
}

#[test]
fn a_call_that_broke_before_its_first_block_is_a_failed_chat_without_tokens() {
    for (name, feed) in [
        ("stream_error_overloaded", Feed::Both),
        ("stream_error_overloaded", Feed::Transcript),
        ("stream_error_partial", Feed::Stream),
        ("stream_error_partial", Feed::Both),
    ] {
        let (facts, summary) = recording(name).import(0, feed);
        let failed = failed_chats(&facts);
        assert_eq!((summary.chats, failed.len()), (2, 1), "{name} {feed:?}");
        assert_eq!(failed[0].outcome, Outcome::Error(ErrorType::CONNECTION));
        assert_eq!(failed[0].attributes.int(attr::GEN_AI_USAGE_INPUT_TOKENS), None, "{name} {feed:?}");
        assert_eq!(of_kind(&facts, SpanKind::Turn).len(), 1, "{name} {feed:?}");
    }
}

#[test]
fn a_broken_call_that_the_totals_hold_gets_what_no_other_call_accounts_for() {
    let (facts, summary) = recording("empty_text").import(0, Feed::Both);
    assert_eq!(failed_chats(&facts)[0].attributes.int(attr::GEN_AI_USAGE_INPUT_TOKENS), Some(13_218));
    assert_eq!(summary.notes, []);
    let (facts, summary) = recording("stream_sigint").import(0, Feed::Both);
    let failed = failed_chats(&facts);
    assert_eq!(failed[0].outcome, Outcome::Error(ErrorType::CANCELLED));
    assert_eq!(failed[0].attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), Some(120));
    assert_eq!(summary.notes, []);
}

#[test]
fn a_streamed_message_that_broke_keeps_the_tokens_its_transcript_holds() {
    let (facts, summary) = recording("think_stream_error_partial").import(0, Feed::Both);
    assert_eq!((summary.chats, failed_chats(&facts).len()), (3, 0));
    assert_eq!(summary.notes, []);
    let (facts, _) = recording("think_stream_error_partial").import(0, Feed::Stream);
    assert_eq!(failed_chats(&facts).len(), 1, "the stream alone does not know its end");
}

#[test]
fn a_request_that_was_never_answered_is_a_cancelled_chat_of_the_turn_that_was_cut() {
    for name in ["hang_sigint", "stream_sigterm"] {
        for feed in [Feed::Both, Feed::Transcript] {
            let (facts, summary) = recording(name).import(0, feed);
            let failed = failed_chats(&facts);
            assert_eq!((summary.chats, failed.len(), summary.turns), (2, 1, 1), "{name} {feed:?}");
            assert_eq!(failed[0].outcome, Outcome::Error(ErrorType::CANCELLED));
            assert_eq!(failed[0].target, "claude-opus-5-5");
        }
    }
}

#[test]
fn a_stream_that_says_it_was_interrupted_was_cancelled_even_without_a_result() {
    let (_, summary) = recording("hang_sigint").import(0, Feed::Stream);
    assert_eq!(summary.outcome, Outcome::Error(ErrorType::CANCELLED));
}

#[test]
fn a_limit_of_an_old_release_is_an_error_though_it_does_not_say_so() {
    let (_, summary) = recording("v2050_max_turns").import(0, Feed::Both);
    assert_eq!(summary.outcome, Outcome::Error(ErrorType::MAX_TURNS));
}

#[test]
fn a_process_that_was_killed_and_the_one_that_resumed_it_are_two_runs() {
    for name in ["resume_after_sigkill", "resume_after_sigterm"] {
        let recording = recording(name);
        let [(first, _), (second, _)] = [0, 1].map(|index| recording.import(index, Feed::Both));
        let (both, _) = recording.import(0, Feed::Transcript);
        let agents = |facts: &[Fact]| -> Vec<_> {
            of_kind(facts, SpanKind::Agent).iter().map(|agent| agent.context.span_id).collect()
        };
        assert_eq!(agents(&both), [agents(&first), agents(&second)].concat(), "{name}");
        assert_eq!(of_kind(&first, SpanKind::Chat).len(), 1, "{name}");
        assert_eq!(of_kind(&second, SpanKind::Chat).len(), 2, "{name}");
    }
}

#[test]
fn a_tool_that_its_process_died_with_was_cancelled_and_ended_before_the_next_process() {
    let recording = recording("resume_after_sigkill");
    let (first, _) = recording.import(0, Feed::Both);
    let (second, _) = recording.import(1, Feed::Both);
    let tool = of_kind(&first, SpanKind::Tool)[0];
    assert_eq!(tool.outcome, Outcome::Cancelled);
    assert!(tool.end < of_kind(&second, SpanKind::Chat)[0].start);
}

#[test]
fn turns_from_stdin_are_of_one_process_also_where_no_totals_are_written() {
    for name in ["stdin_multi", "old_stdin_multi"] {
        for feed in [Feed::Both, Feed::Transcript] {
            let (facts, summary) = recording(name).import(0, feed);
            assert_eq!((of_kind(&facts, SpanKind::Agent).len(), summary.turns, summary.chats), (1, 2, 3), "{name}");
        }
    }
    let (facts, _) = recording("old_compact_then_resume").import(0, Feed::Transcript);
    assert_eq!(of_kind(&facts, SpanKind::Agent).len(), 5, "every process of a resumed session is one run");
}

#[test]
fn a_lone_result_of_a_resumed_session_is_of_its_own_process() {
    for name in ["json_resume", "old_json_resume"] {
        let recording = recording(name);
        for (index, expected) in [(0, 26_687), (1, 13_755)] {
            for feed in [Feed::Both, Feed::Stream] {
                let (_, summary) = recording.import(index, feed);
                assert_eq!(input(&summary), Some(expected), "{name} {index} {feed:?}");
            }
        }
    }
    // What earlier processes cost is in the figure, and nothing says how much.
    assert_eq!(recording("json_resume").import(1, Feed::Stream).1.reported_cost_usd, None);
}

#[test]
fn a_call_that_waits_for_its_sub_agent_lasts_as_long_also_when_both_are_stopped() {
    for name in ["budget_sub", "subagent_sigint"] {
        for feed in [Feed::Stream, Feed::Both, Feed::Transcript] {
            let (facts, _) = recording(name).import(0, feed);
            let sub =
                of_kind(&facts, SpanKind::Agent).into_iter().find(|agent| agent.target == "general-purpose").unwrap();
            let call = spans(&facts).into_iter().find(|span| Some(span.context.span_id) == sub.parent).unwrap();
            assert!(call.start <= sub.start && sub.end <= call.end, "{name} {feed:?}");
        }
    }
}

#[test]
fn history_that_a_fork_copied_is_not_told_again() {
    let (facts, summary) = recording("fork_session").import(0, Feed::Both);
    assert_eq!(of_kind(&facts, SpanKind::Chat).len(), 2);
    assert!(matches!(summary.notes[..], [Note::CopiedHistory { lines: 5 }]), "{:?}", summary.notes);
}

#[test]
fn a_command_the_program_carries_out_itself_is_a_good_run_with_times() {
    for feed in [Feed::Both, Feed::Transcript] {
        let (facts, summary) = recording("usage_command").import(0, feed);
        assert_eq!((&summary.outcome, summary.chats), (&Outcome::Ok, 0), "{feed:?}");
        assert!(of_kind(&facts, SpanKind::Agent)[0].start > UnixNanos(1_700_000_000_000_000_000), "{feed:?}");
        assert_eq!(summary.notes, [], "{feed:?}");
    }
}

#[test]
fn plain_text_beside_a_transcript_is_no_unreadable_line() {
    let (_, summary) = recording("text_tools").import(0, Feed::Both);
    assert_eq!((summary.bad_lines, summary.chats, summary.tools), (0, 2, 1));
}

#[test]
fn notices_of_the_program_are_known_events() {
    let (_, summary) = recording("hook_stop").import(0, Feed::Both);
    assert_eq!(summary.unknown_events, 0);
}

#[test]
fn a_permission_mode_that_is_no_word_is_left_out() {
    let mode = |mode: &str| {
        let mut observer = Observer::new(Options::default());
        let line = format!(
            "{{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\"permissionMode\":\"{mode}\"}}\n"
        );
        observer.stdout(line.as_bytes(), UnixNanos(1));
        let (facts, _) = observer.finish(RunEnd::default());
        of_kind(&facts, SpanKind::Agent)[0].attributes.str(attr::VIGIL_PERMISSION_MODE).map(str::to_owned)
    };
    assert_eq!(mode("bypassPermissions").as_deref(), Some("bypassPermissions"));
    assert_eq!(mode("the secret is 42"), None);
}

//! Foreign bytes of every kind: nothing panics, nothing is told twice, memory stays bounded.

mod support;

use std::collections::BTreeSet;
use support::{Recording, corpus, recordings, spans};
use vigil_adapters::{Observer, Options, RunEnd, Summary, TranscriptFile, detect, session_key};
use vigil_core::contract::verify;
use vigil_core::fact::{Fact, UnixNanos};

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

#[expect(clippy::unwrap_used, reason = "a test may fail")]
fn small(name: &str) -> Recording {
    recordings(&corpus()).into_iter().find(|recording| recording.name == name).unwrap()
}

fn observe(stream: &[u8], main: &[u8], recording: &Recording) -> (Vec<Fact>, Summary) {
    let mut observer = Observer::new(Options::default());
    observer.stdout(stream, UnixNanos(0));
    observer.transcript(TranscriptFile::Main, main);
    for (agent_id, bytes, meta) in &recording.sub_agents {
        observer.transcript(TranscriptFile::SubAgent { agent_id, meta: meta.as_deref() }, bytes);
    }
    observer.finish(RunEnd { at: Some(support::FALLBACK_TIME), ..RunEnd::default() })
}

fn check(facts: &[Fact], place: &str) {
    let ids: BTreeSet<_> = spans(facts).iter().map(|span| span.context.span_id).collect();
    assert_eq!(ids.len(), spans(facts).len(), "{place}: a span was told twice");
    for fact in facts {
        assert_eq!(verify(fact, false), [], "{place}");
    }
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

#[test]
fn a_record_cut_at_every_byte_is_told_as_far_as_it_goes() {
    for name in ["text_only", "subagent", "partial_messages", "v2050_two_tools", "rate_limit_429_forever_max2"] {
        let recording = small(name);
        let stream = &recording.streams[0].0;
        let main = recording.main.clone().unwrap();
        // Every byte of the shortest, and cuts all over the others: a debug build is slow.
        for cut in (0..stream.len()).step_by(if name == "text_only" { 1 } else { 29 }) {
            let mut observer = Observer::new(Options::default());
            observer.stdout(&stream[..cut], UnixNanos(0));
            let (facts, summary) = observer.finish(RunEnd { at: Some(support::FALLBACK_TIME), ..RunEnd::default() });
            check(&facts, &format!("{name} stream cut at {cut}"));
            assert!(!facts.is_empty());
            assert!(summary.agent.is_none() || summary.truncated || cut + 3000 > stream.len(), "{name} {cut}");
            let _any_answer_is_right = (detect(&stream[..cut]), session_key(&stream[..cut]));
        }
        for cut in (0..main.len()).step_by(397) {
            let (facts, _) = observe(stream, &main[..cut], &recording);
            check(&facts, &format!("{name} transcript cut at {cut}"));
            let (facts, _) = observe(b"", &main[..cut], &recording);
            check(&facts, &format!("{name} transcript alone cut at {cut}"));
        }
    }
}

#[test]
fn lines_that_come_twice_are_told_once() {
    for recording in recordings(&corpus()) {
        let (stream, main) = (&recording.streams[0].0, recording.main.clone().unwrap_or_default());
        let twice = |bytes: &[u8]| lines(bytes).iter().flat_map(|line| [*line, *line]).collect::<Vec<_>>().concat();
        let (once, once_summary) = observe(stream, &main, &recording);
        let (doubled, summary) = observe(&twice(stream), &twice(&main), &recording);
        check(&doubled, &recording.name);
        let ids = |facts: &[Fact]| spans(facts).iter().map(|span| span.context.span_id).collect::<BTreeSet<_>>();
        assert_eq!(ids(&doubled), ids(&once), "{}", recording.name);
        assert_eq!(
            (summary.chats, summary.tools, summary.usage),
            (once_summary.chats, once_summary.tools, once_summary.usage)
        );
    }
}

#[test]
fn lines_in_any_order_do_no_harm() {
    let mut random = Random(7);
    for recording in recordings(&corpus()) {
        let (stream, main) = (&recording.streams[0].0, recording.main.clone().unwrap_or_default());
        for round in 0..12 {
            let (mut stream, mut main) = (lines(stream), lines(&main));
            if round == 0 {
                stream.reverse();
                main.reverse();
            } else {
                random.shuffle(&mut stream);
                random.shuffle(&mut main);
            }
            let (facts, _) = observe(&stream.concat(), &main.concat(), &recording);
            check(&facts, &format!("{} round {round}", recording.name));
        }
    }
}

#[test]
fn flipped_bytes_do_no_harm() {
    let mut random = Random(11);
    let all = recordings(&corpus());
    for round in 0..1500 {
        let recording = &all[random.below(all.len())];
        let mut stream = recording.streams[0].0.clone();
        let mut main = recording.main.clone().unwrap_or_default();
        for _ in 0..=random.below(12) {
            for bytes in [&mut stream, &mut main] {
                if !bytes.is_empty() {
                    let at = random.below(bytes.len());
                    // Digits and punctuation change what lines mean more often than any byte does.
                    bytes[at] = match random.below(3) {
                        0 => b"0123456789"[random.below(10)],
                        1 => b"{}[]\",:-\\ne"[random.below(11)],
                        _ => random.below(256) as u8,
                    };
                }
            }
        }
        let (facts, _) = observe(&stream, &main, recording);
        check(&facts, &format!("{} round {round}", recording.name));
    }
}

#[test]
fn json_of_any_other_shape_is_counted_and_does_no_harm() {
    let head =
        b"{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\"timestamp\":\"2026-11-21T01:10:13Z\"}\n";
    let values = [
        "null",
        "1",
        "-1e308",
        "\"x\"",
        "[]",
        "{}",
        "[[1]]",
        "{\"id\":1}",
        "true",
        "18446744073709551615",
        "\"\\ud800\"",
    ];
    let kinds = ["system", "assistant", "user", "result", "stream_event", "attachment", "cost-state", "no such kind"];
    let fields = [
        "message",
        "timestamp",
        "tool_use_result",
        "modelUsage",
        "event",
        "uuid",
        "parent_tool_use_id",
        "error",
        "attempt",
    ];
    for kind in kinds {
        for field in fields {
            for value in values {
                let line =
                    format!("{{\"type\":\"{kind}\",\"session_id\":\"s\",\"sessionId\":\"s\",\"{field}\":{value}}}\n");
                let mut observer = Observer::new(Options::default());
                observer.stdout(head, UnixNanos(0));
                observer.stdout(line.as_bytes(), UnixNanos(0));
                observer.transcript(TranscriptFile::Main, line.as_bytes());
                let (facts, summary) = observer.finish(RunEnd::default());
                check(&facts, &line);
                if kind == "no such kind" {
                    assert!(summary.unknown_events + summary.bad_lines > 0, "{line}");
                }
            }
        }
    }
    let mut observer = Observer::new(Options::default());
    observer.stdout(head, UnixNanos(0));
    observer.stdout(b"{\"type\":\"news\",\"session_id\":\"s\"}\nnot json\n{\"cut\n[1,2]\n\n{\"type\":\"system\",\"subtype\":\"news\",\"session_id\":\"s\"}\n", UnixNanos(0));
    let (_, summary) = observer.finish(RunEnd::default());
    assert_eq!((summary.unknown_events, summary.bad_lines), (4, 2));
}

#[test]
fn text_that_is_not_utf_8_is_read_around() {
    let recording = small("text_only");
    let text = String::from_utf8(recording.streams[0].0.clone()).unwrap();
    let (expected, _) = observe(text.as_bytes(), b"", &recording);
    for place in ["Hello from", "msg_01UiPTfznQ", "\"type\":\"message\""] {
        let mut bytes = text.clone().into_bytes();
        let at = text.find(place).unwrap() + 3;
        bytes[at] = 0xff;
        let (facts, summary) = observe(&bytes, b"", &recording);
        assert_eq!(facts.len(), expected.len(), "{place}");
        assert_eq!(summary.bad_lines, 0, "{place}");
    }
}

#[test]
fn the_output_of_any_other_program_costs_a_counter() {
    let mut observer = Observer::new(Options { program: Some("make".to_owned()), ..Options::default() });
    observer.process_started(UnixNanos(5_000_000_000));
    assert!(!observer.output_is_unknown());
    for _ in 0..100 {
        observer.stdout(b"cc -c x.c\n", UnixNanos(6_000_000_000));
    }
    assert!(observer.output_is_unknown());
    observer.stdout(&recordings(&corpus())[0].streams[0].0, UnixNanos(6_000_000_000));
    assert_eq!(observer.drain(), []);
    assert_eq!(observer.wants_transcript(), None);
    let end = RunEnd { at: Some(UnixNanos(7_000_000_000)), exit_code: Some(2), ..RunEnd::default() };
    let (facts, summary) = observer.finish(end);
    check(&facts, "make");
    let [agent] = spans(&facts)[..] else { panic!("{facts:?}") };
    assert_eq!(agent.name(), "invoke_agent make");
    assert_eq!(agent.duration().as_secs(), 2);
    assert_eq!(summary.reason.as_deref(), Some("exit status 2"));
    assert_eq!((summary.bad_lines, summary.agent, summary.truncated), (0, None, false));
}

#[test]
fn after_a_gap_the_transcript_tells_what_was_not_seen() {
    let recording = small("two_tools");
    let stream = lines(&recording.streams[0].0);
    let mut observer = Observer::new(Options::default());
    observer.stdout(&stream[..3].concat(), UnixNanos(0));
    observer.stdout(&stream[3][..20], UnixNanos(0));
    observer.gap();
    observer.stdout(&stream[6][30..], UnixNanos(0));
    observer.stdout(&stream[7..].concat(), UnixNanos(0));
    recording.feed_transcripts(&mut observer);
    let (facts, summary) = observer.finish(RunEnd::default());
    check(&facts, "gap");
    assert_eq!((summary.chats, summary.tools), (3, 2));
    assert_eq!(summary.notes, [vigil_adapters::Note::Gap]);
}

#[test]
fn any_text_on_stderr_and_in_json_errors_is_bounded_and_keeps_the_contract() {
    let pieces: [&[u8]; 9] = [
        b"429 Too Many Requests, retrying in 5s\n",
        b"{\"type\":\"error\",\"message\":\"rate limit exceeded\"}\n",
        b"{\"type\":\"turn.failed\",\"error\":{\"message\":\"quota exceeded",
        b"You've hit your usage limit. Try again at 3:55 AM.\n",
        b"\xff\xfe\x00\x1b[31m{{{{[[[[\"\"\"\"",
        b"The model is overloaded. Please try again later.\n",
        b"\r\r\r\n\n\n",
        &[b'x'; 3000],
        b"gh: API rate limit exceeded for user ID 1. (HTTP 403)\n",
    ];
    let mut random = Random(7);
    for round in 0..60 {
        let program = ["make", "codex", "gemini", "claude"][random.below(4)];
        let mut observer = Observer::new(Options {
            program: Some(program.to_owned()),
            records_expected: program == "claude",
            utc_offset_seconds: [0, 19_800, -43_200, i32::MAX][random.below(4)],
            ..Options::default()
        });
        let mut at = 1_795_000_000_000_000_000_u64;
        observer.process_started(UnixNanos(at));
        let mut facts = Vec::new();
        for _ in 0..80 {
            let mut piece = pieces[random.below(pieces.len())].to_vec();
            let place = random.below(piece.len());
            if random.below(3) == 0 {
                piece[place] = random.below(256) as u8;
            }
            at += [0, 1, 1_000_000_000, 90_000_000_000][random.below(4)];
            match random.below(5) {
                0 | 1 => observer.stderr(&piece, UnixNanos(at)),
                2 => observer.stdout(&piece, UnixNanos(at)),
                3 => observer.quiet(UnixNanos(at)),
                _ => observer.stderr_gap(),
            }
            facts.extend(observer.drain());
        }
        let exit_code = Some([0, 1, 173][random.below(3)]);
        let (rest, summary) = observer.finish(RunEnd { at: Some(UnixNanos(at)), exit_code, ..RunEnd::default() });
        facts.extend(rest);
        check(&facts, &format!("round {round}"));
        assert!(summary.throttled.len() <= 16, "kinds are few: {:?}", summary.throttled);
    }
}

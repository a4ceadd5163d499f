//! Throttling in real recordings: from the stream, from stderr, and from the transcript on disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail, and say what they skip"
)]

use std::path::{Path, PathBuf};
use vigil_adapters::{Observer, Options, RunEnd, TranscriptFile};
use vigil_core::contract::{EventKind, SpanKind, attr, verify};
use vigil_core::fact::{EventRecord, Fact, Outcome, UnixNanos};
use vigil_core::id::{SpanContext, SpanId, TraceId};

/// Before any of the recordings was made.
const STARTED: UnixNanos = UnixNanos(1_795_200_000_000_000_000);
const SECOND: u64 = 1_000_000_000;
const RUN: SpanContext = SpanContext { trace_id: TraceId([1; 16]), span_id: SpanId([2; 8]) };

/// What a run said, and what is left of it.
#[derive(Default)]
struct Said<'a> {
    program: &'a str,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    transcript: Option<Vec<u8>>,
    exit_code: Option<i32>,
}

/// What was told of a run.
struct Seen {
    events: Vec<EventRecord>,
    error_type: Option<String>,
    /// Error types of the model calls, `-` for those that went well.
    chats: Vec<String>,
}

fn observe(said: &Said<'_>) -> Seen {
    let mut observer = Observer::new(Options {
        program: Some(said.program.to_owned()),
        agent_context: Some(RUN),
        records_expected: said.program == "claude",
        ..Options::default()
    });
    observer.process_started(STARTED);
    observer.stdout(&said.stdout, UnixNanos(STARTED.0 + SECOND));
    observer.stderr(&said.stderr, UnixNanos(STARTED.0 + 2 * SECOND));
    if let Some(transcript) = &said.transcript {
        observer.transcript(TranscriptFile::Main, transcript);
    }
    let mut facts = observer.drain();
    let at = Some(UnixNanos(STARTED.0 + 30_000 * SECOND));
    let (rest, _) = observer.finish(RunEnd { at, exit_code: said.exit_code, ..RunEnd::default() });
    facts.extend(rest);
    let mut seen = Seen { events: Vec::new(), error_type: None, chats: Vec::new() };
    for fact in facts {
        assert_eq!(verify(&fact, false), []);
        match fact {
            Fact::Event(event) if event.kind == EventKind::DownstreamRateLimit => seen.events.push(event),
            Fact::Ended(span) => {
                let error = match &span.outcome {
                    Outcome::Error(error) => Some(error.as_str().to_owned()),
                    _ => None,
                };
                match span.kind {
                    SpanKind::Agent => seen.error_type = error,
                    SpanKind::Chat => seen.chats.push(error.unwrap_or_else(|| "-".to_owned())),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    seen
}

/// `class outcome count` of each event.
fn told(seen: &Seen) -> Vec<String> {
    let shown = |event: &EventRecord| {
        let at = &event.attributes;
        let word = |key| at.str(key).unwrap_or("?").to_owned();
        let count = at.int(attr::VIGIL_THROTTLE_COUNT).unwrap_or(1);
        format!("{} {} {count}", word(attr::DOWNSTREAM_CLASSIFICATION), word(attr::VIGIL_THROTTLE_OUTCOME))
    };
    seen.events.iter().map(shown).collect()
}

fn recorded(tool: &'static str, name: &str) -> Option<Said<'static>> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/captures");
    let folder: PathBuf = captures.join(tool).join(name);
    let read = |name: &str| std::fs::read(folder.join(name));
    let Ok(stdout) = read("stdout.jsonl") else {
        eprintln!("skipped: no recording {tool}/{name} beside the workspace");
        return None;
    };
    let exit_code = read("exit_code").ok().and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
    Some(Said {
        program: tool,
        stdout,
        stderr: read("stderr.txt").unwrap_or_default(),
        transcript: read("transcript.jsonl").ok().filter(|_| tool == "claude"),
        exit_code,
    })
}

/// Claude Code: recording, events, error types of its calls, and of the run.
type Expected = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

const CLAUDE: &[Expected] = &[
    ("rate_limit_429_then_ok", &["rate_limit retried 1"; 2], &["-"], None),
    ("old_rate_limit_429_then_ok", &["rate_limit retried 1"; 2], &["-"], None),
    ("subscription_429_then_ok", &["rate_limit retried 1"], &["-"], None),
    ("overloaded_529_then_ok", &["overloaded retried 1"; 2], &["-"], None),
    (
        "rate_limit_429_forever_max2",
        &["rate_limit retried 1", "rate_limit retried 1", "rate_limit failed 1"],
        &["rate_limit"],
        Some("provider_rate_limit"),
    ),
    ("credit_balance_low", &["quota blocked 1"], &["quota"], Some("provider_quota")),
    ("usage_limit_subscription", &["quota blocked 1"], &["quota"], Some("provider_quota")),
    // The same with the program's own telemetry on.
    (
        "otel_429_forever",
        &["rate_limit retried 1", "rate_limit retried 1", "rate_limit failed 1"],
        &["rate_limit"],
        Some("provider_rate_limit"),
    ),
    ("otel_429_then_ok", &["rate_limit retried 1"; 2], &["-"], None),
    ("otel_credit_low", &["quota blocked 1"], &["quota"], Some("provider_quota")),
    ("otel_usage_limit", &["quota blocked 1"], &["quota"], Some("provider_quota")),
    // The stream of 2.0.50 tells of no attempts.
    ("otel_v2050_429_then_ok", &[], &["-"], None),
    // Warnings, allowed limits, and failures that are none of these.
    ("subscription_ok", &[], &["-"], None),
    ("subscription_warning", &[], &["-"], None),
    ("auth_401", &[], &["authentication"], Some("provider_auth")),
];

#[test]
fn t1_t5_claude_code_tells_what_throttled_it_and_only_what_ended_a_call_is_its_error() {
    for (name, events, chats, error_type) in CLAUDE {
        let Some(said) = recorded("claude", name) else { continue };
        let seen = observe(&said);
        assert_eq!(told(&seen), *events, "{name}");
        assert_eq!(seen.chats, *chats, "{name}");
        assert_eq!(seen.error_type.as_deref(), *error_type, "{name}");
    }
}

#[test]
fn claude_codes_transcript_alone_tells_the_same_as_its_stream() {
    for (name, events, chats, error_type) in CLAUDE {
        // Releases before 2.1.329 write no attempts to disk.
        let Some(said) = recorded("claude", name).filter(|said| said.transcript.is_some()) else { continue };
        if name.starts_with("old_") {
            continue;
        }
        let from_disk = observe(&Said { stdout: Vec::new(), stderr: Vec::new(), program: "claude", ..said });
        assert_eq!(told(&from_disk), *events, "{name}");
        assert_eq!(from_disk.chats, *chats, "{name}");
        assert_eq!(from_disk.error_type.as_deref(), *error_type, "{name}");
        let live = observe(&recorded("claude", name).unwrap());
        for (one, other) in from_disk.events.iter().zip(&live.events) {
            assert_eq!(one.span, other.span, "{name}");
            let shown =
                |event: &EventRecord| event.attributes.iter().map(|(k, v)| format!("{k} {v:?}")).collect::<Vec<_>>();
            assert_eq!(shown(one), shown(other), "{name}");
        }
    }
}

#[test]
fn t5_agents_without_an_adapter_tell_by_their_errors_and_their_stderr() {
    for (tool, name, events, error_type) in [
        ("codex", "rate_limit_429_then_ok", &["rate_limit retried 1", "rate_limit retried 1"][..], None),
        (
            "codex",
            "rate_limit_429_forever",
            &["rate_limit retried 1", "rate_limit failed 5"],
            Some("provider_rate_limit"),
        ),
        ("codex", "rate_limit_stream_failed", &["rate_limit retried 1"], None),
        ("codex", "usage_limit_reached", &["quota blocked 1"], Some("provider_quota")),
        ("codex", "otel_429_then_ok", &["rate_limit retried 1", "rate_limit retried 1"], None),
        ("codex", "otel_429_forever", &["rate_limit retried 1", "rate_limit failed 1"], Some("provider_rate_limit")),
        ("codex", "v063_usage_limit", &["quota blocked 1"], Some("provider_quota")),
        // It shows nothing of a refusal that it passed.
        ("codex", "v063_rate_limit_429_then_ok", &[], None),
        ("codex", "insufficient_quota", &["quota blocked 1"], Some("provider_quota")),
        // Refused with 503 four times, of which it shows nothing.
        ("codex", "overloaded_503_then_ok", &[], None),
        ("gemini", "overloaded_503_then_ok", &["overloaded retried 2"], None),
        ("gemini", "rate_limit_429_then_ok", &["rate_limit retried 2"], None),
        ("gemini", "rate_limit_429_plain_then_ok", &["rate_limit retried 2"], None),
        ("gemini", "otel_quota_day", &["quota blocked 1"], Some("provider_quota")),
        (
            "copilot",
            "rate_limit_429_forever",
            &["rate_limit retried 1", "rate_limit failed 5"],
            Some("provider_rate_limit"),
        ),
        ("copilot", "otel_429_forever", &["rate_limit retried 1", "rate_limit failed 5"], Some("provider_rate_limit")),
        // Plain text, and nothing on disk: its last words are all there is.
        ("claude", "rate_limit_429_forever_text", &["rate_limit failed 1"], Some("provider_rate_limit")),
        // It does not say whose model it asked.
        ("opencode", "rate_limit_429_forever", &["rate_limit failed 1"], Some("rate_limit")),
        ("gemini", "two_tools", &[], None),
        ("codex", "two_tools", &[], None),
        ("codex", "tool_error", &[], None),
        ("copilot", "two_tools", &[], None),
        ("qwen", "two_tools", &[], None),
    ] {
        let Some(said) = recorded(tool, name) else { continue };
        let seen = observe(&said);
        assert_eq!(told(&seen), events, "{tool}/{name}");
        assert_eq!(seen.error_type.as_deref(), error_type, "{tool}/{name}");
        for event in &seen.events {
            assert_eq!(event.span, Some(RUN), "{tool}/{name}");
        }
    }
}

// === without the recordings ===

fn text(program: &'static str, stderr: &str, exit_code: i32) -> Seen {
    observe(&Said { program, stderr: stderr.as_bytes().to_vec(), exit_code: Some(exit_code), ..Said::default() })
}

#[test]
fn t5_github_that_throttles_a_command_is_told_and_says_why_it_failed() {
    let seen = text("gh", "gh: API rate limit exceeded for user ID 4711. (HTTP 403)\n", 1);
    assert_eq!(told(&seen), ["rate_limit failed 1"]);
    let event = &seen.events[0].attributes;
    assert_eq!(event.str(attr::DOWNSTREAM_SERVICE), Some("github"));
    assert_eq!(event.str(attr::DOWNSTREAM_OPERATION), Some("command"));
    assert_eq!(seen.error_type.as_deref(), Some("rate_limit"));
}

#[test]
fn a_refusal_that_was_passed_is_told_and_does_not_take_the_blame() {
    let stderr = "npm warn 429 Too Many Requests - GET https://registry.example/x - retrying\n\
                  fatal: Authentication failed for 'https://github.com/a/b.git/'\n";
    let seen = text("make", stderr, 128);
    assert_eq!(seen.events.len(), 1);
    assert_eq!(seen.error_type.as_deref(), Some("git_auth"));
    let seen = text("make", "Error: 429 Too Many Requests\ntest result: FAILED. 3 passed; 1 failed\n", 2);
    assert_eq!(seen.error_type.as_deref(), Some("validation_failed"));
}

#[test]
fn the_same_said_a_hundred_times_is_bounded_and_counted() {
    let mut line = String::new();
    for attempt in 1..=100 {
        line.push_str(&format!(
            "remote: API rate limit exceeded, attempt {attempt}, retrying in 2 seconds (HTTP 429)\n"
        ));
    }
    let seen = text("gh", &line, 0);
    assert_eq!(told(&seen), ["rate_limit retried 100"]);
}

#[test]
fn what_an_agent_without_an_adapter_says_is_not_what_happened_to_it() {
    let lines = [
        r#"{"type":"thread.started","thread_id":"t"}"#,
        r#"{"type":"item.completed","item":{"type":"agent_message","text":"HTTP 429 Too Many Requests: rate limit exceeded"}}"#,
        r#"{"type":"item.completed","item":{"type":"command_execution","aggregated_output":"Error: rate limit exceeded (429)","exit_code":1}}"#,
        r#"{"type":"turn.completed","usage":{"input_tokens":1}}"#,
    ];
    let stdout = lines.join("\n").into_bytes();
    let seen = observe(&Said { program: "codex", stdout, exit_code: Some(0), ..Said::default() });
    assert_eq!(told(&seen), Vec::<String>::new());
}

#[test]
fn t4_no_byte_of_what_a_command_wrote_is_in_what_is_told() {
    const CANARY: &str = "c4n4ry";
    let stderr = format!(
        "https://generativelanguage.googleapis.com/v1beta/models?key={CANARY}: 429 Too Many Requests\n\
         Rate limit reached for gpt-5 in organization org-{CANARY} on tokens per min (TPM): Limit 30000, Used 29000. \
         Please try again in 1.5s. user {CANARY}@example.com at /home/{CANARY}/x\n\
         gh: API rate limit exceeded for user ID {CANARY}. authorization: token {CANARY}\n"
    );
    let stdout = format!("{{\"type\":\"error\",\"message\":\"429 rate limit exceeded for {CANARY}\"}}\n").into_bytes();
    let said = Said { program: "codex", stdout, stderr: stderr.into_bytes(), exit_code: Some(1), ..Said::default() };
    let seen = observe(&said);
    assert!(!seen.events.is_empty(), "there is something to leak from");
    for event in &seen.events {
        assert!(!format!("{event:?}").contains(CANARY), "{event:?}");
    }
}

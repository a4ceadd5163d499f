//! `vigil run` of a command that a service throttles: its stderr passes as it is, and what throttled it is told.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, measure time and start threads")]

mod common;

use common::{Scratch, attribute, collect, events, finish, recording, run_sh, spans, text, vigil};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const EVENT: &str = "downstream.rate_limit";
/// What GitHub's command line says when the limit of an hour is used up.
const GITHUB: &str = "gh: API rate limit exceeded for user ID 4711. (HTTP 403)";

/// `service class outcome count` of each event.
fn told(folder: &Path) -> Vec<String> {
    let shown = |event: &serde_json::Value| {
        let word = |name| attribute(event, name).unwrap_or_else(|| "-".to_owned());
        assert_eq!(event["severityNumber"], 17, "ERROR: {event}");
        [
            word("downstream.service"),
            word("downstream.classification"),
            word("vigil.throttle.outcome"),
            attribute(event, "vigil.throttle.count").unwrap_or_else(|| "1".to_owned()),
        ]
        .join(" ")
    };
    events(folder, EVENT).iter().map(shown).collect()
}

fn run(script: &str) -> (Scratch, std::process::Output) {
    let scratch = Scratch::new();
    let folder = scratch.join("otlp");
    let output = finish(run_sh(scratch.path(), &["--quiet", "--otlp-dir", folder.to_str().unwrap()], script));
    (scratch, output)
}

fn error_type(folder: &Path) -> Option<String> {
    attribute(&spans(folder)[0], "error.type")
}

#[test]
fn every_byte_of_stderr_passes_as_it_was_beside_stdout() {
    let scratch = Scratch::new();
    let bytes: Vec<u8> = (0..3_000_007_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect();
    fs::write(scratch.join("bytes"), &bytes).unwrap();
    let script = format!("cat '{0}' >&2 & cat '{0}'; wait", scratch.join("bytes").display());
    let output = finish(run_sh(scratch.path(), &["--quiet"], &script));
    assert!(output.status.success());
    assert!(output.stdout == bytes && output.stderr == bytes, "{} and {}", output.stdout.len(), output.stderr.len());
}

#[test]
fn stderr_arrives_when_it_is_written() {
    let scratch = Scratch::new();
    let mut command =
        run_sh(scratch.path(), &["-q"], "printf 'no newline' >&2; read answer; printf ' got %s' $answer >&2");
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut first = [0; 10];
    stderr.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"no newline");
    child.stdin.take().unwrap().write_all(b"it\n").unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " got it");
    assert!(collect(child).status.success());
}

#[test]
fn nobody_who_reads_stderr_means_a_closed_pipe_for_the_command_too() {
    let scratch = Scratch::new();
    let script = "trap '' PIPE; while echo x >&2 2>/dev/null; do :; done; echo noticed > noticed";
    let mut command = run_sh(scratch.path(), &["--quiet"], script);
    command.current_dir(scratch.path());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    common::wait(&mut child, Instant::now());
    assert_eq!(fs::read_to_string(scratch.join("noticed")).unwrap(), "noticed\n");
}

#[test]
fn what_is_left_behind_goes_on_writing_to_stderr() {
    let (_scratch, output) = run("(sleep 0.6; echo late >&2) & echo early >&2");
    assert_eq!(text(&output.stderr), "early\nlate\n");
}

#[test]
fn t1_t5_t7_a_command_that_github_throttles_is_told_with_what_became_of_it() {
    for (script, expected, why) in [
        (format!("echo '{GITHUB}' >&2; exit 1"), "github rate_limit failed 1", Some("rate_limit")),
        (format!("echo '{GITHUB}' >&2; exit 0"), "github rate_limit retried 1", None),
        (format!("echo '{GITHUB}'; exit 1"), "github rate_limit failed 1", Some("rate_limit")),
    ] {
        let (scratch, output) = run(&script);
        let folder = scratch.join("otlp");
        assert_eq!(told(&folder), [expected], "{script}");
        assert_eq!(error_type(&folder).as_deref(), why, "{script}");
        let root = &spans(&folder)[0];
        let event = &events(&folder, EVENT)[0];
        assert_eq!((&event["traceId"], &event["spanId"]), (&root["traceId"], &root["spanId"]), "{script}");
        assert_eq!(text(&output.stdout) + &text(&output.stderr), format!("{GITHUB}\n"), "{script}");
    }
}

#[test]
fn the_last_words_after_a_lot_of_output_are_seen() {
    let (scratch, output) = run(&format!("head -c 50000000 /dev/zero; sleep 0.05; echo '{GITHUB}'; exit 1"));
    assert_eq!(output.stdout.len(), 50_000_000 + GITHUB.len() + 1);
    assert_eq!(told(&scratch.join("otlp")), ["github rate_limit failed 1"]);
    let (scratch, _) = run(&format!("(head -c 50000000 /dev/zero; echo; echo '{GITHUB}') | cat; exit 1"));
    assert_eq!(told(&scratch.join("otlp")), ["github rate_limit failed 1"], "in one go with what came before");
}

#[test]
fn a_throttling_is_told_while_the_command_still_waits() {
    let scratch = Scratch::new();
    let folder = scratch.join("otlp");
    let script = format!("echo started; echo '{GITHUB} - retrying in 60 seconds' >&2; read never");
    let mut command = run_sh(scratch.path(), &["--quiet", "--otlp-dir", folder.to_str().unwrap()], &script);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdin = child.stdin.take();
    let began = Instant::now();
    while told(&folder).is_empty() {
        assert!(began.elapsed() < common::DEADLINE, "nothing was told while it ran");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(told(&folder), ["github rate_limit retried 1"]);
    drop(stdin);
    collect(child);
}

#[test]
fn the_same_a_hundred_times_is_few_events_that_stand_for_all_of_it() {
    let (scratch, _) = run(&format!("for n in $(seq 100); do echo '{GITHUB}, attempt '$n >&2; sleep 0.005; done"));
    let events = told(&scratch.join("otlp"));
    assert!(events.len() <= 2, "{events:?}");
    let counts = events.iter().map(|event| event.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), 100, "{events:?}");
}

#[test]
fn t7_talk_of_throttling_on_either_stream_is_none() {
    for script in [
        "echo 'test rate_limit_exceeded_is_retried ... ok' >&2; exit 1",
        "echo '   Compiling rate-limit v0.3.1' >&2",
        "echo 'HTTP 429 Too Many Requests: rate limit exceeded'",
        "echo 'error: no space left on device, disk quota exceeded' >&2; exit 1",
    ] {
        let (scratch, _) = run(script);
        assert_eq!(told(&scratch.join("otlp")), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn t4_no_secret_that_a_command_writes_is_in_anything_of_ours() {
    const CANARY: &str = "canary-51d7";
    let scratch = Scratch::new();
    let folder = scratch.join("otlp");
    let script = format!(
        "echo '429 Too Many Requests: https://generativelanguage.googleapis.com/v1/models?key={CANARY}' >&2
         echo 'Rate limit reached for gpt-5 in organization org-{CANARY} on tokens per min (TPM): Limit 1, Used 1' >&2
         echo 'gh: API rate limit exceeded for user ID {CANARY}. me@{CANARY}.example /home/{CANARY}/.netrc' >&2
         echo 'prompt: {CANARY}. authorization: Bearer {CANARY}'
         echo '{{\"type\":\"error\",\"message\":\"429 rate limit exceeded {CANARY}\",\"request_id\":\"{CANARY}\"}}'
         exit 1"
    );
    let mut command = run_sh(scratch.path(), &["--otlp-dir", folder.to_str().unwrap(), "--log", "json"], &script);
    command.env("A_TOKEN", CANARY);
    let output = finish(command);
    assert!(!told(&folder).is_empty(), "there is something to leak from");
    let own: Vec<_> =
        text(&output.stderr).lines().filter(|line| line.starts_with(['{', 'v', ' '])).map(str::to_owned).collect();
    assert!(own.len() > 2, "{own:?}");
    let own = own.join("\n");
    assert!(!own.contains(CANARY), "{own}");
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        assert!(!fs::read_to_string(entry.path()).unwrap().contains(CANARY), "{}", entry.path().display());
    }
}

#[test]
fn t8_the_summary_says_who_throttled() {
    let scratch = Scratch::new();
    let output = finish(run_sh(scratch.path(), &[], &format!("echo '{GITHUB}' >&2; exit 1")));
    assert!(
        text(&output.stderr).contains("throttled: github_rest rate_limit")
            || text(&output.stderr).contains("throttled: gh_cli rate_limit"),
        "{}",
        text(&output.stderr)
    );
    let output = finish(run_sh(scratch.path(), &["--json"], &format!("echo '{GITHUB}' >&2; exit 1")));
    let json = text(&output.stderr).lines().last().map(str::to_owned).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&summary["throttled"][0]["class"], &summary["throttled"][0]["times"]),
        (&"rate_limit".into(), &1.into())
    );
    assert_eq!(summary["error_type"], "rate_limit");
}

#[test]
fn claude_code_that_is_throttled_gives_the_same_live_and_imported() {
    let recorded = recording("rate_limit_429_forever_max2");
    let scratch = Scratch::new();
    let stream = recorded.join("stdout.jsonl");
    let script = format!("#!/bin/sh\ncat '{}'\nexit 1\n", stream.display());
    let claude = scratch.script("claude", &script);
    let (live, imported) = (scratch.join("live"), scratch.join("imported"));
    let mut command = vigil(scratch.path());
    command.args(["run", "--quiet", "--otlp-dir"]).arg(&live).arg("--").arg(claude).args(["-p", "x"]);
    assert_eq!(finish(command).status.code(), Some(1));
    let mut command = vigil(scratch.path());
    command.args(["import", "--quiet", "--otlp-dir"]).arg(&imported).arg(recorded.join("transcript.jsonl"));
    assert!(finish(command).status.success());
    let expected = ["provider rate_limit retried 1", "provider rate_limit retried 1", "provider rate_limit failed 1"];
    assert_eq!(
        (told(&live), told(&imported)),
        (expected.map(String::from).to_vec(), expected.map(String::from).to_vec())
    );
    let spans_of =
        |folder: &Path| events(folder, EVENT).iter().map(|event| event["spanId"].clone()).collect::<Vec<_>>();
    assert_eq!(spans_of(&live), spans_of(&imported));
    let root = spans(&live).into_iter().find(|span| span["name"] == "invoke_agent claude-code").unwrap();
    assert_eq!(attribute(&root, "error.type").as_deref(), Some("provider_rate_limit"));
}

//! `vigil classify` as scripts use it: exit status, a line, JSON, many lines.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_methods, reason = "tests start threads")]

mod common;

use common::{Scratch, vigil};
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};

/// Runs `vigil classify` with these arguments and this on stdin.
fn classify(arguments: &[&str], input: &[u8]) -> Output {
    let scratch = Scratch::new();
    let mut command = vigil(scratch.path());
    let mut child = command.arg("classify").args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_exit_status_tells_the_class() {
    for (arguments, input, status) in [
        (&["--tool", "gh"][..], "all is well\n", 0),
        (&["--tool", "gh"], "HTTP 403: API rate limit exceeded for user ID 1.\n", 10),
        (&["--tool", "claude"], "You've hit your limit \u{b7} resets 3pm (UTC)\n", 11),
        (&[], "API Error: 529 Overloaded\n", 12),
        (&["--status", "429"], "", 10),
        (&["--status", "403", "--header", "Retry-After: 60", "--service", "api.github.com"], "{}", 10),
        (&["--status", "200"], "429 Too Many Requests", 0),
    ] {
        let output = classify(arguments, input.as_bytes());
        assert_eq!(output.status.code(), Some(status), "{arguments:?} {input}: {}", text(&output.stdout));
        assert!(output.stderr.is_empty());
        assert_eq!(classify(&[arguments, &["--quiet"]].concat(), input.as_bytes()).stdout, b"");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["--status", "many"][..],
        &["--header", "no colon"],
        &["--jsonl", "--json"],
        &["--channel", "smoke"],
        &["file.txt"],
    ] {
        assert_eq!(classify(arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_verdict_that_cannot_be_written_is_said_to_be_lost() {
    for (arguments, input) in [(&["--json"][..], "x"), (&[], "x"), (&["--jsonl"], "{\"text\":\"x\"}\n")] {
        let scratch = Scratch::new();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = vigil(scratch.path());
        command.arg("classify").args(arguments).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("vigil: "), "{arguments:?}");
    }
}

#[test]
fn the_line_and_the_json_say_what_is_known() {
    let input = "You've hit your session limit \u{b7} resets 3pm (Asia/Tokyo)\n";
    let arguments = ["--tool", "claude", "--now", "1795249103"];
    let line = classify(&arguments, input.as_bytes());
    assert_eq!(
        text(&line.stdout),
        "quota: claude_code, subscription_window, resets 3pm (Asia/Tokyo), not retryable (prose.plan_window)\n"
    );
    let json = classify(&[&arguments[..], &["--json"]].concat(), input.as_bytes());
    let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(verdict["label"], "quota");
    assert_eq!(verdict["category"], "provider");
    assert_eq!(verdict["reset_at"], "3pm (Asia/Tokyo)");
    assert_eq!(verdict["reset_at_unix"], 1_795_327_200);
    assert_eq!(verdict["retryable"], false);
}

/// Seed T4: nothing of the text comes out.
#[test]
fn t4_nothing_of_the_text_is_printed() {
    let input = "Error: 429 Too Many Requests for https://api.example.com/?key=SECRET1 org-SECRET2 /home/SECRET3/x \
                 SECRET4@example.com resets 3pm (SECRET5) {\"type\": \"SECRET6\", \"code\": \"SECRET7\"} retry-after: SECRET8";
    for arguments in [
        &[][..],
        &["--json"],
        &["--status", "429", "--header", "x-ratelimit-reset: SECRET9", "--service", "SECRET10.example"],
    ] {
        let output = classify(arguments, input.as_bytes());
        assert_eq!(output.status.code(), Some(10));
        assert!(!text(&output.stdout).contains("SECRET") && output.stderr.is_empty(), "{}", text(&output.stdout));
    }
    let line = serde_json::json!({"id": 1, "tool": "SECRET", "service": "SECRET", "text": input});
    let output = classify(&["--jsonl"], line.to_string().as_bytes());
    assert!(!text(&output.stdout).contains("SECRET"), "{}", text(&output.stdout));
}

#[test]
fn every_line_in_has_a_line_out_and_a_broken_one_is_told_of() {
    let input = concat!(
        r#"{"id": "a", "http_status": 529, "text": ""}"#,
        "\n",
        "{broken\n",
        "\n",
        r#"{"id": 7, "channel": "cli_text", "tool": "git", "text": "a1b2c3d4e fix: 429s", "headers": null, "http_status": null}"#,
        "\n",
        r#"{"id": "c", "channel": "http", "http_status": 429, "headers": {"Retry-After": "2"}, "text": "", "service": "openai"}"#,
    );
    let output = classify(&["--jsonl"], input.as_bytes());
    let verdicts: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        verdicts.iter().map(|verdict| (verdict["id"].clone(), verdict["label"].as_str().unwrap())).collect();
    assert_eq!(told, [(Value::from("a"), "overloaded"), (Value::from(7), "none"), (Value::from("c"), "rate_limit")]);
    assert_eq!((verdicts[2]["service"].as_str(), verdicts[2]["retry_after_s"].as_f64()), (Some("openai"), Some(2.0)));
    assert!(text(&output.stderr).starts_with("vigil: line 2 is no JSON: "), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn megabytes_on_one_line_and_binary_are_read() {
    let mut input = vec![b'x'; 9 << 20];
    input.extend_from_slice(b" \xff\xfe\x00 API Error: 529 Overloaded");
    assert_eq!(classify(&[], &input).status.code(), Some(12));
    let line = format!("{{\"id\": 1, \"text\": \"{}\"}}", "429 ".repeat(1 << 18));
    let output = classify(&["--jsonl"], line.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scratch = Scratch::new();
    let mut child = vigil(scratch.path()).args(["classify", "--jsonl"]).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..1000 {
        if stdin.write_all(b"{\"text\": \"x\"}\n").is_err() {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

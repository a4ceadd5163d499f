//! `vigil demo` as a user meets it: the program itself, its output and its files.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail, measure time and start threads")]

mod common;

use common::{Scratch, finish, text, vigil};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Runs the demo with `folder/tmp` for its temporary files and no environment but `variables`.
fn demo(folder: &Scratch, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = vigil(folder.path());
    command.arg("demo").args(arguments).env("TMPDIR", temporary).envs(variables.iter().copied());
    finish(command)
}

fn stdout(output: &Output) -> String {
    text(&output.stdout)
}

fn stderr(output: &Output) -> String {
    text(&output.stderr)
}

/// A server that takes every request, answers `answer`, and tells what it got: the head and the body.
fn server(answer: &'static str) -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, sender) = (connection.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
                let mut body = Vec::new();
                reader.take(length.unwrap_or(0)).read_to_end(&mut body).unwrap();
                drop(sender.send((head, body)));
                drop(write!(
                    connection,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                ));
            });
        }
    });
    (url, receiver)
}

#[test]
fn without_an_endpoint_the_run_is_shown_as_a_tree_with_its_totals() {
    let folder = Scratch::new();
    let started = Instant::now();
    let output = demo(&folder, &[], &[]);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let shown = stdout(&output);
    for part in [
        "scripted server",
        "invoke_agent auditor",
        "│   └ invoke_agent helper",
        "tool_error, exit 1",
        "explore → execute",
        "execute → verify",
        "task_success: pass (1.0)",
        "1 retry",
        "4 turns, 6 chats (1 retry), 9 tool calls (1 failed), 1 sub-agent",
        "19 calls allowed, 0 denied, 0 over budget",
        "sovereign → conserving",
        "chat claude-haiku-5-5",
        "11,103 in (7,041 from the cache), 462 out",
        "nothing was sent",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    assert!(!shown.contains('\u{1b}'));
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
}

#[test]
fn otlp_files_hold_the_spans_with_their_parents_and_the_events_and_metrics() {
    let folder = Scratch::new();
    let directory = folder.join("otlp");
    let output = demo(&folder, &["--otlp-dir", directory.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("delivered to "), "{}", stdout(&output));

    let mut spans: HashMap<String, (String, String)> = HashMap::new();
    for span in common::spans(&directory) {
        let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
        spans.insert(text("spanId"), (text("name"), text("parentSpanId")));
    }
    assert!(fs::read_to_string(directory.join("traces.jsonl")).unwrap().contains("\"vigil-demo\""));
    assert_eq!(spans.len(), 62);
    let parent = |name: &str| -> Vec<&str> {
        let all = spans.values().filter(|span| span.0 == name);
        let mut all: Vec<_> = all.map(|span| spans.get(&span.1).map_or("", |parent| parent.0.as_str())).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    assert_eq!(parent("invoke_agent auditor"), [""]);
    assert_eq!(parent("turn 4"), ["invoke_agent auditor"]);
    assert_eq!(parent("phase reflect"), ["turn 1", "turn 2", "turn 3", "turn 4"]);
    assert_eq!(parent("chat claude-sonnet-5-5"), ["phase deliberate"]);
    assert_eq!(parent("approval run_command"), ["phase gate"]);
    assert_eq!(parent("execute_tool delegate"), ["phase execute"]);
    assert_eq!(parent("invoke_agent helper"), ["execute_tool delegate"]);
    assert_eq!(parent("chat gpt-6-luna"), ["invoke_agent helper"]);
    assert_eq!(parent("capability fs.write"), ["execute_tool write_file"]);
    assert_eq!(parent("capability process.run"), ["execute_tool run_command"]);
    assert_eq!(parent("cleanup scratch_folder"), ["invoke_agent auditor"]);

    let logs = fs::read_to_string(directory.join("logs.jsonl")).unwrap();
    for event in ["vigil.mode.transition", "gen_ai.evaluation.result", "vigil.retry", "vigil.span.started"] {
        assert!(logs.contains(event), "{event}");
    }
    let metrics = fs::read_to_string(directory.join("metrics.jsonl")).unwrap();
    assert!(metrics.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    for metric in ["gen_ai.invoke_agent.duration", "life.budget.tokens_remaining"] {
        assert!(metrics.contains(metric), "{metric} is not in {metrics}");
    }
}

#[test]
fn a_policy_shows_calls_that_are_allowed_denied_and_exhausted() {
    let folder = Scratch::new();
    let policy = folder.join("policy.json");
    let rules = r#"{ "rules": { "llm.call": {}, "fs.read": {}, "fs.write": { "budget": 1 }, "process.run": {} },
                    "fs_policy": { "read": ["logs/monday.log"] } }"#;
    fs::write(&policy, rules).unwrap();
    let output = demo(&folder, &["--policy", policy.to_str().unwrap()], &[]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for part in ["16 calls allowed, 2 denied, 1 over budget", "0 calls left", "budget_exceeded", "task_success: fail"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let free = stdout(&demo(&folder, &["--policy", "allow-all"], &[]));
    assert!(free.contains("19 calls allowed, 0 denied, 0 over budget") && free.contains("passed its check"), "{free}");
    let output = demo(&folder, &["--policy", "deny-all", "--json"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["gate"], serde_json::json!({ "allowed": 0, "denied": 2, "exceeded": 0 }));
    assert_eq!(told["error"], "llm.call is denied: it has no rule, and default_allow is false");
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_policy_that_is_none_is_told_with_its_place_before_anything_is_done() {
    let folder = Scratch::new();
    let policy = folder.join("policy.json");
    fs::write(&policy, "{\n  \"rules\": { \"fs.raed\": {} }\n}").unwrap();
    let output = demo(&folder, &["--policy", policy.to_str().unwrap()], &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()));
    let told = stderr(&output);
    let expected = "line 2, column 14: rules.fs.raed: unknown capability; was `fs.read` meant?";
    assert!(told.contains(expected), "{told}");
    assert_eq!(demo(&folder, &["--policy", "/no/such/file"], &[]).status.code(), Some(2));
}

#[test]
fn no_secret_and_no_word_of_prompts_files_and_results_is_in_any_output() {
    const CANARY: &str = "canary-9f3c2a";
    let folder = Scratch::new();
    let directory = folder.join("otlp");
    let variables = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "SECRET", "OTEL_EXPORTER_OTLP_HEADERS"];
    let mut variables: Vec<_> = variables.iter().map(|name| (*name, "authorization=canary-9f3c2a")).collect();
    let (url, requests) = server("");
    variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &url));
    for arguments in [&[][..], &["--json"]] {
        for format in ["pretty", "json"] {
            let arguments = [&["--otlp-dir", directory.to_str().unwrap()], arguments].concat();
            let output = demo(&folder, &arguments, &[&variables[..], &[("VIGIL_LOG_FORMAT", format)]].concat());
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            assert!(stderr(&output).contains("chat claude-sonnet-5-5"), "{}", stderr(&output));
            let bodies: Vec<u8> = requests.try_iter().flat_map(|(_, body)| body).collect();
            assert!(!bodies.is_empty());
            let mut everything = stdout(&output) + &stderr(&output) + &String::from_utf8_lossy(&bodies);
            for file in ["traces.jsonl", "logs.jsonl", "metrics.jsonl"] {
                everything += &fs::read_to_string(directory.join(file)).unwrap();
            }
            // The key, the prompt, a log's line, a written file, an argument, a command's stderr, an answer.
            for secret in [
                CANARY,
                "Write report.md",
                "You audit logs",
                "mailbox full",
                "The logs of this week",
                "Count the lines",
                "the number of errors in report.md is wrong",
                "3 on Monday",
            ] {
                assert!(!everything.contains(secret), "{secret}");
            }
        }
    }
}

#[test]
fn with_an_endpoint_every_signal_is_delivered_and_the_output_says_where() {
    let folder = Scratch::new();
    let (url, requests) = server("");
    let output = demo(&folder, &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains(&format!("delivered to {url} (http/protobuf): 62 spans")), "{}", stdout(&output));
    let heads: String = requests.try_iter().map(|(head, _)| head).collect();
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        assert!(heads.contains(&format!("POST {path} ")), "{heads}");
    }
}

#[test]
fn an_endpoint_nobody_answers_at_is_told_and_ends_with_status_3() {
    let folder = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let started = Instant::now();
    let output = demo(&folder, &[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stdout(&output).contains("not delivered whole"), "{}", stdout(&output));
    assert!(stdout(&output).contains("invoke_agent auditor"));
}

#[test]
fn json_is_one_object_with_the_spans_and_what_became_of_them() {
    let folder = Scratch::new();
    let output = demo(&folder, &["--json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["scripted"], &told["passed"]), (&Value::Bool(true), &Value::Bool(true)));
    let spans = told["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 62);
    assert_eq!(spans[0]["name"], "invoke_agent auditor");
    assert_eq!(spans[0]["attributes"]["vigil.usage.input_tokens"], 11_103);
    assert!(spans.iter().all(|span| span["duration_ms"].is_number()));
    assert_eq!(told["delivery"]["destinations"], serde_json::json!([]));
}

#[test]
fn with_telemetry_disabled_the_agent_runs_all_the_same() {
    let folder = Scratch::new();
    let output = demo(&folder, &[], &[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    assert!(shown.contains("done: the report passed its check") && shown.contains("No spans were recorded"), "{shown}");
}

#[test]
fn a_trace_that_is_going_on_is_continued() {
    let folder = Scratch::new();
    let parent = ("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let told: Value = serde_json::from_slice(&demo(&folder, &["--json"], &[parent]).stdout).unwrap();
    assert_eq!(told["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(told["spans"][0]["parent_span_id"], "b7ad6b7169203331");
    assert!(stdout(&demo(&folder, &[], &[parent])).contains("invoke_agent auditor"));
}

#[test]
fn live_asks_the_server_that_is_named_and_shows_its_key_to_nobody_else() {
    let folder = Scratch::new();
    let (url, requests) = server(
        r#"data: {"type":"message_start","message":{"id":"msg_7","model":"m-1","usage":{"input_tokens":9,"output_tokens":1}}}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9,"output_tokens":4}}

data: {"type":"message_stop"}

"#,
    );
    let variables =
        [("ANTHROPIC_API_KEY", "the-secret-key"), ("ANTHROPIC_BASE_URL", &url), ("HTTP_PROXY", "http://127.0.0.1:1")];
    let output = demo(&folder, &["--live", "--model", "m-1"], &variables);
    let shown = stdout(&output) + &stderr(&output);
    // This model never checks its work, and that is what is said.
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("Its model is m-1, asked for real.") && shown.contains("never checked"), "{shown}");
    assert!(shown.contains("chat m-1") && shown.contains("9 in, 4 out"), "{shown}");
    assert!(!shown.contains("the-secret-key"));
    let (head, body) = requests.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(head.starts_with("POST /v1/messages ") && head.contains("the-secret-key"), "{head}");
    assert!(!String::from_utf8_lossy(&body).contains("the-secret-key"));
}

#[test]
fn wrong_usage_is_status_2_and_says_what_is_missing() {
    let folder = Scratch::new();
    let output = demo(&folder, &["--live"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ANTHROPIC_API_KEY or OPENAI_API_KEY"), "{}", stderr(&output));
    assert_eq!(demo(&folder, &["--model", "m"], &[]).status.code(), Some(2));
    assert_eq!(demo(&folder, &["--no-such-option"], &[]).status.code(), Some(2));
}

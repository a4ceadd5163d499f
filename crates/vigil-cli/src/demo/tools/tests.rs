use super::*;
use crate::demo::economy;
use crate::demo::policy;
use crate::demo::scratch::Scratch;
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vigil::testing;

fn scratch() -> (Scratch, Tools) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("vigil-demo-tools-test-{}-{number}", std::process::id());
    let scratch = Scratch::create(&std::env::temp_dir(), &name).unwrap();
    let tools = tools_with(&scratch, policy::BUILT_IN);
    (scratch, tools)
}

fn tools_with(scratch: &Scratch, policy: &str) -> Tools {
    Tools::new(Some(scratch.path()), policy.parse().unwrap(), &economy::budget(true), &Events::Unkept).unwrap()
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: "call-1".into(), name: name.into(), arguments }
}

fn run(tools: &Tools, name: &str, arguments: Value) -> Outcome {
    let telemetry = testing::recorder();
    let span = telemetry.tool_span(name, "call-1");
    tools.run(&span, &call(name, arguments)).unwrap()
}

#[test]
fn files_are_listed_read_and_written() {
    let (scratch, tools) = scratch();
    assert_eq!(run(&tools, "list_files", json!({})).text, "check.sh\nlogs/monday.log\nlogs/tuesday.log");
    assert!(run(&tools, "read_file", json!({ "path": "logs/monday.log" })).text.contains("mailbox full"));
    assert_eq!(
        run(&tools, "write_file", json!({ "path": "report.md", "content": "errors: 5" })),
        Outcome::ok("written")
    );
    assert_eq!(fs::read_to_string(scratch.path().join("report.md")).unwrap(), "errors: 5");
    assert_eq!(tools.clean_up().unwrap(), 4);
    assert!(!scratch.path().exists());
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let (scratch, tools) = scratch();
    symlink("/etc/hostname", scratch.path().join("link")).unwrap();
    symlink("/etc", scratch.path().join("folder")).unwrap();
    for path in ["/etc/hostname", "../x", "logs/../../x", "link", "folder/hostname", "", ".", "..", "no/such"] {
        let read = run(&tools, "read_file", json!({ "path": path }));
        let written = run(&tools, "write_file", json!({ "path": path, "content": "x" }));
        assert_eq!((read.status, written.status), (ToolStatus::Error, ToolStatus::Error), "{path}");
    }
    assert!(!run(&tools, "list_files", json!({})).text.contains("hostname"));
}

#[test]
fn a_command_tells_how_it_ended_and_only_known_ones_are_run() {
    let (scratch, tools) = scratch();
    let refused = run(&tools, "run_command", json!({ "command": "sh -c id" }));
    assert_eq!((refused.status, refused.exit_code), (ToolStatus::Error, None));
    assert_eq!(refused.refusal, Some(ErrorType::DENIED));
    let failed = run(&tools, "run_command", json!({ "command": "sh check.sh" }));
    assert_eq!((failed.status, failed.exit_code), (ToolStatus::Error, Some(1)));
    assert!(failed.text.contains("report.md is wrong"), "{}", failed.text);
    fs::write(scratch.path().join("report.md"), "errors: 5\n").unwrap();
    let passed = run(&tools, "run_command", json!({ "command": "sh check.sh" }));
    assert_eq!(passed, Outcome { exit_code: Some(0), ..Outcome::ok("report.md is right\n") });
}

#[test]
fn a_command_continues_the_trace_and_sees_nothing_else_of_the_environment() {
    let (scratch, tools) = scratch();
    fs::write(scratch.path().join("check.sh"), "env").unwrap();
    let telemetry = testing::recorder();
    let span = telemetry.tool_span("run_command", "call-1");
    let outcome = tools.run(&span, &call("run_command", json!({ "command": "sh check.sh" }))).unwrap();
    let trace = span.context().trace_id;
    assert!(outcome.text.contains(&format!("TRACEPARENT=00-{trace}-")), "{}", outcome.text);
    assert!(!outcome.text.contains("CARGO"), "{}", outcome.text);
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_it_started() {
    let (scratch, _) = scratch();
    let tools = tools_with(&scratch, r#"{"rules": {"process.run": {}}, "process_policy": {"timeout_ms": 200}}"#);
    fs::write(scratch.path().join("check.sh"), "sleep 60 & sleep 60").unwrap();
    let started = Instant::now();
    let outcome = run(&tools, "run_command", json!({ "command": "sh check.sh" }));
    assert_eq!(outcome.status, ToolStatus::Timeout);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_policy_lets_the_report_be_written_and_the_check_be_run_and_no_more() {
    let (scratch, tools) = scratch();
    let decide = |tools: &Tools, name| tools.decide(&call(name, Value::Null));
    assert_eq!(decide(&tools, "read_file"), None);
    assert_eq!(decide(&tools, "write_file"), Some(Decision::Accept));
    let strict = tools_with(&scratch, "{}");
    assert_eq!(decide(&strict, "run_command"), Some(Decision::Reject));
    let write = |path: &str| run(&tools, "write_file", json!({ "path": path, "content": "x" })).refusal;
    assert_eq!((write("report.md"), write("check.sh")), (None, Some(ErrorType::DENIED)));
    let command = |command: &str| run(&tools, "run_command", json!({ "command": command })).refusal;
    assert_eq!((command("sh check.sh"), command("sh check.sh; id")), (None, Some(ErrorType::DENIED)));
}

#[test]
fn a_call_beyond_its_budget_is_refused_as_such() {
    let (scratch, _) = scratch();
    let tools = tools_with(&scratch, r#"{"rules": {"fs.write": {"budget": 1}}}"#);
    let write = || run(&tools, "write_file", json!({ "path": "report.md", "content": "x" })).refusal;
    assert_eq!((write(), write()), (None, Some(ErrorType::BUDGET_EXHAUSTED)));
}

#[test]
fn an_unknown_tool_and_a_missing_argument_are_told_apart() {
    let (_scratch, tools) = scratch();
    let telemetry = testing::recorder();
    let span = telemetry.tool_span("unknown", "call-1");
    assert_eq!(tools.run(&span, &call("fly", json!({}))), None);
    assert_eq!(run(&tools, "read_file", json!({ "file": "x" })), Outcome::failed("the argument `path` is missing"));
}

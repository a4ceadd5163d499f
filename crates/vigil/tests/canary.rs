//! Content is private until someone opens it: no secret byte leaves by any path with default settings.
//!
//! Every path a byte can take out of the process is watched: request bodies and headers, the structured log
//! in both formats, the folder of OTLP/JSON, stderr and stdout.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Answer, Server};
use vigil::gateway::{
    CommandRequest, Fetch, FetchRequest, Gateway, Policy, ReadFile, RunCommand, RuntimeError, WriteFile, WriteRequest,
};
use vigil::{Budget, CapabilityError, Content, ErrorType, Evaluation, Limits, Provider};

const CANARY: &str = "c4n4ry-5ecret";

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says a secret wherever free text can be said.
fn tell_secrets(telemetry: &vigil::Telemetry) {
    let secret = || CANARY.to_owned();
    let agent = telemetry.agent_span("session", "agent");
    let chat = agent.chat_span(Provider::ANTHROPIC, "model");
    for content in [
        Content::InputMessages,
        Content::OutputMessages,
        Content::SystemInstructions,
        Content::ToolDefinitions,
        Content::ToolArguments,
        Content::ToolResult,
        Content::ErrorMessage,
    ] {
        chat.record_content(content, secret);
    }
    chat.fail_with(ErrorType::SERVER_ERROR, secret);
    let tool = agent.tool_span("tool", "call");
    tool.record_content(Content::ToolArguments, secret);
    // A provider's code that is no code: it is made harmless before it is recorded.
    tool.fail(ErrorType::from_code(&format!("{CANARY} with spaces, as in a message")));
    agent.capability_span("fs.read").fail_capability(CapabilityError::RuntimeError);
    call_with_secrets(&agent);
    agent.record_evaluation(&Evaluation {
        name: "quality",
        score: Some(1.0),
        label: None,
        evaluator: None,
        ..Evaluation::default()
    });
    tell_of_throttling(&agent);
    agent.finish();
}

/// Calls through the gateway whose every argument, result and error is a secret, admitted and refused by every rule.
fn call_with_secrets(agent: &vigil::Span) {
    let policy = Policy::deny_all().allow("db.query", 3).allow("fs.read", 0).allow("fs.write", 0);
    let mut policy = policy.allow("process.run", 0).allow("net.fetch", 0);
    policy.files.read.push("nowhere/**".parse().unwrap());
    policy.processes.commands.push("echo *".parse().unwrap());
    let folder = std::env::temp_dir().join(format!("vigil-{CANARY}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(CANARY), CANARY).unwrap();
    let budget = Budget::new(Limits::none().tool_calls(1));
    let strict = Gateway::builder(policy).folder(&folder).budget(&budget).build();
    let free = Gateway::builder(Policy::allow_all()).folder(&folder).build();
    let mut outcomes = Vec::new();
    for gateway in [&strict, &free] {
        let query = |_: &str| Ok::<_, std::io::Error>(CANARY.to_owned());
        outcomes.push(gateway.call(agent, "db.query", CANARY, query).is_ok());
        outcomes.push(gateway.call(agent, "db.query", CANARY, |_| Err::<(), _>(CANARY)).is_ok());
        let error = RuntimeError::new(ErrorType::from_code(&format!("{CANARY} in words")), CANARY);
        outcomes.push(gateway.call(agent, "db.query", CANARY, |_| Err::<(), _>(error)).is_ok());
        outcomes.push(gateway.call(agent, "db.query", CANARY, query).is_ok());
        outcomes.push(gateway.call(agent, "random", CANARY, query).is_ok());
        outcomes.push(gateway.run(agent, &ReadFile, std::path::Path::new(CANARY)).is_ok());
        outcomes.push(gateway.run(agent, &WriteFile, WriteRequest::new(format!("{CANARY}-2"), CANARY)).is_ok());
        let command = CommandRequest::new("echo", [CANARY]).input(CANARY);
        outcomes.push(gateway.run(agent, &RunCommand, command).is_ok());
        outcomes.push(gateway.run(agent, &RunCommand, CommandRequest::new(CANARY, [CANARY])).is_ok());
        let request = FetchRequest::post(format!("http://{CANARY}.invalid/{CANARY}?{CANARY}"), CANARY);
        outcomes.push(gateway.run(agent, &Fetch::new(), request.header("authorization", CANARY)).is_ok());
        budget.admit_tool(agent).map(|admission| admission.settle(agent)).ok();
    }
    // Both sorts of ends were seen.
    assert!(outcomes.contains(&true) && outcomes.contains(&false));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Says the secret in every text a verdict is made from: bodies, headers, hosts, error messages.
fn tell_of_throttling(agent: &vigil::AgentSpan) {
    let texts = [
        format!(
            "{{\"error\":{{\"type\":\"rate_limit_error\",\"code\":\"{CANARY}\",\"message\":\"org-{CANARY} is limited\"}}}}"
        ),
        format!("429 Too Many Requests: https://generativelanguage.googleapis.com/v1beta/models?key={CANARY}"),
        format!("Rate limit reached for {CANARY} in organization org-{CANARY} on tokens per min: Limit 1, Used 1"),
        format!("API rate limit exceeded for user ID {CANARY}. me@{CANARY}.example /home/{CANARY}/.netrc"),
        format!("You've hit your usage limit, {CANARY}. Try again at {CANARY} 3pm ({CANARY})"),
        format!("prompt: {CANARY}; authorization: Bearer {CANARY}; 503 model is overloaded ({CANARY})"),
    ];
    let mut judged = 0;
    for text in &texts {
        let headers = [
            ("retry-after", CANARY),
            ("x-ratelimit-reset", CANARY),
            ("x-codex-rate-limit-reached-type", CANARY),
            ("x-amzn-errortype", CANARY),
            (CANARY, "0"),
        ];
        let host = format!("{CANARY}.openai.azure.com");
        let verdicts = [
            vigil::throttle::classify_http(429, headers, text.as_bytes()),
            vigil::throttle::classify_response(&host, 429, headers, text.as_bytes()),
            vigil::throttle::classify_error(text, Some(429)),
            vigil::throttle::classify_error(text, None),
        ];
        for throttle in verdicts.iter().flatten() {
            assert_clean("a verdict", format!("{throttle:?}").as_bytes());
            agent.throttled(throttle, vigil::throttle::ThrottleOutcome::Failed);
            judged += 1;
        }
        agent.record_headroom(&host, [("x-ratelimit-limit-requests", CANARY), ("x-ratelimit-remaining-requests", "1")]);
    }
    assert!(judged >= texts.len(), "there is something to leak from");
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let found = bytes.windows(CANARY.len()).position(|window| window == CANARY.as_bytes());
    assert_eq!(found, None, "the canary is in {what}");
}

#[test]
fn no_secret_leaves_by_request_log_or_file() {
    for format in [vigil::LogFormat::Pretty, vigil::LogFormat::Json] {
        let (server, log) = (Server::start(Answer::Ok), Kept::default());
        let folder = std::env::temp_dir().join(format!("vigil-canary-{}-{format:?}", std::process::id()));
        let telemetry = vigil::from_env("test")
            .environment([("OTEL_EXPORTER_OTLP_HEADERS".to_owned(), format!("authorization={CANARY}"))])
            .endpoint(server.url())
            .otlp_dir(&folder)
            .call_lines(folder.with_extension("calls"))
            .log_format(format)
            .log_writer(log.clone())
            .start();
        tell_secrets(&telemetry);
        let receipt = telemetry.shutdown(Duration::from_secs(5));
        assert!(receipt.is_complete(), "{receipt}");
        assert_clean(
            "the receipt",
            format!("{receipt} {receipt:?} {telemetry:?} {:?}", telemetry.destinations()).as_bytes(),
        );
        assert_clean("the log", &log.0.lock().unwrap());
        assert!(!log.0.lock().unwrap().is_empty());
        let requests = server.requests();
        assert!(requests.len() >= 3);
        for request in &requests {
            assert_clean("a request's body", &request.body);
            // The header that was asked for is the one place where it belongs.
            for (name, value) in request.headers.iter().filter(|(name, _)| name != "authorization") {
                assert_clean(name, value.as_bytes());
            }
        }
        let mut files = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            assert_clean("a file", &std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert_eq!(files, 3);
        let calls = folder.with_extension("calls");
        assert_clean("the lines of calls", &std::fs::read(&calls).unwrap());
        assert!(!std::fs::read(&calls).unwrap().is_empty());
        std::fs::remove_file(calls).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn no_secret_shows_on_stderr_or_stdout_whatever_is_wrong_with_the_settings() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_with_wrong_settings", "--ignored", "--nocapture"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://user:{CANARY}@127.0.0.1:9"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization={CANARY},{CANARY},bad name={CANARY}"))
        .env("OTEL_RESOURCE_ATTRIBUTES", CANARY)
        .env("A_SECRET_OF_THE_HOST", CANARY)
        .env("VIGIL_LOG_FORMAT", "pretty")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("vigil: "), "the child said what is wrong");
    assert_clean("stderr", &output.stderr);
    assert_clean("stdout", &output.stdout);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn child_with_wrong_settings() {
    let telemetry = vigil::from_env("child").start();
    tell_secrets(&telemetry);
    telemetry.shutdown(Duration::from_millis(300));
}

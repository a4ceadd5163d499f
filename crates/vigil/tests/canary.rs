//! Content is private until someone opens it: no secret byte leaves by any path with default settings.
//!
//! Every path a byte can take out of the process is watched: request bodies and headers, the structured log
//! in both formats, the folder of OTLP/JSON, stderr and stdout.

mod support;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Answer, Server};
use vigil::{CapabilityError, Content, ErrorType, Evaluation, Provider};

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
    agent.record_evaluation(&Evaluation { name: "quality", score: Some(1.0), label: None, evaluator: None });
    agent.finish();
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

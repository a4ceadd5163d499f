use super::*;
use crate::demo::script::{HELPER_MODEL, MAIN_MODEL};
use crate::demo::server::ScriptedServer;
use std::io::Write;
use std::net::TcpListener;
use std::thread;

/// Asks behind a gateway that allows everything.
fn ask(model: &Model, request: &Request<'_>) -> Result<Reply, ModelError> {
    let telemetry = vigil::testing::recorder();
    let chat = telemetry.chat_span(model.provider(), model.name());
    model.ask(&Gateway::new(vigil::gateway::Policy::allow_all()), &chat, request)
}

const TOOLS: &[ToolDefinition] = &[ToolDefinition { name: "read_file", description: "Reads.", arguments: &["path"] }];

fn request<'a>(messages: &'a [Message], stream: bool) -> Request<'a> {
    Request { system: "You help.", messages, tools: TOOLS, max_tokens: 100, stream }
}

fn conversation() -> Vec<Message> {
    let call = |arguments| ToolCall { id: "c1".into(), name: "read_file".into(), arguments };
    let result = |failed| ToolResult { call_id: "c1".into(), text: "5".into(), failed };
    vec![
        Message::User("count".into()),
        Message::Assistant { text: "I look.".into(), calls: vec![call(json!({ "path": "a" }))] },
        Message::Results(vec![result(false)]),
        Message::Assistant { text: String::new(), calls: vec![call(Value::Null)] },
        Message::Results(vec![result(true)]),
    ]
}

#[test]
fn a_streamed_answer_is_the_same_as_one_in_one_piece_in_both_protocols() {
    let server = ScriptedServer::start().unwrap();
    for (protocol, url) in [(Protocol::Anthropic, server.anthropic_url()), (Protocol::OpenAi, server.openai_url())] {
        for name in [MAIN_MODEL, HELPER_MODEL] {
            let model = Model::new(protocol, &url, "key", name);
            let messages = [Message::User("count".into())];
            let whole = ask(&model, &request(&messages, false)).unwrap();
            let streamed = ask(&model, &request(&messages, true)).unwrap();
            assert!(streamed.time_to_first_chunk.is_some());
            assert_eq!(Reply { time_to_first_chunk: None, ..streamed }, whole);
            assert_eq!(whole.calls.len(), 2);
            assert_eq!(whole.finish, FinishReason::ToolCall);
            assert_eq!(whole.model, name);
        }
    }
}

#[test]
fn usage_is_inclusive_whatever_the_provider_counts() {
    let server = ScriptedServer::start().unwrap();
    let messages = conversation();
    for (protocol, url) in [(Protocol::Anthropic, server.anthropic_url()), (Protocol::OpenAi, server.openai_url())] {
        let reply = ask(&Model::new(protocol, &url, "key", MAIN_MODEL), &request(&messages, true)).unwrap();
        assert_eq!((reply.usage.input(), reply.usage.output()), (Some(44 + 2144 + 233), Some(158)));
        assert_eq!(reply.usage.cache_read_tokens(), Some(2144));
    }
}

#[test]
fn a_conversation_is_written_as_anthropic_wants_it() {
    let body = anthropic::body("m", &request(&conversation(), true));
    assert_eq!(body["system"], "You help.");
    assert_eq!(body["messages"][1]["content"][1]["input"], json!({ "path": "a" }));
    assert_eq!(body["messages"][2]["content"][0]["is_error"], false);
    assert_eq!(
        body["messages"][3]["content"],
        json!([{ "type": "tool_use", "id": "c1", "name": "read_file", "input": {} }])
    );
    assert_eq!(body["tools"][0]["input_schema"]["required"], json!(["path"]));
}

#[test]
fn a_conversation_is_written_as_openai_wants_it() {
    let body = openai::body("m", &request(&conversation(), true));
    assert_eq!(body["messages"][0], json!({ "role": "system", "content": "You help." }));
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"path":"a"}"#);
    assert_eq!(body["messages"][3], json!({ "role": "tool", "tool_call_id": "c1", "content": "5" }));
    assert_eq!(body["stream_options"]["include_usage"], true);
}

#[test]
fn a_busy_server_says_when_to_come_back_and_one_without_an_answer_is_not_asked_again() {
    let server = ScriptedServer::start().unwrap();
    let model = Model::new(Protocol::Anthropic, &server.anthropic_url(), "key", MAIN_MODEL);
    let messages = &conversation()[..3];
    let error = ask(&model, &request(messages, true)).unwrap_err();
    assert_eq!((error.kind.clone(), error.retry_after), (ErrorType::OVERLOADED, Some(Duration::from_millis(60))));
    assert!(error.is_retryable());
    assert!(ask(&model, &request(messages, true)).is_ok());
    let error =
        ask(&Model::new(Protocol::OpenAi, &server.openai_url(), "key", "x"), &request(messages, true)).unwrap_err();
    assert_eq!(error.kind, ErrorType::INVALID_REQUEST);
    assert!(!error.is_retryable());
}

/// A server that gives one answer, whatever it is asked.
fn answering(answer: &'static str) -> Model {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut buffer = [0; 65536];
        let read = connection.read(&mut buffer).unwrap();
        assert!(read > 0);
        // The body may come in a second piece; what matters is that it was asked.
        thread::sleep(Duration::from_millis(30));
        connection.write_all(answer.as_bytes()).unwrap();
    });
    Model::new(Protocol::Anthropic, &url, "the-secret-key", "m")
}

#[test]
fn answers_that_are_none_are_errors_and_never_a_panic() {
    let ok = |body: &str| format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}").leak();
    let messages = [Message::User("count".into())];
    for (answer, stream, kind) in [
        (&*ok("<html>"), false, ErrorType::INVALID_RESPONSE),
        (ok("{}"), false, ErrorType::INVALID_RESPONSE),
        (ok("data: {}\n\n"), true, ErrorType::CONNECTION),
        (ok("data: nonsense\n\n"), true, ErrorType::INVALID_RESPONSE),
        (ok("data: {\"type\":\"message_stop\"}\n\n"), true, ErrorType::INVALID_RESPONSE),
        (ok("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"), true, ErrorType::OVERLOADED),
        (
            ok("data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\"}}\n\n\
                data: {\"type\":\"content_block_delta\",\"index\":99999999,\"delta\":{\"type\":\"input_json_delta\"}}\n\n"),
            true,
            ErrorType::INVALID_RESPONSE,
        ),
    ] {
        let error = ask(&answering(answer), &request(&messages, stream)).unwrap_err();
        assert_eq!(error.kind, kind, "{answer}");
    }
}

#[test]
fn a_refused_key_is_not_repeated_and_a_redirect_is_not_followed_with_it() {
    let messages = [Message::User("count".into())];
    let refused = answering(
        "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n{\"error\":{\"message\":\"bad key the-secret-key\"}}",
    );
    let error = ask(&refused, &request(&messages, false)).unwrap_err();
    assert_eq!(error.kind, ErrorType::AUTHENTICATION);
    assert!(!error.message.contains("the-secret-key"));
    assert!(!format!("{refused:?}").contains("the-secret-key"));
    let elsewhere = answering("HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n");
    assert_eq!(ask(&elsewhere, &request(&messages, false)).unwrap_err().kind, ErrorType::INVALID_REQUEST);
}

#[test]
fn the_server_is_named_by_host_and_port() {
    let server = |url| Model::new(Protocol::OpenAi, url, "key", "m").server();
    assert_eq!(server("https://api.openai.com/v1"), Some(("api.openai.com".into(), 443)));
    assert_eq!(server("http://127.0.0.1:8080/"), Some(("127.0.0.1".into(), 8080)));
    assert_eq!(server("nonsense nonsense"), None);
}

//! The scripted model: a small HTTP server on this machine's loopback that plays a part.
//!
//! It speaks enough of Anthropic Messages and OpenAI Chat Completions for the demo's agent, in one piece or
//! streamed, and answers what the script says; what it is told changes nothing. It keeps no conversation: how many
//! answers a request holds already decides which one comes next, so several agents may ask at once.
//!
//! Requests are at most [`REQUEST_BYTES`] long and have [`REQUEST_TIME`] to arrive; anything else is refused or
//! dropped. Dropping the value ends the server.

use super::script::{self, Answer};
use crate::system::in_thread;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The longest request: 1 MiB.
const REQUEST_BYTES: u64 = 1 << 20;
/// What a request may take to arrive, and an answer to be taken: 5 seconds between two pieces.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a client is asked to wait when the server is busy.
const BUSY_MILLIS: u64 = 60;
/// The time between two chunks of a streamed answer.
const CHUNK_PAUSE: Duration = Duration::from_millis(5);
/// The letters in one chunk.
const CHUNK_CHARS: usize = 24;

/// A running server.
#[derive(Debug)]
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stopped: AtomicBool,
    was_busy: AtomicBool,
}

impl ScriptedServer {
    /// Starts the server on a free port.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = in_thread("demo-model", move || accept(&listener, &shared))?;
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// Where Anthropic's protocol is spoken.
    pub(crate) fn anthropic_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where OpenAI's protocol is spoken.
    pub(crate) fn openai_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect_timeout(&self.address, REQUEST_TIME));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for connection in listener.incoming() {
        if state.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let state = Arc::clone(state);
        let started = in_thread("demo-answer", move || {
            // A client that went away is no concern of the server's.
            drop(serve(&connection, &state));
        });
        drop(started);
    }
}

fn serve(connection: &TcpStream, state: &State) -> io::Result<()> {
    connection.set_read_timeout(Some(REQUEST_TIME))?;
    connection.set_write_timeout(Some(REQUEST_TIME))?;
    connection.set_nodelay(true)?;
    let (path, body) = read_request(connection)?;
    let format = match path.as_str() {
        "/v1/messages" => Format::Anthropic,
        "/v1/chat/completions" => Format::OpenAi,
        _ => return refuse(connection, "404 Not Found", "", "not_found_error"),
    };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let model = request["model"].as_str().unwrap_or_default();
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let before = messages.iter().filter(|message| message["role"] == "assistant").count();
    let Some(answer) = script::answer(model, before) else {
        return refuse(connection, "400 Bad Request", "", "invalid_request_error");
    };
    if answer.overloaded_at_first && !state.was_busy.swap(true, Ordering::SeqCst) {
        let header = format!("retry-after-ms: {BUSY_MILLIS}\r\n");
        return refuse(connection, "529 Overloaded", &header, "overloaded_error");
    }
    thread::sleep(answer.pause);
    let reply = Scripted { answer, model, number: before + 1 };
    if request["stream"] == true {
        head(connection, "200 OK", "content-type: text/event-stream\r\n")?;
        for (index, chunk) in format.chunks(&reply).into_iter().enumerate() {
            if index > 0 {
                thread::sleep(CHUNK_PAUSE);
            }
            { connection }.write_all(chunk.as_bytes())?;
        }
        Ok(())
    } else {
        respond(connection, "200 OK", "", &format.whole(&reply))
    }
}

/// The path and the body of a request.
fn read_request(connection: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection.take(REQUEST_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok((path, body))
}

fn head(mut connection: &TcpStream, status: &str, headers: &str) -> io::Result<()> {
    write!(connection, "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n")
}

fn respond(mut connection: &TcpStream, status: &str, headers: &str, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let length = body.len();
    head(connection, status, &format!("content-type: application/json\r\ncontent-length: {length}\r\n{headers}"))?;
    connection.write_all(body.as_bytes())
}

fn refuse(connection: &TcpStream, status: &str, headers: &str, kind: &str) -> io::Result<()> {
    let error = json!({ "type": kind, "message": "the scripted model has no answer to this now" });
    respond(connection, status, headers, &json!({ "type": "error", "error": error }))
}

/// An answer in the making.
struct Scripted<'a> {
    answer: &'static Answer,
    model: &'a str,
    /// From 1.
    number: usize,
}

impl Scripted<'_> {
    fn pieces(&self) -> impl Iterator<Item = String> {
        let letters: Vec<char> = self.answer.text.chars().collect();
        let pieces: Vec<String> = letters.chunks(CHUNK_CHARS).map(|piece| piece.iter().collect()).collect();
        pieces.into_iter()
    }

    /// Two conversations of one run have different ones.
    fn id(&self) -> String {
        format!("{}_{}", if self.model == script::HELPER_MODEL { "helper" } else { "main" }, self.number)
    }

    fn call_id(&self, index: usize) -> String {
        format!("call_{}_{}", self.id(), index + 1)
    }
}

#[derive(Clone, Copy)]
enum Format {
    Anthropic,
    OpenAi,
}

impl Format {
    fn whole(self, reply: &Scripted<'_>) -> Value {
        let calls = reply.answer.calls.iter().enumerate();
        let has_calls = !reply.answer.calls.is_empty();
        match self {
            Format::Anthropic => {
                let mut content = vec![json!({ "type": "text", "text": reply.answer.text })];
                content.extend(calls.map(|(index, (name, arguments))| {
                    let input: Value = serde_json::from_str(arguments).unwrap_or_default();
                    json!({ "type": "tool_use", "id": reply.call_id(index), "name": name, "input": input })
                }));
                json!({
                    "id": format!("msg_{}", reply.id()),
                    "type": "message",
                    "role": "assistant",
                    "model": reply.model,
                    "content": content,
                    "stop_reason": if has_calls { "tool_use" } else { "end_turn" },
                    "usage": self.usage(reply),
                })
            }
            Format::OpenAi => {
                let calls: Vec<Value> = calls.map(|(index, call)| openai_call(reply, index, call.1)).collect();
                let mut message = json!({ "role": "assistant", "content": reply.answer.text });
                if has_calls {
                    message["tool_calls"] = calls.into();
                }
                json!({
                    "id": format!("chatcmpl-{}", reply.id()),
                    "object": "chat.completion",
                    "model": reply.model,
                    "choices": [{ "index": 0, "message": message, "finish_reason": openai_reason(has_calls) }],
                    "usage": self.usage(reply),
                })
            }
        }
    }

    /// The lines of a streamed answer.
    fn chunks(self, reply: &Scripted<'_>) -> Vec<String> {
        let whole = self.whole(reply);
        match self {
            Format::Anthropic => {
                let mut message = whole.clone();
                message["content"] = json!([]);
                message["stop_reason"] = Value::Null;
                message["usage"]["output_tokens"] = 1.into();
                let mut events = vec![json!({ "type": "message_start", "message": message })];
                let block = json!({ "type": "text", "text": "" });
                events.push(json!({ "type": "content_block_start", "index": 0, "content_block": block }));
                events.extend(reply.pieces().map(|text| {
                    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
                }));
                events.push(json!({ "type": "content_block_stop", "index": 0 }));
                let calls = whole["content"].as_array().into_iter().flatten().enumerate().skip(1);
                for (index, call) in calls {
                    let (mut block, input) = (call.clone(), call["input"].to_string());
                    block["input"] = json!({});
                    let delta = json!({ "type": "input_json_delta", "partial_json": input });
                    events.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
                    events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
                    events.push(json!({ "type": "content_block_stop", "index": index }));
                }
                let delta = json!({ "stop_reason": whole["stop_reason"] });
                events.push(json!({ "type": "message_delta", "delta": delta, "usage": whole["usage"] }));
                events.push(json!({ "type": "message_stop" }));
                let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
                events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect()
            }
            Format::OpenAi => {
                let chunk = |delta: Value, reason: &Value| {
                    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
                    json!({ "id": whole["id"], "model": whole["model"], "choices": [choice] })
                };
                let choice = &whole["choices"][0];
                let mut events = vec![chunk(json!({ "role": "assistant", "content": "" }), &Value::Null)];
                events.extend(reply.pieces().map(|text| chunk(json!({ "content": text }), &Value::Null)));
                for (index, call) in choice["message"]["tool_calls"].as_array().into_iter().flatten().enumerate() {
                    let mut call = call.clone();
                    call["index"] = index.into();
                    events.push(chunk(json!({ "tool_calls": [call] }), &Value::Null));
                }
                events.push(chunk(json!({}), &choice["finish_reason"]));
                events.push(json!({ "id": whole["id"], "choices": [], "usage": whole["usage"] }));
                let lines = events.iter().map(|event| format!("data: {event}\n\n"));
                lines.chain(["data: [DONE]\n\n".to_owned()]).collect()
            }
        }
    }

    fn usage(self, reply: &Scripted<'_>) -> Value {
        let tokens = reply.answer.tokens;
        match self {
            Format::Anthropic => json!({
                "input_tokens": tokens.fresh,
                "cache_read_input_tokens": tokens.cache_read,
                "cache_creation_input_tokens": tokens.cache_write,
                "output_tokens": tokens.output,
            }),
            Format::OpenAi => json!({
                "prompt_tokens": tokens.fresh + tokens.cache_read + tokens.cache_write,
                "prompt_tokens_details": { "cached_tokens": tokens.cache_read },
                "completion_tokens": tokens.output,
            }),
        }
    }
}

fn openai_reason(has_calls: bool) -> &'static str {
    if has_calls { "tool_calls" } else { "stop" }
}

fn openai_call(reply: &Scripted<'_>, index: usize, arguments: &str) -> Value {
    let name = reply.answer.calls.get(index).map(|(name, _)| *name);
    json!({
        "id": reply.call_id(index),
        "type": "function",
        "function": { "name": name, "arguments": arguments },
    })
}

//! The model as the agent sees it: a conversation goes in, an answer or a typed error comes out.
//!
//! Speaks Anthropic Messages and OpenAI Chat Completions over HTTP, in one piece or streamed. Each request passes the
//! gateway as `llm.call`, whose result is what the server said, word for word; what it means is read behind that, and
//! so is the same in a replay. Beside, it knows nothing of telemetry: the agent records what this says.
//!
//! One call takes at most [`CALL_TIME`] and one answer at most [`ANSWER_BYTES`]; nothing is retried here, an error
//! says whether trying again helps. The key is sent to the server and shown nowhere else; redirects are not
//! followed with it. A server on this machine is called directly, others through the proxy of the environment.

mod anthropic;
mod openai;
mod partial;

use crate::system::instant;
use partial::Partial;
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;
use vigil::gateway::{Gateway, GatewayError, RuntimeError, capability};
use vigil::{ErrorType, FinishReason, Provider, Span, Usage};

/// What one call may take, from connecting to the last byte: 120 seconds.
const CALL_TIME: Duration = Duration::from_secs(120);
/// The longest answer that is read: 4 MiB.
const ANSWER_BYTES: u64 = 4 << 20;
/// The most of a server's own words that is kept.
const MESSAGE_CHARS: usize = 300;

/// How a model is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's Chat Completions, which many servers speak.
    OpenAi,
}

impl Protocol {
    /// As it is written down.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }

    /// The protocol of this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Anthropic, Self::OpenAi].into_iter().find(|protocol| protocol.as_str() == word)
    }
}

/// A model at an address.
#[derive(Clone)]
pub(crate) struct Model {
    protocol: Protocol,
    base_url: String,
    key: String,
    name: String,
    http: ureq::Agent,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("Model").field("base_url", &self.base_url).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the model is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) system: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) tools: &'a [ToolDefinition],
    pub(crate) max_tokens: u64,
    pub(crate) stream: bool,
}

/// A part of the conversation.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Message {
    /// What the user says.
    User(String),
    /// What the model answered.
    Assistant { text: String, calls: Vec<ToolCall> },
    /// What the tools gave.
    Results(Vec<ToolResult>),
}

/// A tool the model may call.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ToolDefinition {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// The names of its arguments, all of them required texts.
    pub(crate) arguments: &'static [&'static str],
}

impl ToolDefinition {
    /// Its arguments as a JSON schema.
    fn schema(&self) -> Value {
        let properties: serde_json::Map<_, _> =
            self.arguments.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        json!({ "type": "object", "properties": properties, "required": self.arguments })
    }
}

/// A call the model asks for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// As the model wrote them; null when that was no JSON.
    pub(crate) arguments: Value,
}

/// The answer to a [`ToolCall`].
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ToolResult {
    pub(crate) call_id: String,
    pub(crate) text: String,
    pub(crate) failed: bool,
}

/// What the model answered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reply {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) finish: FinishReason,
    pub(crate) usage: Usage,
    /// From the request to the first chunk, where the answer was streamed.
    pub(crate) time_to_first_chunk: Option<Duration>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ModelError {
    /// In a word.
    pub(crate) kind: ErrorType,
    /// In a sentence, for people. May hold words of the server, so it is content.
    pub(crate) message: String,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the run cannot be recorded on, or is not the one it replays.
    pub(crate) ends_run: bool,
}

impl ModelError {
    fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        let message = message.into().chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARS).collect();
        Self { kind, message, retry_after: None, ends_run: false }
    }

    fn bad_answer(what: &str) -> Self {
        Self::new(ErrorType::INVALID_RESPONSE, format!("the answer is not what was asked for: {what}"))
    }

    /// Whether the same request may succeed when it is made again.
    pub(crate) fn is_retryable(&self) -> bool {
        [ErrorType::RATE_LIMIT, ErrorType::OVERLOADED, ErrorType::SERVER_ERROR, ErrorType::CONNECTION]
            .contains(&self.kind)
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ModelError {}

impl From<GatewayError> for ModelError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Runtime(RuntimeError { error_type, source }) => {
                match source.map(|source| source.downcast::<Self>()) {
                    Some(Ok(own)) => *own,
                    // In a replay the word is all there is.
                    _ => Self::new(error_type, "the call failed when it was recorded"),
                }
            }
            GatewayError::BudgetExceeded(exceeded) => Self::new(ErrorType::BUDGET_EXHAUSTED, exceeded.to_string()),
            GatewayError::Denied(denied) => Self::new(ErrorType::DENIED, denied.to_string()),
            other => Self { ends_run: true, ..Self::new(other.error_type(), other.to_string()) },
        }
    }
}

impl Model {
    /// The model `name` at `base_url`: `https://api.anthropic.com`, or `https://api.openai.com/v1`.
    pub(crate) fn new(protocol: Protocol, base_url: &str, key: &str, name: &str) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let mut config =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(CALL_TIME));
        if is_loopback(&base_url) {
            config = config.proxy(None);
        }
        Self { protocol, base_url, key: key.to_owned(), name: name.to_owned(), http: config.build().into() }
    }

    /// A model whose answers come from a record: it has no address.
    pub(crate) fn recorded(protocol: Protocol, name: &str) -> Self {
        Self::new(protocol, "", "", name)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn provider(&self) -> Provider {
        match self.protocol {
            Protocol::Anthropic => Provider::ANTHROPIC,
            Protocol::OpenAi => Provider::OPENAI,
        }
    }

    /// Host and port of the server.
    pub(crate) fn server(&self) -> Option<(String, u16)> {
        let address: ureq::http::Uri = self.base_url.parse().ok()?;
        let usual = if address.scheme_str() == Some("http") { 80 } else { 443 };
        Some((address.host()?.to_owned(), address.port_u16().unwrap_or(usual)))
    }

    /// Asks once, in `span`.
    pub(crate) fn ask(&self, gateway: &Gateway, span: &Span, request: &Request<'_>) -> Result<Reply, ModelError> {
        let asked = match self.protocol {
            Protocol::Anthropic => ("/v1/messages", anthropic::body(&self.name, request)),
            Protocol::OpenAi => ("/chat/completions", openai::body(&self.name, request)),
        };
        let mut first = None;
        let answer = gateway.call(span, capability::LLM_CALL, asked, |(path, body)| {
            let answer = self.post(path, &body, request.stream, &mut first);
            answer.map_err(|error| RuntimeError::new(error.kind.clone(), error))
        })?;
        let reply = if request.stream { self.read_stream(&answer) } else { self.read_whole(&answer) };
        Ok(Reply { time_to_first_chunk: first, ..reply? })
    }

    /// What the server says, and when it `first` said something, where that comes in pieces.
    fn post(&self, path: &str, body: &Value, stream: bool, first: &mut Option<Duration>) -> Result<String, ModelError> {
        let asked = instant();
        let call = self.http.post(format!("{}{path}", self.base_url)).header("content-type", "application/json");
        let call = match self.protocol {
            Protocol::Anthropic => call.header("x-api-key", &self.key).header("anthropic-version", "2023-06-01"),
            Protocol::OpenAi => call.header("authorization", format!("Bearer {}", self.key)),
        };
        let mut response = call.send(body.to_string()).map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let answer = response.body_mut().as_reader().take(ANSWER_BYTES);
        if status != 200 {
            return Err(ModelError { retry_after, ..refused(status, answer) });
        }
        let mut reader = BufReader::new(answer);
        let mut text = String::new();
        if stream {
            reader.read_line(&mut text).map_err(|error| unreadable(&error))?;
            *first = Some(asked.elapsed());
        }
        reader.read_to_string(&mut text).map_err(|error| unreadable(&error))?;
        Ok(text)
    }

    fn read_whole(&self, answer: &str) -> Result<Reply, ModelError> {
        let answer: Value = serde_json::from_str(answer).map_err(|error| unreadable(&error.into()))?;
        match self.protocol {
            Protocol::Anthropic => anthropic::reply(&answer),
            Protocol::OpenAi => openai::reply(&answer),
        }
    }

    /// Reads server-sent events: lines `data: {…}`, until the one that says it was the last.
    fn read_stream(&self, answer: &str) -> Result<Reply, ModelError> {
        let mut partial = Partial::default();
        for line in answer.lines() {
            let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
            let ended = match self.protocol {
                Protocol::OpenAi if data == "[DONE]" => true,
                Protocol::OpenAi => openai::chunk(&mut partial, &event(data)?)?,
                Protocol::Anthropic => anthropic::chunk(&mut partial, &event(data)?)?,
            };
            if ended {
                return partial.finish();
            }
        }
        Err(ModelError::new(ErrorType::CONNECTION, "the answer broke off"))
    }
}

fn event(data: &str) -> Result<Value, ModelError> {
    serde_json::from_str(data).map_err(|_| ModelError::bad_answer("a chunk is not JSON"))
}

fn is_loopback(base_url: &str) -> bool {
    let address = base_url.parse::<ureq::http::Uri>().ok();
    address.is_some_and(|address| matches!(address.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

/// What the server's refusal means. Of refused credentials only our own words are told: some servers repeat
/// a part of the key.
fn refused(status: u16, answer: impl Read) -> ModelError {
    let answer: Value = serde_json::from_reader(answer).unwrap_or_default();
    let error = &answer["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let kind = match (status, text("code"), text("type")) {
        (401, ..) => ErrorType::AUTHENTICATION,
        (403, ..) => ErrorType::PERMISSION_DENIED,
        (404, ..) => ErrorType::MODEL_NOT_FOUND,
        (429, "insufficient_quota", _) => ErrorType::QUOTA,
        (429, ..) => ErrorType::RATE_LIMIT,
        (503 | 529, ..) | (_, _, "overloaded_error") => ErrorType::OVERLOADED,
        (500.., ..) => ErrorType::SERVER_ERROR,
        _ => ErrorType::INVALID_REQUEST,
    };
    match (status, text("message")) {
        (401, _) => ModelError::new(kind, "the server does not accept the key (status 401)"),
        (_, "") => ModelError::new(kind, format!("the server answered with status {status}")),
        (_, message) => ModelError::new(kind, format!("the server answered with status {status}: {message}")),
    }
}

fn transport(error: &ureq::Error) -> ModelError {
    let kind = match error {
        ureq::Error::Timeout(_) => ErrorType::TIMEOUT,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => ErrorType::INVALID_REQUEST,
        _ => ErrorType::CONNECTION,
    };
    ModelError::new(kind, format!("the server cannot be reached: {error}"))
}

fn unreadable(error: &io::Error) -> ModelError {
    match error.kind() {
        io::ErrorKind::TimedOut => ModelError::new(ErrorType::TIMEOUT, "the answer took too long"),
        io::ErrorKind::InvalidData => ModelError::bad_answer("it is not text of the right form"),
        _ => ModelError::new(ErrorType::CONNECTION, "the answer broke off"),
    }
}

/// `retry-after-ms`, or `retry-after` in seconds; its other form, a date, is not understood.
fn retry_after(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
    let millis = number("retry-after-ms").map(|millis| Duration::from_millis(millis.into()));
    millis.or_else(|| number("retry-after").map(|seconds| Duration::from_secs(seconds.into())))
}

#[cfg(test)]
mod tests;

//! The lines Claude Code writes, as they are: the stream (`--output-format stream-json`), the `json` forms and
//! the session transcript. Only fields something is made of are named; the two spellings (stream
//! `snake_case`, transcript `camelCase`) are one field each. Content (prompts, answers, arguments, results) is
//! skipped, apart from the first bytes of a failed result and of a prompt, which tell its kind.
//!
//! Seen in versions 2.0.50, 2.1.197 and 2.1.329.

use crate::lenient::{Entries, Flag, List, Number, Str, absent, record};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use vigil_core::fact::UnixNanos;

record! {
    /// One line of a stream or a transcript.
    Line {
        "type" => kind: Str<'a>,
        "subtype" => subtype: Str<'a>,
        "uuid" => uuid: Str<'a>,
        "session_id" => stream_session: Str<'a>,
        "sessionId" => transcript_session: Str<'a>,
        "timestamp" => timestamp: Str<'a>,
        "cwd" => cwd: Str<'a>,
        "claude_code_version" | "version" => version: Str<'a>,
        "entrypoint" => entrypoint: Str<'a>,
        "model" => model: Str<'a>,
        "parent_tool_use_id" => parent_tool_use_id: Str<'a>,
        "agent_id" | "agentId" => agent_id: Str<'a>,
        "subagent_type" => subagent_type: Str<'a>,
        "forkedFrom" | "forked_from" => forked_from: Entries<'a, IgnoredAny>,
        // messages
        "message" => message: Message<'a>,
        "requestedModel" => requested_model: Str<'a>,
        "is_api_error_message" | "isApiErrorMessage" => is_api_error_message: Flag,
        "error" => error: ErrorField<'a>,
        "api_error_status" | "apiErrorStatus" => api_error_status: Number,
        "api_error_type" | "apiErrorType" => api_error_type: Str<'a>,
        "api_error" | "apiError" => api_error: Str<'a>,
        "api_error_params" | "apiErrorParams" => api_error_params: ApiErrorParams<'a>,
        "rate_limit_info" => rate_limit_info: RateLimitInfo<'a>,
        "isMeta" | "isSynthetic" => is_meta: Flag,
        "isCompactSummary" | "isVisibleInTranscriptOnly" => is_compact_summary: Flag,
        "tool_use_result" | "toolUseResult" => tool_use_result: ToolUseResult<'a>,
        "tool_result_meta" => tool_result_meta: List<ToolResultMeta<'a>>,
        "permissionDecision" => permission_decision: Decision<'a>,
        // retries
        "attempt" | "retryAttempt" => attempt: Number,
        "max_retries" | "maxRetries" => max_retries: Number,
        "retry_delay_ms" | "retryInMs" => retry_delay_ms: Number,
        "error_status" => error_status: Number,
        // tasks and sub-agents
        "tool_use_id" => tool_use_id: Str<'a>,
        "task_id" => task_id: Str<'a>,
        "task_type" => task_type: Str<'a>,
        "is_backgrounded" => is_backgrounded: Flag,
        "status" => status: Str<'a>,
        "patch" => patch: Patch<'a>,
        // compaction and fallback
        "compact_metadata" | "compactMetadata" => compact: Compact<'a>,
        "trigger" => trigger: Str<'a>,
        "original_model" | "originalModel" => original_model: Str<'a>,
        "fallback_model" | "fallbackModel" => fallback_model: Str<'a>,
        // partial messages
        "event" => event: Event<'a>,
        "ttft_ms" => ttft_ms: Number,
        // requests, attachments, queue
        "id" => request_id: Str<'a>,
        "requestRef" => request_ref: Str<'a>,
        "params" => params: Params<'a>,
        "attachment" => attachment: Attachment<'a>,
        "operation" => operation: Str<'a>,
        // results and cost states
        "is_error" => is_error: Flag,
        "result" => result: Prefix<'a>,
        "terminal_reason" => terminal_reason: Str<'a>,
        "total_cost_usd" | "totalCostUSD" => total_cost_usd: Number,
        "modelUsage" => model_usage: Entries<'a, ModelUsage<'a>>,
        "model_usage_since_last_result" => model_usage_since: Entries<'a, ModelUsage<'a>>,
        "permissionMode" => permission_mode: Str<'a>,
        "permission_denials" => permission_denials: List<Denial<'a>>,
        "stop_reason" => stop_reason: Str<'a>,
        "usage" => usage: Usage<'a>,
        "subagent_stats" => subagent_stats: SubAgentStats<'a>,
    }
}

record! {
    /// How many sub-agents a process started.
    SubAgentStats {
        "spawned" => spawned: Number,
    }
}

record! {
    /// An Anthropic message.
    Message {
        "id" => id: Str<'a>,
        "model" => model: Str<'a>,
        "content" => content: Content<'a>,
        "stop_reason" => stop_reason: Str<'a>,
        "usage" => usage: Usage<'a>,
    }
}

record! {
    /// One block of a message.
    Block {
        "type" => kind: Str<'a>,
        "id" => id: Str<'a>,
        "name" => name: Str<'a>,
        "tool_use_id" => tool_use_id: Str<'a>,
        "is_error" => is_error: Flag,
        "text" | "content" => text: Prefix<'a>,
        "input" => input: Prefix<'a>,
    }
}

record! {
    /// The one argument of a tool that is a name: which kind of sub-agent is asked for.
    ToolInput {
        "subagent_type" => subagent_type: Str<'a>,
    }
}

record! {
    /// Tokens as the API counts them: `input_tokens` without the cached ones.
    Usage {
        "input_tokens" => input: Number,
        "output_tokens" => output: Number,
        "cache_read_input_tokens" => cache_read: Number,
        "cache_creation_input_tokens" => cache_write: Number,
        "cache_creation" => cache_creation: CacheCreation<'a>,
        "output_tokens_details" => output_details: OutputDetails<'a>,
        "server_tool_use" => server_tools: ServerTools<'a>,
    }
}

record! {
    /// Cache writes by lifetime.
    CacheCreation {
        "ephemeral_1h_input_tokens" => one_hour: Number,
    }
}

record! {
    /// Parts of the output tokens.
    OutputDetails {
        "thinking_tokens" => thinking: Number,
    }
}

record! {
    /// Tools the provider ran.
    ServerTools {
        "web_search_requests" => web_searches: Number,
    }
}

record! {
    /// Tokens of one model over a run or a session.
    ModelUsage {
        "inputTokens" => input: Number,
        "outputTokens" => output: Number,
        "cacheReadInputTokens" => cache_read: Number,
        "cacheCreationInputTokens" => cache_write: Number,
        "cacheCreationEphemeral1hInputTokens" => cache_write_one_hour: Number,
        "thinkingTokens" => thinking: Number,
        "webSearchRequests" => web_searches: Number,
        "costUSD" => cost_usd: Number,
    }
}

record! {
    /// What became of a tool call, beside its result.
    ToolResultMeta {
        "id" => id: Str<'a>,
        "non_execution_kind" => non_execution_kind: Str<'a>,
        "permission_decision" => permission_decision: Decision<'a>,
    }
}

record! {
    /// Who allowed or refused a tool call.
    Decision {
        "decision" => decision: Str<'a>,
        "source" => source: Str<'a>,
    }
}

record! {
    /// A change of a task.
    Patch {
        "status" => status: Str<'a>,
        "end_time" => end_time_ms: Number,
    }
}

record! {
    /// What a compaction did.
    Compact {
        "trigger" => trigger: Str<'a>,
        "pre_tokens" | "preTokens" => pre_tokens: Number,
        "post_tokens" | "postTokens" => post_tokens: Number,
        "duration_ms" | "durationMs" => duration_ms: Number,
    }
}

record! {
    /// A server-sent event of the API, passed on with `--include-partial-messages`.
    Event {
        "type" => kind: Str<'a>,
        "message" => message: Message<'a>,
        "delta" => delta: Delta<'a>,
        "usage" => usage: Usage<'a>,
    }
}

record! {
    /// What belongs to the word in `api_error`.
    ApiErrorParams {
        "rate_limit_info" => rate_limit_info: RateLimitInfo<'a>,
    }
}

record! {
    /// How a limit of the plan stands.
    RateLimitInfo {
        "status" => status: Str<'a>,
        "resetsAt" => resets_at_seconds: Number,
        "isUsingOverage" => is_using_overage: Flag,
    }
}

record! {
    /// The change a `message_delta` brings.
    Delta {
        "stop_reason" => stop_reason: Str<'a>,
    }
}

record! {
    /// Parameters of a request to the model.
    Params {
        "model" => model: Str<'a>,
    }
}

record! {
    /// What the program put into the conversation.
    Attachment {
        "type" => kind: Str<'a>,
    }
}

record! {
    /// A tool call that was refused.
    Denial {
        "tool_use_id" => tool_use_id: Str<'a>,
    }
}

record! {
    /// The file beside a sub-agent's transcript.
    Meta {
        "agentType" => agent_type: Str<'a>,
        "toolUseId" => tool_use_id: Str<'a>,
    }
}

impl Line<'_> {
    /// The session the line belongs to.
    pub(crate) fn session(&self) -> Option<&str> {
        self.stream_session.some().or_else(|| self.transcript_session.some())
    }

    /// When the line says it was written.
    pub(crate) fn time(&self) -> Option<UnixNanos> {
        self.timestamp.get().and_then(crate::time::parse_rfc3339)
    }
}

/// A value that is not decoded. Its first bytes tell a notice of the program from everything else; the rest is
/// content and is passed on to those only who asked for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prefix<'a>(Option<&'a RawValue>);

impl Prefix<'_> {
    /// The whole value as JSON, for those who asked for content.
    pub(crate) fn json(&self) -> Option<&str> {
        self.0.map(RawValue::get)
    }

    /// The text, if it is a bare one of at most `limit` bytes as JSON.
    pub(crate) fn text(&self, limit: usize) -> Option<String> {
        serde_json::from_str(self.0.map(RawValue::get).filter(|raw| raw.len() <= limit)?).ok()
    }

    /// Whether the text (a bare one, or the first in a list of blocks) starts with `prefix`, which must hold
    /// nothing that JSON escapes.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        let Some(raw) = self.0 else { return false };
        raw.get().strip_prefix('"').is_some_and(|text| text.starts_with(prefix))
    }

    /// Whether any of the first 256 bytes of the text hold `word`.
    pub(crate) fn head_contains(&self, word: &str) -> bool {
        let Some(raw) = self.0 else { return false };
        let head = raw.get().as_bytes();
        memchr::memmem::find(&head[..head.len().min(256)], word.as_bytes()).is_some()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Prefix<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Prefix(Some(raw)))
    }
}

/// The content of a message: blocks, or a bare text of which only the kind is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content<'a> {
    pub(crate) blocks: List<Block<'a>>,
    pub(crate) text: Option<PromptKind>,
}

/// What a bare text in a user's message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PromptKind {
    /// Something said to the agent, by a person or a program.
    Prompt,
    /// A slash command that the program itself carries out.
    Command,
    /// Output and remarks of such a command, which start nothing.
    CommandOutput,
    /// The notice that somebody interrupted the agent.
    Interrupted,
}

impl PromptKind {
    pub(crate) fn of(text: &str) -> Self {
        if text.starts_with("<command-name>") || text.starts_with("<command-message>") {
            Self::Command
        } else if text.starts_with("<local-command-") {
            Self::CommandOutput
        } else if text.starts_with(INTERRUPTED) {
            Self::Interrupted
        } else {
            Self::Prompt
        }
    }
}

/// How the notice of an interruption starts.
pub(crate) const INTERRUPTED: &str = "[Request interrupted by user";

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ContentVisitor<'a> {
            type Value = Content<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content { text: Some(PromptKind::of(text)), ..Content::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                let blocks = List::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Content { blocks, text: None })
            }
            absent!(bool, numbers, null, object);
        }
        deserializer.deserialize_any(ContentVisitor(std::marker::PhantomData))
    }
}

/// `error` is a word in messages and an object in the transcript's `api_error` lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorField<'a> {
    pub(crate) word: Option<String>,
    pub(crate) status: Number,
    lifetime: std::marker::PhantomData<&'a ()>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ErrorField<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ErrorVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ErrorVisitor<'a> {
            type Value = ErrorField<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                // Longer texts are messages, not words.
                let word = (text.len() <= 64).then(|| text.to_owned());
                Ok(ErrorField { word, ..ErrorField::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut field = ErrorField::default();
                while let Some(crate::lenient::Name(key)) = map.next_key()? {
                    if key == "status" {
                        field.status = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(field)
            }
            absent!(bool, numbers, null, list);
        }
        deserializer.deserialize_any(ErrorVisitor(std::marker::PhantomData))
    }
}

/// What a tool gave back, in the program's own words: an object when it went well, a text when it failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolUseResult<'a> {
    pub(crate) agent_id: Str<'a>,
    pub(crate) agent_type: Str<'a>,
    pub(crate) status: Str<'a>,
    /// The person at the terminal stopped or refused it.
    pub(crate) rejected: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for ToolUseResult<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ResultVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ResultVisitor<'a> {
            type Value = ToolUseResult<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ToolUseResult { rejected: text == "User rejected tool use", ..ToolUseResult::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut result = ToolUseResult::default();
                while let Some(crate::lenient::Name(key)) = map.next_key()? {
                    match &*key {
                        "agentId" => result.agent_id = map.next_value()?,
                        "agentType" => result.agent_type = map.next_value()?,
                        "status" => result.status = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(result)
            }
            absent!(bool, numbers, null, list);
        }
        deserializer.deserialize_any(ResultVisitor(std::marker::PhantomData))
    }
}

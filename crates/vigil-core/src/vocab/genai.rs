//! Words of the GenAI and MCP conventions: providers, operations, finish reasons, tools.

use super::word::{closed_words, open_words, sanitise};
use crate::fact::{Text, Value};
use std::fmt;

open_words! {
    /// Whose telemetry flavour a model call has (`gen_ai.provider.name`).
    Provider, empty is UNKNOWN {
        /// OpenAI.
        OPENAI = "openai",
        /// Any Google GenAI endpoint.
        GCP_GEN_AI = "gcp.gen_ai",
        /// Google Vertex AI (aiplatform.googleapis.com).
        GCP_VERTEX_AI = "gcp.vertex_ai",
        /// Google Gemini API (generativelanguage.googleapis.com).
        GCP_GEMINI = "gcp.gemini",
        /// Anthropic.
        ANTHROPIC = "anthropic",
        /// Cohere.
        COHERE = "cohere",
        /// Azure AI Inference.
        AZURE_AI_INFERENCE = "azure.ai.inference",
        /// Azure OpenAI.
        AZURE_AI_OPENAI = "azure.ai.openai",
        /// IBM watsonx.ai.
        IBM_WATSONX_AI = "ibm.watsonx.ai",
        /// AWS Bedrock.
        AWS_BEDROCK = "aws.bedrock",
        /// Perplexity.
        PERPLEXITY = "perplexity",
        /// xAI.
        X_AI = "x_ai",
        /// DeepSeek.
        DEEPSEEK = "deepseek",
        /// Groq.
        GROQ = "groq",
        /// Mistral AI.
        MISTRAL_AI = "mistral_ai",
        /// Moonshot AI.
        MOONSHOT_AI = "moonshot_ai",
        /// Nobody said (Vigil's own word; the conventions have none).
        UNKNOWN = "unknown",
    }
}

impl Provider {
    /// The value the deprecated `gen_ai.system` had for this provider, for backends that still read it.
    pub fn legacy_system(&self) -> &str {
        match self.as_str() {
            "x_ai" => "xai",
            "azure.ai.openai" => "az.ai.openai",
            "azure.ai.inference" => "az.ai.inference",
            "gcp.vertex_ai" => "vertex_ai",
            "gcp.gemini" => "gemini",
            "unknown" => "_OTHER",
            same => same,
        }
    }
}

open_words! {
    /// What a GenAI span does (`gen_ai.operation.name`).
    Operation, empty is UNKNOWN {
        /// A chat completion.
        CHAT = "chat",
        /// A multimodal generation.
        GENERATE_CONTENT = "generate_content",
        /// A text completion.
        TEXT_COMPLETION = "text_completion",
        /// Embeddings.
        EMBEDDINGS = "embeddings",
        /// A search in a data source.
        RETRIEVAL = "retrieval",
        /// Fetching a response made earlier.
        FETCH_RESPONSE = "fetch_response",
        /// Creating a hosted agent.
        CREATE_AGENT = "create_agent",
        /// Running an agent.
        INVOKE_AGENT = "invoke_agent",
        /// Running a tool.
        EXECUTE_TOOL = "execute_tool",
        /// Running a workflow.
        INVOKE_WORKFLOW = "invoke_workflow",
        /// Making a plan.
        PLAN = "plan",
        /// Searching a memory store.
        SEARCH_MEMORY = "search_memory",
        /// Adding a memory record.
        CREATE_MEMORY = "create_memory",
        /// Changing a memory record.
        UPDATE_MEMORY = "update_memory",
        /// Adding or changing a memory record.
        UPSERT_MEMORY = "upsert_memory",
        /// Removing a memory record.
        DELETE_MEMORY = "delete_memory",
        /// Creating a memory store.
        CREATE_MEMORY_STORE = "create_memory_store",
        /// Removing a memory store.
        DELETE_MEMORY_STORE = "delete_memory_store",
        /// Nobody said (Vigil's own word; the conventions have none).
        UNKNOWN = "unknown",
    }
}

open_words! {
    /// A method of the model context protocol (`mcp.method.name`).
    McpMethod, empty is UNKNOWN {
        /// `initialize`.
        INITIALIZE = "initialize",
        /// `ping`.
        PING = "ping",
        /// `tools/list`.
        TOOLS_LIST = "tools/list",
        /// `tools/call`.
        TOOLS_CALL = "tools/call",
        /// `prompts/list`.
        PROMPTS_LIST = "prompts/list",
        /// `prompts/get`.
        PROMPTS_GET = "prompts/get",
        /// `resources/list`.
        RESOURCES_LIST = "resources/list",
        /// `resources/read`.
        RESOURCES_READ = "resources/read",
        /// `resources/subscribe`.
        RESOURCES_SUBSCRIBE = "resources/subscribe",
        /// `resources/unsubscribe`.
        RESOURCES_UNSUBSCRIBE = "resources/unsubscribe",
        /// `resources/templates/list`.
        RESOURCES_TEMPLATES_LIST = "resources/templates/list",
        /// `logging/setLevel`.
        LOGGING_SET_LEVEL = "logging/setLevel",
        /// `sampling/createMessage`.
        SAMPLING_CREATE_MESSAGE = "sampling/createMessage",
        /// `completion/complete`.
        COMPLETION_COMPLETE = "completion/complete",
        /// `roots/list`.
        ROOTS_LIST = "roots/list",
        /// `elicitation/create`.
        ELICITATION_CREATE = "elicitation/create",
        /// Nobody said (Vigil's own word; the conventions have none).
        UNKNOWN = "unknown",
    }
}

closed_words! {
    /// How a tool call ended (`life.tool.status`).
    ToolStatus {
        /// It gave a result.
        Ok = "ok",
        /// It failed.
        Error = "error",
        /// It took longer than allowed.
        Timeout = "timeout",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
}

closed_words! {
    /// Where a tool runs (`gen_ai.tool.type`).
    ToolType {
        /// At the client, described by a schema.
        Function = "function",
        /// At the agent's side, calling out.
        Extension = "extension",
        /// A store the agent reads.
        Datastore = "datastore",
    }
}

closed_words! {
    /// What kind of output was asked for (`gen_ai.output.type`).
    OutputType {
        /// Text.
        Text = "text",
        /// JSON.
        Json = "json",
        /// An image.
        Image = "image",
        /// Speech.
        Speech = "speech",
    }
}

closed_words! {
    /// What tokens encode (`gen_ai.token.modality`, on metrics only).
    Modality {
        /// Text.
        Text = "text",
        /// Images.
        Image = "image",
        /// Audio.
        Audio = "audio",
        /// The provider does not say.
        Unknown = "unknown",
    }
}

/// Why a model stopped (`gen_ai.response.finish_reasons`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FinishReason {
    /// It was done, or met a stop sequence.
    Stop,
    /// It reached the token limit.
    Length,
    /// A filter or refusal ended it.
    ContentFilter,
    /// It wants a tool called.
    ToolCall,
    /// The conversation is to be compacted.
    Compaction,
    /// The reason was expected and never came: failed, cancelled, cut.
    Error,
    /// A provider's own word, at most 64 bytes of letters, digits and `_.:-/`.
    Other(Text),
}

impl FinishReason {
    /// The words of the conventions' JSON schema.
    pub const WORDS: &'static [&'static str] =
        &["stop", "length", "content_filter", "tool_call", "compaction", "error"];

    /// From Anthropic's `stop_reason`.
    pub fn from_anthropic(stop_reason: &str) -> Self {
        match stop_reason {
            "end_turn" | "stop_sequence" => Self::Stop,
            "tool_use" => Self::ToolCall,
            "max_tokens" | "model_context_window_exceeded" => Self::Length,
            "refusal" => Self::ContentFilter,
            other => Self::from_word(other),
        }
    }

    /// From OpenAI's `finish_reason` (chat completions) or a response's `incomplete_details.reason`.
    pub fn from_openai(finish_reason: &str) -> Self {
        match finish_reason {
            "completed" => Self::Stop,
            "max_output_tokens" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCall,
            other => Self::from_word(other),
        }
    }

    /// From Google's `finishReason`.
    pub fn from_gemini(finish_reason: &str) -> Self {
        match finish_reason {
            "STOP" => Self::Stop,
            "MAX_TOKENS" => Self::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => Self::ContentFilter,
            other => Self::from_word(&other.to_ascii_lowercase()),
        }
    }

    /// From a word of the conventions, or a provider's own.
    pub fn from_word(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "content_filter" => Self::ContentFilter,
            "tool_call" => Self::ToolCall,
            "compaction" => Self::Compaction,
            "error" => Self::Error,
            other => {
                let kept = sanitise(other);
                if kept.is_empty() { Self::Error } else { Self::Other(kept.into()) }
            }
        }
    }

    /// The word on the wire.
    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCall => "tool_call",
            Self::Compaction => "compaction",
            Self::Error => "error",
            Self::Other(word) => word,
        }
    }

    /// The word on the wire, as attribute text.
    pub fn into_text(self) -> Text {
        match self {
            Self::Stop => Text::Borrowed("stop"),
            Self::Length => Text::Borrowed("length"),
            Self::ContentFilter => Text::Borrowed("content_filter"),
            Self::ToolCall => Text::Borrowed("tool_call"),
            Self::Compaction => Text::Borrowed("compaction"),
            Self::Error => Text::Borrowed("error"),
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for FinishReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<FinishReason> for Value {
    /// A list of one, as the attribute is a list.
    fn from(reason: FinishReason) -> Self {
        Value::StrList(vec![reason.into_text()])
    }
}

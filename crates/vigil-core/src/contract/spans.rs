//! Kinds of spans: their names, OTLP kinds and attributes.

use super::attr::*;
use super::attributes::{Key, Source};
use super::kind::{indexed, keys};
use crate::fact::AttributeSet;

/// The longest span name, in bytes; a longer one is cut. Names are made of models and tools as foreign
/// programs name them.
pub const MAX_NAME_BYTES: usize = 256;

/// OTLP's kind of a span.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum OtlpKind {
    /// Work in this process.
    Internal = 1,
    /// Answering a request.
    Server = 2,
    /// Making a request.
    Client = 3,
}

impl OtlpKind {
    /// The name in the conventions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
        }
    }
}

/// What the contract says about a kind of span.
#[derive(Clone, Copy, Debug)]
pub struct SpanDef {
    /// Its stable name in files and on the wire.
    pub id: &'static str,
    /// How the span's name is formed, for people.
    pub name_pattern: &'static str,
    /// Its usual `gen_ai.operation.name`.
    pub operation: Option<&'static str>,
    /// Its OTLP kind.
    pub otlp_kind: OtlpKind,
    /// Attributes that are always there when the span ended.
    pub required: &'static [Key],
    /// Attributes that may be there, beside the required ones and [`COMMON`].
    pub attributes: &'static [Key],
    /// What it stands for.
    pub doc: &'static str,
    /// Who named it.
    pub source: Source,
}

impl SpanDef {
    /// Whether `key` may be on such a span.
    pub fn allows(&self, key: Key) -> bool {
        COMMON.contains(&key) || self.required.contains(&key) || self.attributes.contains(&key)
    }
}

/// Attributes that may be on every span. `vigil.originator` is on every one.
pub const COMMON: &[Key] = &[
    VIGIL_ORIGINATOR,
    VIGIL_OUTCOME,
    VIGIL_REPLAY,
    VIGIL_CONTENT_TRUNCATED_BYTES,
    ERROR_TYPE,
    EXCEPTION_TYPE,
    EXCEPTION_MESSAGE,
    HTTP_RESPONSE_STATUS_CODE,
    SESSION_ID,
    GEN_AI_CONVERSATION_ID,
    GEN_AI_AGENT_NAME,
    LIFE_SESSION_ID,
    LIFE_RUN_ID,
    LIFE_BRANCH_ID,
    LIFE_EVENT_SEQ,
    LIFE_EVENT_KIND,
    LAGO_STREAM_ID,
    LAGO_BLOB_HASH,
    LAGO_FS_BRANCH,
];

const SERVER: &[Key] = &[SERVER_ADDRESS, SERVER_PORT];

const REQUEST: &[Key] = &[
    GEN_AI_OUTPUT_TYPE,
    GEN_AI_REQUEST_CHOICE_COUNT,
    GEN_AI_REQUEST_SEED,
    GEN_AI_REQUEST_MAX_TOKENS,
    GEN_AI_REQUEST_TEMPERATURE,
    GEN_AI_REQUEST_TOP_P,
    GEN_AI_REQUEST_TOP_K,
    GEN_AI_REQUEST_FREQUENCY_PENALTY,
    GEN_AI_REQUEST_PRESENCE_PENALTY,
    GEN_AI_REQUEST_STOP_SEQUENCES,
    GEN_AI_REQUEST_REASONING_LEVEL,
];

const MESSAGES: &[Key] =
    &[GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES, GEN_AI_SYSTEM_INSTRUCTIONS, GEN_AI_TOOL_DEFINITIONS];

const PROMPT: &[Key] = &[GEN_AI_PROMPT_NAME, GEN_AI_PROMPT_VERSION, VIGIL_PROMPT_VARIABLES];

const USAGE: &[Key] = &[
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
    GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
    GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    GEN_AI_USAGE_TEXT_INPUT_TOKENS,
    GEN_AI_USAGE_IMAGE_INPUT_TOKENS,
    GEN_AI_USAGE_AUDIO_INPUT_TOKENS,
    GEN_AI_USAGE_TEXT_OUTPUT_TOKENS,
    GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS,
    GEN_AI_USAGE_AUDIO_OUTPUT_TOKENS,
    GEN_AI_USAGE_TEXT_CACHE_READ_INPUT_TOKENS,
    GEN_AI_USAGE_IMAGE_CACHE_READ_INPUT_TOKENS,
    GEN_AI_USAGE_AUDIO_CACHE_READ_INPUT_TOKENS,
    VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS,
    VIGIL_USAGE_WEB_SEARCH_REQUESTS,
    VIGIL_USAGE_SOURCE,
];

const COST: &[Key] = &[VIGIL_COST_NANO_USD, VIGIL_COST_TABLE, VIGIL_COST_UNPRICED_MODELS, VIGIL_COST_REPORTED_USD];

const RELIABILITY: &[Key] = &[
    VIGIL_RETRY_COUNT,
    HTTP_REQUEST_RESEND_COUNT,
    LIFE_RELIABILITY_RETRY_COUNT,
    LIFE_RELIABILITY_FALLBACK_TRIGGERED,
    LIFE_RELIABILITY_CIRCUIT_STATE,
];

const CALL: &[Key] = &[VIGIL_CALL_CACHE_HIT, VIGIL_CALL_CHOSEN_BY, VIGIL_CALL_POLICY];

/// What the agent is and has left, on the spans of its loop.
const VITALS: &[Key] = &[
    LIFE_OPERATING_MODE,
    LIFE_BUDGET_TOKENS_REMAINING,
    LIFE_BUDGET_COST_REMAINING_USD,
    LIFE_BUDGET_TIME_REMAINING_MS,
    LIFE_BUDGET_TOOL_CALLS_REMAINING,
    LIFE_STATE_PROGRESS,
    LIFE_STATE_UNCERTAINTY,
    LIFE_STATE_RISK_LEVEL,
    LIFE_STATE_ERROR_STREAK,
    LIFE_STATE_CONTEXT_PRESSURE,
    AUTONOMIC_ECONOMIC_MODE,
    AUTONOMIC_OPERATIONAL_HEALTH,
    AUTONOMIC_COGNITIVE_HEALTH,
    AUTONOMIC_ECONOMIC_HEALTH,
];

/// Sums over what happened below a span.
const ROLL_UP: &[Key] = &[
    VIGIL_USAGE_INPUT_TOKENS,
    VIGIL_USAGE_OUTPUT_TOKENS,
    VIGIL_USAGE_CACHE_READ_INPUT_TOKENS,
    VIGIL_USAGE_CACHE_WRITE_INPUT_TOKENS,
    VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS,
    VIGIL_USAGE_REASONING_OUTPUT_TOKENS,
    VIGIL_USAGE_WEB_SEARCH_REQUESTS,
    VIGIL_USAGE_MODELS,
    VIGIL_USAGE_MODELS_INPUT_TOKENS,
    VIGIL_USAGE_MODELS_OUTPUT_TOKENS,
    VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS,
    VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS,
    VIGIL_USAGE_SOURCE,
    VIGIL_TURN_COUNT,
    VIGIL_CHAT_COUNT,
    VIGIL_CHAT_FAILED,
    VIGIL_TOOL_COUNT,
    VIGIL_TOOL_FAILED,
    VIGIL_AGENT_COUNT,
    VIGIL_DENIED_COUNT,
    VIGIL_RETRY_COUNT,
];

const PROCESS: &[Key] =
    &[PROCESS_EXECUTABLE_NAME, PROCESS_EXECUTABLE_PATH, PROCESS_EXIT_CODE, PROCESS_PID, VIGIL_PROCESS_SIGNAL];

/// How an observed program was understood.
const OBSERVED: &[Key] = &[
    VIGIL_AGENT_PROGRAM,
    VIGIL_AGENT_VERSION,
    VIGIL_AGENT_KIND,
    VIGIL_AGENT_ASYNC,
    VIGIL_PERMISSION_MODE,
    VIGIL_STREAM_FORMAT,
    VIGIL_STREAM_LINES,
    VIGIL_STREAM_UNKNOWN_EVENTS,
    VIGIL_STREAM_BAD_LINES,
    VIGIL_STREAM_TRUNCATED,
    VIGIL_USAGE_UNATTRIBUTED_INPUT_TOKENS,
    VIGIL_USAGE_UNATTRIBUTED_OUTPUT_TOKENS,
];

const TOOL_CALL: &[Key] = &[
    GEN_AI_TOOL_TYPE,
    GEN_AI_TOOL_CALL_ID,
    GEN_AI_TOOL_DESCRIPTION,
    GEN_AI_TOOL_CALL_ARGUMENTS,
    GEN_AI_TOOL_CALL_RESULT,
    GEN_AI_SKILL_NAME,
    GEN_AI_SKILL_DESCRIPTION,
    GEN_AI_SKILL_SOURCE_URI,
    GEN_AI_SKILL_RESOURCE_NAME,
    LIFE_TOOL_STATUS,
    VIGIL_PERMISSION_DECISION,
    VIGIL_PERMISSION_SOURCE,
    VIGIL_MCP_SERVER,
];

const MCP: &[Key] = &[
    GEN_AI_OPERATION_NAME,
    GEN_AI_TOOL_NAME,
    GEN_AI_PROMPT_NAME,
    GEN_AI_TOOL_CALL_ARGUMENTS,
    GEN_AI_TOOL_CALL_RESULT,
    GEN_AI_TOOL_CALL_ID,
    LIFE_TOOL_STATUS,
    VIGIL_PROMPT_VARIABLES,
    MCP_RESOURCE_URI,
    MCP_SESSION_ID,
    MCP_PROTOCOL_VERSION,
    JSONRPC_REQUEST_ID,
    JSONRPC_PROTOCOL_VERSION,
    RPC_RESPONSE_STATUS_CODE,
    NETWORK_TRANSPORT,
    NETWORK_PROTOCOL_NAME,
    NETWORK_PROTOCOL_VERSION,
    SERVER_ADDRESS,
    SERVER_PORT,
    VIGIL_MCP_SERVER,
];

const PROVIDER_SPECIFIC: &[Key] = &[
    OPENAI_REQUEST_SERVICE_TIER,
    OPENAI_RESPONSE_SERVICE_TIER,
    OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
    OPENAI_API_TYPE,
    AWS_BEDROCK_GUARDRAIL_ID,
    AWS_BEDROCK_KNOWLEDGE_BASE_ID,
    AZURE_RESOURCE_PROVIDER_NAMESPACE,
];

/// How the first word of a span's name is found.
#[derive(Clone, Copy)]
enum Lead {
    /// It is always this.
    Fixed(&'static str),
    /// `gen_ai.operation.name`, or this.
    Operation(&'static str),
    /// `mcp.method.name`, or this.
    Method(&'static str),
    /// There is none: the target alone.
    Target,
}

macro_rules! spans {
    ($(
        $(#[doc = $doc:literal])+
        $kind:ident = $id:literal, $pattern:literal, $lead:expr, $otlp:ident, $source:expr,
        required: $required:expr,
        attributes: $attributes:expr;
    )*) => {
        /// A kind of span.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum SpanKind { $($(#[doc = $doc])+ $kind),* }

        const ALL: &[SpanKind] = &[$(SpanKind::$kind),*];

        /// The ids, in order: the words of `vigil.span.kind`.
        pub(super) const SPAN_IDS: &[&str] = &[$($id),*];

        static TABLE: &[SpanDef] = &[$(SpanDef {
            id: $id,
            name_pattern: $pattern,
            operation: operation_of($lead),
            otlp_kind: OtlpKind::$otlp,
            required: $required,
            attributes: $attributes,
            doc: concat!($($doc),+),
            source: $source,
        }),*];

        const LEADS: &[Lead] = &[$($lead),*];
    };
}

const fn operation_of(lead: Lead) -> Option<&'static str> {
    match lead {
        Lead::Operation(operation) => Some(operation),
        Lead::Fixed(_) | Lead::Method(_) | Lead::Target => None,
    }
}

spans! {
    /// A process that coordinates several agents or model operations.
    Workflow = "workflow", "invoke_workflow {gen_ai.workflow.name}", Lead::Operation("invoke_workflow"), Internal, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: keys!(&[GEN_AI_WORKFLOW_NAME, GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES], ROLL_UP, COST, VITALS);

    /// An agent's run in this process, or the run of an observed agent program.
    Agent = "agent", "invoke_agent {gen_ai.agent.name}", Lead::Operation("invoke_agent"), Internal, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: keys!(
        &[
            GEN_AI_AGENT_DESCRIPTION, GEN_AI_AGENT_ID, GEN_AI_AGENT_VERSION, GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL,
            GEN_AI_DATA_SOURCE_ID, GEN_AI_RESPONSE_FINISH_REASONS,
        ],
        REQUEST, MESSAGES, ROLL_UP, COST, VITALS, PROCESS, OBSERVED
    );

    /// One turn of an agent: from an input to the end of what follows from it.
    Turn = "turn", "turn {vigil.turn.number}", Lead::Fixed("turn"), Internal, Source::Vigil,
    required: &[VIGIL_TURN_NUMBER],
    attributes: keys!(&[GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES], ROLL_UP, COST, VITALS);

    /// One phase of the agent's loop.
    Phase = "phase", "phase {life.loop_phase}", Lead::Fixed("phase"), Internal, Source::Seed("L3"),
    required: &[LIFE_LOOP_PHASE],
    attributes: keys!(ROLL_UP, COST, VITALS);

    /// One model call, its retries included.
    Chat = "chat", "{gen_ai.operation.name} {gen_ai.request.model}", Lead::Operation("chat"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME],
    attributes: keys!(
        &[
            GEN_AI_REQUEST_MODEL, GEN_AI_REQUEST_STREAM, GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, GEN_AI_RESPONSE_ID,
            GEN_AI_RESPONSE_MODEL, GEN_AI_RESPONSE_FINISH_REASONS, GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
            GEN_AI_CONVERSATION_COMPACTED,
        ],
        REQUEST, USAGE, MESSAGES, PROMPT, COST, RELIABILITY, CALL, PROVIDER_SPECIFIC, SERVER
    );

    /// Turning texts into vectors.
    Embeddings = "embeddings", "{gen_ai.operation.name} {gen_ai.request.model}", Lead::Operation("embeddings"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME],
    attributes: keys!(
        &[
            GEN_AI_REQUEST_MODEL, GEN_AI_REQUEST_ENCODING_FORMATS, GEN_AI_USAGE_INPUT_TOKENS, GEN_AI_RESPONSE_MODEL,
            GEN_AI_EMBEDDINGS_DIMENSION_COUNT, VIGIL_USAGE_SOURCE,
        ],
        COST, RELIABILITY, CALL, SERVER
    );

    /// Searching a data source.
    Retrieval = "retrieval", "{gen_ai.operation.name} {gen_ai.data_source.id}", Lead::Operation("retrieval"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: keys!(
        &[
            GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, GEN_AI_DATA_SOURCE_ID, GEN_AI_RETRIEVAL_TOP_K,
            GEN_AI_RETRIEVAL_QUERY_TEXT, GEN_AI_RETRIEVAL_DOCUMENTS, AWS_BEDROCK_KNOWLEDGE_BASE_ID,
        ],
        RELIABILITY, SERVER
    );

    /// Fetching a response that was asked for earlier. Carries no token usage.
    FetchResponse = "fetch_response", "{gen_ai.operation.name}", Lead::Operation("fetch_response"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_RESPONSE_ID],
    attributes: keys!(
        &[
            GEN_AI_REQUEST_STREAM_CURSOR, GEN_AI_RESPONSE_MODEL, GEN_AI_RESPONSE_STATUS, GEN_AI_RESPONSE_FINISH_REASONS,
            GEN_AI_SYSTEM_INSTRUCTIONS, GEN_AI_OUTPUT_MESSAGES, GEN_AI_TOOL_DEFINITIONS,
        ],
        RELIABILITY, PROVIDER_SPECIFIC, SERVER
    );

    /// Reading or changing a memory store.
    Memory = "memory", "{gen_ai.operation.name}", Lead::Operation("search_memory"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: keys!(
        &[
            GEN_AI_PROVIDER_NAME, GEN_AI_MEMORY_STORE_ID, GEN_AI_MEMORY_RECORD_ID, GEN_AI_MEMORY_RECORD_COUNT,
            GEN_AI_MEMORY_QUERY_TEXT, GEN_AI_MEMORY_RECORDS,
        ],
        RELIABILITY, SERVER
    );

    /// Creating an agent at a remote agent service.
    CreateAgent = "create_agent", "create_agent {gen_ai.agent.name}", Lead::Operation("create_agent"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME],
    attributes: keys!(
        &[
            GEN_AI_REQUEST_MODEL, GEN_AI_AGENT_ID, GEN_AI_AGENT_DESCRIPTION, GEN_AI_AGENT_VERSION,
            GEN_AI_SYSTEM_INSTRUCTIONS,
        ],
        RELIABILITY, SERVER
    );

    /// Running an agent at a remote agent service.
    AgentClient = "agent_client", "invoke_agent {gen_ai.agent.name}", Lead::Operation("invoke_agent"), Client, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME],
    attributes: keys!(
        &[
            GEN_AI_REQUEST_MODEL, GEN_AI_AGENT_ID, GEN_AI_AGENT_DESCRIPTION, GEN_AI_AGENT_VERSION, GEN_AI_DATA_SOURCE_ID,
            GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID, GEN_AI_RESPONSE_FINISH_REASONS,
        ],
        REQUEST, USAGE, MESSAGES, COST, RELIABILITY, SERVER
    );

    /// Making a plan, where that is told apart from an ordinary model call.
    Plan = "plan", "plan {gen_ai.agent.name}", Lead::Operation("plan"), Internal, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: &[];

    /// One tool call.
    Tool = "tool", "execute_tool {gen_ai.tool.name}", Lead::Operation("execute_tool"), Internal, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME, GEN_AI_TOOL_NAME],
    attributes: keys!(TOOL_CALL, PROCESS, &[VIGIL_RETRY_COUNT], CALL);

    /// A request to an MCP server.
    McpRequest = "mcp_request", "{mcp.method.name} {target}", Lead::Method("mcp"), Client, Source::GenAi,
    required: &[MCP_METHOD_NAME],
    attributes: MCP;

    /// A request an MCP server answers.
    McpServer = "mcp_server", "{mcp.method.name} {target}", Lead::Method("mcp"), Server, Source::GenAi,
    required: &[MCP_METHOD_NAME],
    attributes: keys!(MCP, &[CLIENT_ADDRESS, CLIENT_PORT]);

    /// One call of a capability through the gateway. Never carries arguments.
    Capability = "capability", "capability {cap.name}", Lead::Fixed("capability"), Internal, Source::Seed("B1"),
    required: &[CAP_NAME],
    attributes: &[BYTES_IN, BYTES_OUT, CAP_BUDGET_REMAINING, ERROR_KIND];

    /// Waiting for somebody's leave.
    Approval = "approval", "approval {tool}", Lead::Fixed("approval"), Internal, Source::Seed("C5"),
    required: &[],
    attributes: &[GEN_AI_TOOL_NAME, GEN_AI_TOOL_CALL_ID, VIGIL_APPROVAL_DECISION, VIGIL_APPROVAL_SOURCE];

    /// Clearing away what a run left behind: attachments, worktrees.
    Cleanup = "cleanup", "cleanup {vigil.cleanup.what}", Lead::Fixed("cleanup"), Internal, Source::Seed("C1"),
    required: &[VIGIL_CLEANUP_WHAT],
    attributes: &[VIGIL_CLEANUP_COUNT];

    /// A span of the host program's own instrumentation that joined Vigil's trace.
    Host = "host", "{target}", Lead::Target, Internal, Source::Vigil,
    required: &[],
    attributes: &[VIGIL_HOST_TARGET, VIGIL_HOST_LEVEL, VIGIL_HOST_KIND, VIGIL_HOST_FIELDS];
}

indexed!(SpanKind, SpanDef, id);

impl SpanKind {
    /// The name of a span: a first word and `target`, or the first word alone when there is no target. At
    /// most [`MAX_NAME_BYTES`].
    ///
    /// The first word of GenAI spans is `gen_ai.operation.name` from `attributes` (else the usual operation),
    /// that of MCP spans `mcp.method.name`. Control characters are left out. Never empty.
    pub fn span_name(&self, attributes: &AttributeSet<'_>, target: &str) -> String {
        let mut name = String::new();
        self.with_span_name(attributes, target, |parts| {
            name.reserve(parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| name.push_str(part));
        });
        name
    }

    /// Hands the parts of [`span_name`](Self::span_name) to `write`, which puts them one after the other.
    pub fn with_span_name<R>(
        &self,
        attributes: &AttributeSet<'_>,
        target: &str,
        write: impl FnOnce(&[&str]) -> R,
    ) -> R {
        let lead = match LEADS[usize::from(self.index())] {
            Lead::Fixed(word) => word,
            Lead::Operation(usual) => attributes.str(GEN_AI_OPERATION_NAME).unwrap_or(usual),
            Lead::Method(usual) => attributes.str(MCP_METHOD_NAME).unwrap_or(usual),
            Lead::Target => "",
        };
        let gap = if lead.is_empty() || target.is_empty() { "" } else { " " };
        // Without an early exit, so that it is done sixteen bytes at a time.
        let plain = |text: &str| text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
        let len = lead.len() + gap.len() + target.len();
        if len > 0
            && len <= MAX_NAME_BYTES
            && plain(lead)
            && plain(target)
            && !target.ends_with(' ')
            && !lead.ends_with(' ')
        {
            return write(&[lead, gap, target]);
        }
        let mut name = String::with_capacity(len.min(MAX_NAME_BYTES));
        for letter in [lead, gap, target].into_iter().flat_map(str::chars).filter(|letter| !letter.is_control()) {
            if name.len() + letter.len_utf8() > MAX_NAME_BYTES {
                break;
            }
            name.push(letter);
        }
        name.truncate(name.trim_end().len());
        if name.is_empty() {
            name.push_str(self.id());
        }
        write(&[&name])
    }
}

#[cfg(test)]
mod tests;

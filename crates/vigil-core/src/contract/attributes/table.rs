//! The table of attributes. One line each: constant, wire name, type, class, source, what it says.

use super::{Class, Key, KeyDef, Source, ValueType, Words};
use crate::contract::spans::SPAN_IDS;
use crate::vocab::{
    AgentKind, BudgetKind, CapabilityError, CircuitState, Decision, DownstreamOperation, EconomicMode, ErrorType,
    EvaluationTiming, FinishReason, Health, LimitScope, McpMethod, Modality, OperatingMode, Operation, Originator,
    OutcomeWord, OutputType, Phase, Provider, RiskLevel, Service, ServiceCategory, ThrottleClass, ThrottleOutcome,
    ThrottleRule, ToolStatus, ToolType, UsageSource,
};

macro_rules! words {
    () => {
        Words::Unlisted
    };
    (known $words:expr) => {
        Words::Known($words)
    };
    (closed $words:expr) => {
        Words::Closed($words)
    };
}

macro_rules! attributes {
    ($($constant:ident = $name:literal, $ty:ident, $class:ident $(($($words:tt)+))?, $source:expr, $doc:literal;)*) => {
        #[expect(non_camel_case_types, reason = "counts the constants, is never seen")]
        #[repr(u16)]
        enum Place { $($constant),* }

        pub(super) static TABLE: &[KeyDef] = &[$(KeyDef {
            name: $name,
            ty: ValueType::$ty,
            class: Class::$class,
            words: words!($($($words)+)?),
            doc: $doc,
            source: $source,
        }),*];

        /// Every attribute key as a constant, named by the upper-snake form of its wire name.
        pub mod attr {
            use super::{Key, Place};

            $(
                #[doc = concat!("`", $name, "`: ", $doc)]
                pub const $constant: Key = Key(Place::$constant as u16);
            )*
        }

        #[cfg(test)]
        pub(super) const CONSTANTS: &[&str] = &[$(stringify!($constant)),*];
    };
}

attributes! {
    // GenAI: what and who
    GEN_AI_OPERATION_NAME = "gen_ai.operation.name", Str, Enum(known Operation::WORDS), Source::GenAi,
        "What the span does.";
    GEN_AI_PROVIDER_NAME = "gen_ai.provider.name", Str, Enum(known Provider::WORDS), Source::GenAi,
        "Whose telemetry flavour the call has; may differ from the true upstream behind a proxy.";
    GEN_AI_OUTPUT_TYPE = "gen_ai.output.type", Str, Enum(known OutputType::WORDS), Source::GenAi,
        "The kind of output asked for.";
    GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id", Str, Name, Source::GenAi,
        "The conversation, session or thread, from a real identifier only.";
    GEN_AI_CONVERSATION_COMPACTED = "gen_ai.conversation.compacted", Bool, Number, Source::GenAi,
        "The conversation was compacted before this call; only ever true.";
    GEN_AI_AGENT_ID = "gen_ai.agent.id", Str, Name, Source::GenAi,
        "The stable id of a hosted agent.";
    GEN_AI_AGENT_NAME = "gen_ai.agent.name", Str, Name, Source::GenAi,
        "The agent's name.";
    GEN_AI_AGENT_DESCRIPTION = "gen_ai.agent.description", Str, Text, Source::GenAi,
        "What the agent is for.";
    GEN_AI_AGENT_VERSION = "gen_ai.agent.version", Str, Name, Source::GenAi,
        "The agent's version.";
    GEN_AI_WORKFLOW_NAME = "gen_ai.workflow.name", Str, Name, Source::GenAi,
        "The workflow's name.";
    GEN_AI_DATA_SOURCE_ID = "gen_ai.data_source.id", Str, Name, Source::GenAi,
        "The data source that is searched.";
    GEN_AI_MAIN_AGENT_ID = "gen_ai.main_agent.id", Str, Name, Source::GenAi,
        "Resource: the stable id of the process's main agent.";
    GEN_AI_MAIN_AGENT_NAME = "gen_ai.main_agent.name", Str, Name, Source::GenAi,
        "Resource: the name of the process's main agent.";
    GEN_AI_MAIN_AGENT_DESCRIPTION = "gen_ai.main_agent.description", Str, Text, Source::GenAi,
        "Resource: what the process's main agent is for.";

    // GenAI: the request
    GEN_AI_REQUEST_MODEL = "gen_ai.request.model", Str, Name, Source::GenAi,
        "The model asked for.";
    GEN_AI_REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens", Int, Number, Source::GenAi,
        "The most tokens the answer may have.";
    GEN_AI_REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count", Int, Number, Source::GenAi,
        "How many answers were asked for, where it is not one.";
    GEN_AI_REQUEST_TEMPERATURE = "gen_ai.request.temperature", Double, Number, Source::GenAi,
        "The temperature asked for.";
    GEN_AI_REQUEST_TOP_P = "gen_ai.request.top_p", Double, Number, Source::GenAi,
        "The nucleus sampling asked for.";
    GEN_AI_REQUEST_TOP_K = "gen_ai.request.top_k", Int, Number, Source::GenAi,
        "The top-k sampling asked for.";
    GEN_AI_REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences", StrList, Text, Source::GenAi,
        "Texts that end the answer.";
    GEN_AI_REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty", Double, Number, Source::GenAi,
        "The frequency penalty asked for.";
    GEN_AI_REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty", Double, Number, Source::GenAi,
        "The presence penalty asked for.";
    GEN_AI_REQUEST_ENCODING_FORMATS = "gen_ai.request.encoding_formats", StrList, Enum, Source::GenAi,
        "The encodings of embeddings asked for.";
    GEN_AI_REQUEST_SEED = "gen_ai.request.seed", Int, Number, Source::GenAi,
        "The seed asked for.";
    GEN_AI_REQUEST_STREAM = "gen_ai.request.stream", Bool, Number, Source::GenAi,
        "The answer is streamed; absent when it is not.";
    GEN_AI_REQUEST_REASONING_LEVEL = "gen_ai.request.reasoning.level", Str, Enum, Source::GenAi,
        "The reasoning effort, exactly as sent.";
    GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID = "gen_ai.request.previous_response.id", Str, Name, Source::GenAi,
        "The response this request goes on from.";
    GEN_AI_REQUEST_STREAM_CURSOR = "gen_ai.request.stream_cursor", Str, Name, Source::GenAi,
        "Where a fetched stream goes on from.";

    // GenAI: the response
    GEN_AI_RESPONSE_ID = "gen_ai.response.id", Str, Name, Source::GenAi,
        "The provider's id of the response.";
    GEN_AI_RESPONSE_MODEL = "gen_ai.response.model", Str, Name, Source::GenAi,
        "The model that answered.";
    GEN_AI_RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons", StrList, Enum(known FinishReason::WORDS), Source::GenAi,
        "Why the model stopped, one for each answer, in order.";
    GEN_AI_RESPONSE_STATUS = "gen_ai.response.status", Str, Enum(closed &["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]), Source::GenAi,
        "The state of a fetched response.";
    GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk", Double, Number, Source::GenAi,
        "Seconds from the request to the first chunk of a streamed answer.";

    // GenAI: tokens of one model call (never of a sum over calls)
    GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens", Int, Number, Source::GenAi,
        "Input tokens, cached ones included.";
    GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens", Int, Number, Source::GenAi,
        "Output tokens, reasoning included.";
    GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens", Int, Number, Source::GenAi,
        "Input tokens read from a cache; part of the input.";
    GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS = "gen_ai.usage.cache_write.input_tokens", Int, Number, Source::GenAi,
        "Input tokens written to a cache; part of the input.";
    GEN_AI_USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens", Int, Number, Source::GenAi,
        "Output tokens spent on reasoning; part of the output.";
    GEN_AI_USAGE_TEXT_INPUT_TOKENS = "gen_ai.usage.text.input_tokens", Int, Number, Source::GenAi,
        "Input tokens that encode text; part of the input.";
    GEN_AI_USAGE_IMAGE_INPUT_TOKENS = "gen_ai.usage.image.input_tokens", Int, Number, Source::GenAi,
        "Input tokens that encode image; part of the input.";
    GEN_AI_USAGE_AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens", Int, Number, Source::GenAi,
        "Input tokens that encode audio; part of the input.";
    GEN_AI_USAGE_TEXT_OUTPUT_TOKENS = "gen_ai.usage.text.output_tokens", Int, Number, Source::GenAi,
        "Output tokens that encode text; part of the output.";
    GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS = "gen_ai.usage.image.output_tokens", Int, Number, Source::GenAi,
        "Output tokens that encode image; part of the output.";
    GEN_AI_USAGE_AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens", Int, Number, Source::GenAi,
        "Output tokens that encode audio; part of the output.";
    GEN_AI_USAGE_TEXT_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.text.cache_read.input_tokens", Int, Number, Source::GenAi,
        "Cached input tokens that encode text; part of both.";
    GEN_AI_USAGE_IMAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.image.cache_read.input_tokens", Int, Number, Source::GenAi,
        "Cached input tokens that encode image; part of both.";
    GEN_AI_USAGE_AUDIO_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.audio.cache_read.input_tokens", Int, Number, Source::GenAi,
        "Cached input tokens that encode audio; part of both.";
    GEN_AI_TOKEN_MODALITY = "gen_ai.token.modality", Str, Enum(closed Modality::WORDS), Source::GenAi,
        "On metrics: what the tokens encode.";
    GEN_AI_TOKEN_TYPE = "gen_ai.token.type", Str, Enum(closed &["input", "output"]), Source::Compat,
        "On the deprecated token metric: which tokens.";
    GEN_AI_SYSTEM = "gen_ai.system", Str, Enum, Source::Compat,
        "The provider under its old name.";

    // GenAI: content
    GEN_AI_INPUT_MESSAGES = "gen_ai.input.messages", Str, Text, Source::GenAi,
        "What was sent to the model: JSON, messages in order.";
    GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages", Str, Text, Source::GenAi,
        "What the model answered: JSON, one message for each answer.";
    GEN_AI_SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions", Str, Text, Source::GenAi,
        "The system instructions: JSON.";
    GEN_AI_TOOL_DEFINITIONS = "gen_ai.tool.definitions", Str, Text, Source::GenAi,
        "The tools the model was offered: JSON.";
    GEN_AI_RETRIEVAL_QUERY_TEXT = "gen_ai.retrieval.query.text", Str, Text, Source::GenAi,
        "What was searched for.";
    GEN_AI_RETRIEVAL_DOCUMENTS = "gen_ai.retrieval.documents", Str, Text, Source::GenAi,
        "What was found: JSON.";
    GEN_AI_MEMORY_QUERY_TEXT = "gen_ai.memory.query.text", Str, Text, Source::GenAi,
        "What was searched for in the memory.";
    GEN_AI_MEMORY_RECORDS = "gen_ai.memory.records", Str, Text, Source::GenAi,
        "Memory records: JSON.";

    // GenAI: tools, skills, prompts
    GEN_AI_TOOL_NAME = "gen_ai.tool.name", Str, Name, Source::GenAi,
        "The tool's name.";
    GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id", Str, Name, Source::GenAi,
        "The id of the call.";
    GEN_AI_TOOL_DESCRIPTION = "gen_ai.tool.description", Str, Text, Source::GenAi,
        "What the tool is for.";
    GEN_AI_TOOL_TYPE = "gen_ai.tool.type", Str, Enum(closed ToolType::WORDS), Source::GenAi,
        "Where the tool runs.";
    GEN_AI_TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments", Str, Text, Source::GenAi,
        "The arguments of the call: JSON.";
    GEN_AI_TOOL_CALL_RESULT = "gen_ai.tool.call.result", Str, Text, Source::GenAi,
        "The result of the call: JSON; only of a call that succeeded.";
    GEN_AI_SKILL_NAME = "gen_ai.skill.name", Str, Name, Source::GenAi,
        "The skill the tool call loads or uses.";
    GEN_AI_SKILL_DESCRIPTION = "gen_ai.skill.description", Str, Text, Source::GenAi,
        "What the skill is for.";
    GEN_AI_SKILL_SOURCE_URI = "gen_ai.skill.source.uri", Str, Text, Source::GenAi,
        "Where the skill comes from.";
    GEN_AI_SKILL_RESOURCE_NAME = "gen_ai.skill.resource.name", Str, Text, Source::GenAi,
        "The resource of the skill that is read.";
    GEN_AI_PROMPT_NAME = "gen_ai.prompt.name", Str, Name, Source::GenAi,
        "The name of the prompt template.";
    GEN_AI_PROMPT_VERSION = "gen_ai.prompt.version", Str, Name, Source::GenAi,
        "The version of the prompt template.";

    // GenAI: retrieval, memory, embeddings
    GEN_AI_RETRIEVAL_TOP_K = "gen_ai.retrieval.top_k", Int, Number, Source::GenAi,
        "How many documents were asked for.";
    GEN_AI_MEMORY_STORE_ID = "gen_ai.memory.store.id", Str, Name, Source::GenAi,
        "The memory store.";
    GEN_AI_MEMORY_RECORD_ID = "gen_ai.memory.record.id", Str, Name, Source::GenAi,
        "The memory record.";
    GEN_AI_MEMORY_RECORD_COUNT = "gen_ai.memory.record.count", Int, Number, Source::GenAi,
        "How many memory records.";
    GEN_AI_EMBEDDINGS_DIMENSION_COUNT = "gen_ai.embeddings.dimension.count", Int, Number, Source::GenAi,
        "How many dimensions the embeddings have.";

    // GenAI: evaluation
    GEN_AI_EVALUATION_NAME = "gen_ai.evaluation.name", Str, Name, Source::GenAi,
        "What was evaluated.";
    GEN_AI_EVALUATION_SCORE_VALUE = "gen_ai.evaluation.score.value", Double, Number, Source::GenAi,
        "The score.";
    GEN_AI_EVALUATION_SCORE_LABEL = "gen_ai.evaluation.score.label", Str, Name, Source::GenAi,
        "The verdict in a word.";
    GEN_AI_EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation", Str, Text, Source::GenAi,
        "Why the verdict is so.";

    // OpenAI, Bedrock
    OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier", Str, Enum(known &["auto", "default"]), Source::GenAi,
        "The service tier asked for.";
    OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier", Str, Enum, Source::GenAi,
        "The service tier that served the request.";
    OPENAI_RESPONSE_SYSTEM_FINGERPRINT = "openai.response.system_fingerprint", Str, Name, Source::GenAi,
        "The backend configuration that served the request.";
    OPENAI_API_TYPE = "openai.api.type", Str, Enum(known &["chat_completions", "responses"]), Source::GenAi,
        "Which OpenAI API was called.";
    AWS_BEDROCK_GUARDRAIL_ID = "aws.bedrock.guardrail.id", Str, Name, Source::GenAi,
        "The guardrail.";
    AWS_BEDROCK_KNOWLEDGE_BASE_ID = "aws.bedrock.knowledge_base.id", Str, Name, Source::GenAi,
        "The knowledge base.";
    AZURE_RESOURCE_PROVIDER_NAMESPACE = "azure.resource_provider.namespace", Str, Name, Source::OpenTelemetry,
        "The Azure resource provider, for example `Microsoft.CognitiveServices`.";

    // MCP and JSON-RPC
    MCP_METHOD_NAME = "mcp.method.name", Str, Enum(known McpMethod::WORDS), Source::GenAi,
        "The MCP method.";
    MCP_SESSION_ID = "mcp.session.id", Str, Name, Source::GenAi,
        "The MCP session.";
    MCP_RESOURCE_URI = "mcp.resource.uri", Str, Text, Source::GenAi,
        "The resource asked for.";
    MCP_PROTOCOL_VERSION = "mcp.protocol.version", Str, Name, Source::GenAi,
        "The version of MCP.";
    JSONRPC_REQUEST_ID = "jsonrpc.request.id", Str, Name, Source::OpenTelemetry,
        "The id of the JSON-RPC request.";
    JSONRPC_PROTOCOL_VERSION = "jsonrpc.protocol.version", Str, Name, Source::OpenTelemetry,
        "The version of JSON-RPC, where it is not 2.0.";
    RPC_RESPONSE_STATUS_CODE = "rpc.response.status_code", Str, Name, Source::OpenTelemetry,
        "The JSON-RPC error code, as text.";
    VIGIL_MCP_SERVER = "vigil.mcp.server", Str, Name, Source::Vigil,
        "The MCP server, as the agent's configuration names it.";

    // OpenTelemetry: errors, network, processes
    ERROR_TYPE = "error.type", Str, Enum(known ErrorType::WORDS), Source::OpenTelemetry,
        "Why it failed; never set on success.";
    EXCEPTION_TYPE = "exception.type", Str, Name, Source::OpenTelemetry,
        "The type of the exception.";
    EXCEPTION_MESSAGE = "exception.message", Str, Text, Source::OpenTelemetry,
        "The message of the exception.";
    EXCEPTION_STACKTRACE = "exception.stacktrace", Str, Text, Source::OpenTelemetry,
        "The stack trace of the exception.";
    SERVER_ADDRESS = "server.address", Str, Name, Source::OpenTelemetry,
        "The host that was called.";
    SERVER_PORT = "server.port", Int, Number, Source::OpenTelemetry,
        "The port that was called.";
    CLIENT_ADDRESS = "client.address", Str, Name, Source::OpenTelemetry,
        "The host that called.";
    CLIENT_PORT = "client.port", Int, Number, Source::OpenTelemetry,
        "The port it called from.";
    NETWORK_TRANSPORT = "network.transport", Str, Enum(known &["pipe", "tcp", "udp", "quic", "unix"]), Source::OpenTelemetry,
        "The transport.";
    NETWORK_PROTOCOL_NAME = "network.protocol.name", Str, Enum(known &["http", "websocket"]), Source::OpenTelemetry,
        "The protocol above the transport.";
    NETWORK_PROTOCOL_VERSION = "network.protocol.version", Str, Name, Source::OpenTelemetry,
        "The version of that protocol.";
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code", Int, Number, Source::OpenTelemetry,
        "The HTTP status of the response that ended the call.";
    HTTP_REQUEST_RESEND_COUNT = "http.request.resend_count", Int, Number, Source::OpenTelemetry,
        "How often the HTTP request had been sent before.";
    PROCESS_EXECUTABLE_NAME = "process.executable.name", Str, Name, Source::OpenTelemetry,
        "The program, without its path.";
    PROCESS_EXECUTABLE_PATH = "process.executable.path", Str, Text, Source::OpenTelemetry,
        "The program's path.";
    PROCESS_EXIT_CODE = "process.exit.code", Int, Number, Source::OpenTelemetry,
        "The exit status of the process.";
    PROCESS_PID = "process.pid", Int, Number, Source::OpenTelemetry,
        "The process id.";
    SESSION_ID = "session.id", Str, Name, Source::OpenTelemetry,
        "The session of the client program's user; backends group by it.";

    // Life: the agent's loop
    LIFE_SESSION_ID = "life.session_id", Str, Name, Source::Seed("L10"),
        "The agent's session.";
    LIFE_RUN_ID = "life.run_id", Str, Name, Source::Seed("L10"),
        "One run within the session.";
    LIFE_BRANCH_ID = "life.branch_id", Str, Name, Source::Seed("L10"),
        "The branch of the session's history.";
    LIFE_LOOP_PHASE = "life.loop_phase", Str, Enum(closed Phase::WORDS), Source::Seed("L10"),
        "The phase of the loop.";
    LIFE_OPERATING_MODE = "life.operating_mode", Str, Enum(closed OperatingMode::WORDS), Source::Seed("L10"),
        "What the agent is up to.";
    LIFE_EVENT_SEQ = "life.event_seq", Int, Number, Source::Seed("L10"),
        "The number of the event in the journal.";
    LIFE_EVENT_KIND = "life.event_kind", Str, Enum, Source::Seed("L10"),
        "The kind of the event in the journal.";
    LIFE_BUDGET_TOKENS_REMAINING = "life.budget.tokens_remaining", Int, Number, Source::Seed("L10"),
        "Tokens left.";
    LIFE_BUDGET_COST_REMAINING_USD = "life.budget.cost_remaining_usd", Double, Number, Source::Seed("L10"),
        "US dollars left.";
    LIFE_BUDGET_TIME_REMAINING_MS = "life.budget.time_remaining_ms", Int, Number, Source::Seed("L10"),
        "Milliseconds left.";
    LIFE_BUDGET_TOOL_CALLS_REMAINING = "life.budget.tool_calls_remaining", Int, Number, Source::Seed("L10"),
        "Tool calls left.";
    LIFE_STATE_PROGRESS = "life.state.progress", Double, Number, Source::Seed("L10"),
        "How far the agent believes it is, 0 to 1.";
    LIFE_STATE_UNCERTAINTY = "life.state.uncertainty", Double, Number, Source::Seed("L10"),
        "How unsure it is, 0 to 1.";
    LIFE_STATE_RISK_LEVEL = "life.state.risk_level", Str, Enum(closed RiskLevel::WORDS), Source::Seed("L10"),
        "How risky its course is.";
    LIFE_STATE_ERROR_STREAK = "life.state.error_streak", Int, Number, Source::Seed("L10"),
        "Errors in a row.";
    LIFE_STATE_CONTEXT_PRESSURE = "life.state.context_pressure", Double, Number, Source::Seed("L10"),
        "How full the model's context is, 0 to 1.";
    LIFE_TOOL_STATUS = "life.tool.status", Str, Enum(closed ToolStatus::WORDS), Source::Seed("L10"),
        "How the tool call ended.";
    LIFE_MODE_FROM = "life.mode.from", Str, Enum(closed OperatingMode::WORDS), Source::Seed("L10"),
        "The mode before.";
    LIFE_MODE_TO = "life.mode.to", Str, Enum(closed OperatingMode::WORDS), Source::Seed("L10"),
        "The mode after.";
    LIFE_EVAL_EVALUATOR = "life.eval.evaluator", Str, Name, Source::Seed("L10"),
        "Who evaluates.";
    LIFE_EVAL_SCORE = "life.eval.score", Double, Number, Source::Seed("L10"),
        "The score.";
    LIFE_EVAL_LABEL = "life.eval.label", Str, Name, Source::Seed("L10"),
        "The verdict in a word.";
    LIFE_EVAL_LAYER = "life.eval.layer", Str, Enum, Source::Seed("L10"),
        "Which layer is evaluated, for example reasoning, action or execution.";
    LIFE_EVAL_TIMING = "life.eval.timing", Str, Enum(closed EvaluationTiming::WORDS), Source::Seed("L10"),
        "When the evaluation is made.";
    LIFE_RELIABILITY_RETRY_COUNT = "life.reliability.retry_count", Int, Number, Source::Seed("L10"),
        "How often the call was tried again.";
    LIFE_RELIABILITY_FALLBACK_TRIGGERED = "life.reliability.fallback_triggered", Bool, Number, Source::Seed("L10"),
        "Another model or way was taken.";
    LIFE_RELIABILITY_CIRCUIT_STATE = "life.reliability.circuit_state", Str, Enum(closed CircuitState::WORDS), Source::Seed("L10"),
        "The state of the circuit breaker.";

    // Autonomic: the agent's health
    AUTONOMIC_ECONOMIC_MODE = "autonomic.economic_mode", Str, Enum(closed EconomicMode::WORDS), Source::Seed("L10"),
        "How freely the agent spends.";
    AUTONOMIC_ECONOMIC_MODE_FROM = "autonomic.economic_mode.from", Str, Enum(closed EconomicMode::WORDS), Source::Vigil,
        "The economic mode before.";
    AUTONOMIC_ECONOMIC_MODE_TO = "autonomic.economic_mode.to", Str, Enum(closed EconomicMode::WORDS), Source::Vigil,
        "The economic mode after.";
    AUTONOMIC_OPERATIONAL_HEALTH = "autonomic.operational_health", Str, Enum(closed Health::WORDS), Source::Seed("L10"),
        "Health of its tools and services.";
    AUTONOMIC_COGNITIVE_HEALTH = "autonomic.cognitive_health", Str, Enum(closed Health::WORDS), Source::Seed("L10"),
        "Health of its reasoning.";
    AUTONOMIC_ECONOMIC_HEALTH = "autonomic.economic_health", Str, Enum(closed Health::WORDS), Source::Seed("L10"),
        "Health of its budget.";

    // Lago: the agent's journal
    LAGO_STREAM_ID = "lago.stream_id", Str, Name, Source::Seed("L10"),
        "The journal's stream.";
    LAGO_BLOB_HASH = "lago.blob_hash", Str, Name, Source::Seed("L10"),
        "The content address of a blob.";
    LAGO_FS_BRANCH = "lago.fs_branch", Str, Name, Source::Seed("L10"),
        "The branch of the agent's file system.";

    // Capability calls
    CAP_NAME = "cap.name", Str, Name, Source::Seed("B1"),
        "The capability.";
    BYTES_IN = "bytes_in", Int, Number, Source::Seed("B1"),
        "UTF-8 bytes of text in the arguments.";
    BYTES_OUT = "bytes_out", Int, Number, Source::Seed("B1"),
        "UTF-8 bytes of text in the result.";
    CAP_BUDGET_REMAINING = "cap.budget_remaining", Int, Number, Source::Seed("B1"),
        "Calls left after this one. 0 without an error: the last allowed call; 0 with budget_exceeded: a refused one.";
    ERROR_KIND = "error.kind", Str, Enum(closed CapabilityError::WORDS), Source::Seed("B1"),
        "How the call failed; absent when it did not.";

    // Throttled downstreams
    DOWNSTREAM_SERVICE = "downstream.service", Str, Enum(closed ServiceCategory::WORDS), Source::Seed("T9"),
        "The category of the service.";
    DOWNSTREAM_PROVIDER = "downstream.provider", Str, Enum(closed Service::WORDS), Source::Vigil,
        "The service itself, or the program that tells of it.";
    DOWNSTREAM_OPERATION = "downstream.operation", Str, Enum(closed DownstreamOperation::WORDS), Source::Seed("T9"),
        "What was being done; never arguments.";
    DOWNSTREAM_CLASSIFICATION = "downstream.classification", Str, Enum(closed ThrottleClass::WORDS), Source::Seed("T9"),
        "How the service throttles.";
    DOWNSTREAM_RETRYABLE = "downstream.retryable", Bool, Number, Source::Seed("T9"),
        "Trying again later can help.";
    DOWNSTREAM_SCOPE = "downstream.scope", Str, Enum(closed LimitScope::WORDS), Source::Vigil,
        "What is limited.";
    DOWNSTREAM_RETRY_AFTER_MS = "downstream.retry_after_ms", Int, Number, Source::Vigil,
        "Milliseconds to wait, as the service said.";
    DOWNSTREAM_LIMIT = "downstream.limit", Int, Number, Source::Vigil,
        "The limit, as the service said.";
    DOWNSTREAM_REMAINING = "downstream.remaining", Int, Number, Source::Vigil,
        "What is left of the limit, as the service said.";
    DOWNSTREAM_RESET_AT = "downstream.reset_at", Int, Number, Source::Vigil,
        "When the limit resets: seconds since the Unix epoch.";
    VIGIL_THROTTLE_OUTCOME = "vigil.throttle.outcome", Str, Enum(closed ThrottleOutcome::WORDS), Source::Vigil,
        "What became of the throttled call.";
    VIGIL_THROTTLE_RULE = "vigil.throttle.rule", Str, Enum(closed ThrottleRule::WORDS), Source::Vigil,
        "The rule that recognised the throttling; the part before the dot is its evidence.";
    VIGIL_THROTTLE_COUNT = "vigil.throttle.count", Int, Number, Source::Vigil,
        "How often the same throttling was met that this event stands for; absent for once.";
    VIGIL_THROTTLE_WAIT_MS = "vigil.throttle.wait_ms", Int, Number, Source::Vigil,
        "Milliseconds that are waited because of it, where that is known.";
    VIGIL_THROTTLE_REMAINING_RATIO = "vigil.throttle.remaining_ratio", Double, Number, Source::Vigil,
        "What is left of a limit, 0 to 1.";

    // Vigil: every record
    VIGIL_ORIGINATOR = "vigil.originator", Str, Enum(closed Originator::WORDS), Source::Seed("C2"),
        "Who says it: a program that links Vigil, or the program `vigil`.";
    VIGIL_OUTCOME = "vigil.outcome", Str, Enum(closed OutcomeWord::WORDS), Source::Vigil,
        "How the span ended; `cancelled` is not an error.";
    VIGIL_REPLAY = "vigil.replay", Bool, Number, Source::Vigil,
        "The work was replayed from a journal, not done anew; only ever true.";
    VIGIL_SPAN_KIND = "vigil.span.kind", Str, Enum(closed SPAN_IDS), Source::Vigil,
        "The kind of the span that started.";
    VIGIL_SPAN_TARGET = "vigil.span.target", Str, Name, Source::Vigil,
        "The variable part of the name of the span that started.";
    VIGIL_CONTENT_TRUNCATED_BYTES = "vigil.content.truncated_bytes", Int, Number, Source::Vigil,
        "Bytes of free text left out for length.";
    VIGIL_PROMPT_VARIABLES = "vigil.prompt.variables", Str, Text, Source::Vigil,
        "Variables of the prompt template: a JSON object (the conventions' `gen_ai.prompt.variable.<key>`).";

    // Vigil: tokens and money (distinct from gen_ai.usage.* so that sums are not counted twice)
    VIGIL_USAGE_INPUT_TOKENS = "vigil.usage.input_tokens", Int, Number, Source::Vigil,
        "Input tokens of all model calls below, cached ones included.";
    VIGIL_USAGE_OUTPUT_TOKENS = "vigil.usage.output_tokens", Int, Number, Source::Vigil,
        "Output tokens of all model calls below, reasoning included.";
    VIGIL_USAGE_CACHE_READ_INPUT_TOKENS = "vigil.usage.cache_read.input_tokens", Int, Number, Source::Vigil,
        "Cache reads of all model calls below; part of the input.";
    VIGIL_USAGE_CACHE_WRITE_INPUT_TOKENS = "vigil.usage.cache_write.input_tokens", Int, Number, Source::Vigil,
        "Cache writes of all model calls below; part of the input.";
    VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS = "vigil.usage.cache_write_1h.input_tokens", Int, Number, Source::Vigil,
        "Cache writes kept for an hour, of this call or all below; part of the cache writes, and dearer.";
    VIGIL_USAGE_REASONING_OUTPUT_TOKENS = "vigil.usage.reasoning.output_tokens", Int, Number, Source::Vigil,
        "Reasoning tokens of all model calls below; part of the output.";
    VIGIL_USAGE_WEB_SEARCH_REQUESTS = "vigil.usage.web_search.requests", Int, Number, Source::Vigil,
        "Web searches the provider made and bills, of this call or all below.";
    VIGIL_USAGE_UNATTRIBUTED_INPUT_TOKENS = "vigil.usage.unattributed.input_tokens", Int, Number, Source::Vigil,
        "Input tokens the totals hold and no recorded call accounts for; part of the input.";
    VIGIL_USAGE_UNATTRIBUTED_OUTPUT_TOKENS = "vigil.usage.unattributed.output_tokens", Int, Number, Source::Vigil,
        "Output tokens the totals hold and no recorded call accounts for; part of the output.";
    VIGIL_USAGE_MODELS = "vigil.usage.models", StrList, Name, Source::Vigil,
        "The models used below.";
    VIGIL_USAGE_MODELS_INPUT_TOKENS = "vigil.usage.models.input_tokens", IntList, Number, Source::Vigil,
        "Input tokens by model, in the order of `vigil.usage.models`.";
    VIGIL_USAGE_MODELS_OUTPUT_TOKENS = "vigil.usage.models.output_tokens", IntList, Number, Source::Vigil,
        "Output tokens by model, in the order of `vigil.usage.models`.";
    VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS = "vigil.usage.models.cache_read.input_tokens", IntList, Number, Source::Vigil,
        "Cache reads by model, in the order of `vigil.usage.models`.";
    VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS = "vigil.usage.models.cache_write.input_tokens", IntList, Number, Source::Vigil,
        "Cache writes by model, in the order of `vigil.usage.models`.";
    VIGIL_USAGE_SOURCE = "vigil.usage.source", Str, Enum(closed UsageSource::WORDS), Source::Vigil,
        "Where the token counts come from.";
    VIGIL_COST_NANO_USD = "vigil.cost.nano_usd", Int, Number, Source::Vigil,
        "The cost in billionths of a US dollar, by Vigil's price table; absent when a model has no price.";
    VIGIL_COST_TABLE = "vigil.cost.table", Str, Name, Source::Vigil,
        "The date of the price table.";
    VIGIL_COST_UNPRICED_MODELS = "vigil.cost.unpriced_models", StrList, Name, Source::Vigil,
        "Models that have no price, so that the cost is not known.";
    VIGIL_COST_REPORTED_USD = "vigil.cost.reported_usd", Double, Number, Source::Vigil,
        "The cost in US dollars as the observed program reports it.";

    // Vigil: the run
    VIGIL_TURN_NUMBER = "vigil.turn.number", Int, Number, Source::Vigil,
        "The number of the turn, from 1.";
    VIGIL_TURN_COUNT = "vigil.turn.count", Int, Number, Source::Vigil,
        "Turns below.";
    VIGIL_CHAT_COUNT = "vigil.chat.count", Int, Number, Source::Vigil,
        "Model calls below, failed ones included.";
    VIGIL_CHAT_FAILED = "vigil.chat.failed", Int, Number, Source::Vigil,
        "Model calls below that failed.";
    VIGIL_TOOL_COUNT = "vigil.tool.count", Int, Number, Source::Vigil,
        "Tool calls below, failed ones included.";
    VIGIL_TOOL_FAILED = "vigil.tool.failed", Int, Number, Source::Vigil,
        "Tool calls below that failed.";
    VIGIL_AGENT_COUNT = "vigil.agent.count", Int, Number, Source::Vigil,
        "Sub-agents below.";
    VIGIL_DENIED_COUNT = "vigil.denied.count", Int, Number, Source::Vigil,
        "Tool calls below that were not permitted.";
    VIGIL_AGENT_PROGRAM = "vigil.agent.program", Str, Name, Source::Vigil,
        "The program that was observed.";
    VIGIL_AGENT_VERSION = "vigil.agent.version", Str, Name, Source::Vigil,
        "The version of the program that was observed.";
    VIGIL_AGENT_KIND = "vigil.agent.kind", Str, Enum(closed AgentKind::WORDS), Source::Vigil,
        "The agent that was started, or one it started.";
    VIGIL_AGENT_ASYNC = "vigil.agent.async", Bool, Number, Source::Vigil,
        "The agent runs beside the call that launched it.";
    VIGIL_PROCESS_SIGNAL = "vigil.process.signal", Str, Enum, Source::Vigil,
        "The signal that ended the process, for example `SIGTERM`.";

    // Vigil: permissions, cleanup
    VIGIL_PERMISSION_MODE = "vigil.permission.mode", Str, Enum, Source::Vigil,
        "The mode the observed agent decides permissions by.";
    VIGIL_PERMISSION_DECISION = "vigil.permission.decision", Str, Enum(closed Decision::WORDS), Source::Vigil,
        "What was decided about a tool call.";
    VIGIL_PERMISSION_SOURCE = "vigil.permission.source", Str, Enum, Source::Vigil,
        "Who or what decided: a rule, a hook, a person.";
    VIGIL_APPROVAL_DECISION = "vigil.approval.decision", Str, Enum(closed Decision::WORDS), Source::Vigil,
        "What was decided about the approval.";
    VIGIL_APPROVAL_SOURCE = "vigil.approval.source", Str, Enum, Source::Vigil,
        "Who or what decided: a rule, a hook, a person.";
    VIGIL_CLEANUP_WHAT = "vigil.cleanup.what", Str, Name, Source::Vigil,
        "What is cleaned up: attachments, worktrees, …";
    VIGIL_CLEANUP_COUNT = "vigil.cleanup.count", Int, Number, Source::Vigil,
        "How many things were cleaned up.";

    // Vigil: retries, compaction, fallback, budgets
    VIGIL_RETRY_COUNT = "vigil.retry.count", Int, Number, Source::Vigil,
        "Retries of this call, or of all calls below.";
    VIGIL_RETRY_ATTEMPT = "vigil.retry.attempt", Int, Number, Source::Vigil,
        "Which retry this is, from 1.";
    VIGIL_RETRY_MAX_ATTEMPTS = "vigil.retry.max_attempts", Int, Number, Source::Vigil,
        "The most retries there may be.";
    VIGIL_RETRY_DELAY_MS = "vigil.retry.delay_ms", Int, Number, Source::Vigil,
        "Milliseconds until the retry.";
    VIGIL_RETRY_REASON = "vigil.retry.reason", Str, Enum(known ErrorType::WORDS), Source::Vigil,
        "Why it is tried again.";
    VIGIL_COMPACTION_TRIGGER = "vigil.compaction.trigger", Str, Enum(known &["auto", "manual"]), Source::Vigil,
        "What started the compaction.";
    VIGIL_COMPACTION_PRE_TOKENS = "vigil.compaction.pre_tokens", Int, Number, Source::Vigil,
        "Tokens of the conversation before.";
    VIGIL_COMPACTION_POST_TOKENS = "vigil.compaction.post_tokens", Int, Number, Source::Vigil,
        "Tokens of the conversation after.";
    VIGIL_COMPACTION_DURATION_MS = "vigil.compaction.duration_ms", Int, Number, Source::Vigil,
        "Milliseconds it took.";
    VIGIL_FALLBACK_FROM_MODEL = "vigil.fallback.from_model", Str, Name, Source::Vigil,
        "The model that was left.";
    VIGIL_FALLBACK_TO_MODEL = "vigil.fallback.to_model", Str, Name, Source::Vigil,
        "The model that was taken instead.";
    VIGIL_FALLBACK_TRIGGER = "vigil.fallback.trigger", Str, Enum(known ErrorType::WORDS), Source::Vigil,
        "Why the model was left.";
    VIGIL_BUDGET_KIND = "vigil.budget.kind", Str, Enum(closed BudgetKind::WORDS), Source::Vigil,
        "What the budget counts.";
    VIGIL_BUDGET_LIMIT = "vigil.budget.limit", Int, Number, Source::Vigil,
        "The budget's limit: tokens, nano-dollars, milliseconds or calls, by kind.";

    // Vigil: the observed stream
    VIGIL_STREAM_FORMAT = "vigil.stream.format", Str, Enum, Source::Vigil,
        "The format of the observed output.";
    VIGIL_STREAM_LINES = "vigil.stream.lines", Int, Number, Source::Vigil,
        "Lines of the observed output.";
    VIGIL_STREAM_UNKNOWN_EVENTS = "vigil.stream.unknown_events", Int, Number, Source::Vigil,
        "Lines of a type Vigil does not know.";
    VIGIL_STREAM_BAD_LINES = "vigil.stream.bad_lines", Int, Number, Source::Vigil,
        "Lines that could not be read.";
    VIGIL_STREAM_TRUNCATED = "vigil.stream.truncated", Bool, Number, Source::Vigil,
        "The output ends before the run does; only ever true.";

    // Vigil: the call envelope
    VIGIL_CALL_CACHE_HIT = "vigil.call.cache_hit", Bool, Number, Source::Seed("L10"),
        "The answer came from the caller's own cache.";
    VIGIL_CALL_CHOSEN_BY = "vigil.call.chosen_by", Str, Enum, Source::Seed("L10"),
        "What chose the model: a rule, a router, a person.";
    VIGIL_CALL_POLICY = "vigil.call.policy", Str, Name, Source::Seed("L10"),
        "The policy that governed the call.";

    // Vigil: loss
    VIGIL_LOSS_REASON = "vigil.loss.reason", Str, Enum, Source::Vigil,
        "Why records were lost.";
    VIGIL_LOSS_STAGE = "vigil.loss.stage", Str, Enum(known &["record", "assemble", "encode", "queue", "deliver", "spool"]), Source::Vigil,
        "Where records were lost.";
    VIGIL_LOSS_SIGNAL = "vigil.loss.signal", Str, Enum(closed &["traces", "logs", "metrics"]), Source::Vigil,
        "Which signal's records were lost.";
    VIGIL_LOSS_RECORDS = "vigil.loss.records", Int, Number, Source::Vigil,
        "Records lost, of whatever sort.";
    VIGIL_LOSS_SPANS = "vigil.loss.spans", Int, Number, Source::Vigil,
        "Spans lost.";
    VIGIL_LOSS_EVENTS = "vigil.loss.events", Int, Number, Source::Vigil,
        "Events lost.";
    VIGIL_LOSS_BYTES = "vigil.loss.bytes", Int, Number, Source::Vigil,
        "Bytes lost.";

    // Vigil: the host program's own spans and logs
    VIGIL_HOST_TARGET = "vigil.host.target", Str, Name, Source::Vigil,
        "The target of the host's span or log: usually a module.";
    VIGIL_HOST_LEVEL = "vigil.host.level", Str, Enum(closed &["trace", "debug", "info", "warn", "error"]), Source::Vigil,
        "The level of the host's span or log.";
    VIGIL_HOST_KIND = "vigil.host.kind", Str, Enum(closed &["internal", "server", "client", "producer", "consumer"]), Source::Vigil,
        "The OTLP kind of the host's span where it says one; the span has that kind.";
    VIGIL_HOST_MESSAGE = "vigil.host.message", Str, Text, Source::Vigil,
        "The message of the host's log.";
    VIGIL_HOST_FIELDS = "vigil.host.fields", Str, Text, Source::Vigil,
        "The fields of the host's span or log: a JSON object.";
}

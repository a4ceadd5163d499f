//! Metrics: names, units, instruments, buckets, and the attributes each may have.
//!
//! The attributes of a metric are a closed set of low cardinality: no ids, no users, no free text. What
//! identifies one run or one person belongs on spans.

use super::attr::*;
use super::attributes::{Key, Source};
use super::kind::{indexed, keys};

/// What the contract says about a metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricDef {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its unit (UCUM).
    pub unit: &'static str,
    /// How its values are kept.
    pub instrument: Instrument,
    /// What its values are.
    pub number: Number,
    /// Attributes its values may have, and no others.
    pub attributes: &'static [Key],
    /// What it measures.
    pub doc: &'static str,
    /// Who named it.
    pub source: Source,
}

impl MetricDef {
    /// Whether its values may have `key`.
    pub fn allows(&self, key: Key) -> bool {
        self.attributes.contains(&key)
    }

    /// Whether it is emitted only for backends that still read older names (the `compat` setting).
    pub fn is_compat(&self) -> bool {
        self.source == Source::Compat
    }
}

/// How a metric's values are kept.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Instrument {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks.
    UpDownCounter,
    /// The last value.
    Gauge,
    /// A distribution.
    Histogram {
        /// Upper bounds of the buckets, ascending; one more bucket takes the rest.
        buckets: &'static [f64],
    },
}

/// What a metric's values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Number {
    /// Whole numbers.
    Int,
    /// Floating point numbers.
    Double,
}

/// Seconds of one operation, 10 ms to 82 s.
const OPERATION_SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Seconds of an agent's run, 100 ms to 7 minutes.
const AGENT_SECONDS: &[f64] = &[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];
/// Seconds of a workflow, 1 s to 2 hours.
const WORKFLOW_SECONDS: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];
/// Seconds of an MCP request or session, 10 ms to 5 minutes.
const MCP_SECONDS: &[f64] = &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Seconds from one output token to the next.
const TOKEN_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// Seconds to the first output token.
const FIRST_TOKEN_SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Seconds of a capability call, 100 µs to 30 s.
const CAPABILITY_SECONDS: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Tokens of one model call.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Calls in one run.
const CALLS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// Scores from 0 to 1.
const SCORES: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// The conventions' common attributes of a model call.
const CALL: &[Key] = &[
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_RESPONSE_MODEL,
    SERVER_ADDRESS,
    SERVER_PORT,
];
const CALL_OR_ERROR: &[Key] = keys!(CALL, &[ERROR_TYPE]);
const CALL_MODALITY: &[Key] = keys!(CALL, &[GEN_AI_TOKEN_MODALITY]);
const MCP_OPERATION: &[Key] = &[
    MCP_METHOD_NAME,
    ERROR_TYPE,
    GEN_AI_OPERATION_NAME,
    GEN_AI_TOOL_NAME,
    GEN_AI_PROMPT_NAME,
    RPC_RESPONSE_STATUS_CODE,
    MCP_PROTOCOL_VERSION,
    JSONRPC_PROTOCOL_VERSION,
    NETWORK_TRANSPORT,
    NETWORK_PROTOCOL_NAME,
    NETWORK_PROTOCOL_VERSION,
];
const MCP_SESSION: &[Key] = &[MCP_PROTOCOL_VERSION, NETWORK_PROTOCOL_NAME, JSONRPC_PROTOCOL_VERSION, ERROR_TYPE];
const SERVER: &[Key] = &[SERVER_ADDRESS, SERVER_PORT];
const AGENT: &[Key] = &[GEN_AI_AGENT_NAME];
const THROTTLE: &[Key] = &[DOWNSTREAM_SERVICE, DOWNSTREAM_PROVIDER, DOWNSTREAM_CLASSIFICATION, DOWNSTREAM_SCOPE];

macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $metric:ident = $name:literal, $unit:literal, $instrument:expr, $number:ident, $source:expr, $attributes:expr;
    )*) => {
        /// A metric.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Metric { $($(#[doc = $doc])+ $metric),* }

        const ALL: &[Metric] = &[$(Metric::$metric),*];

        static TABLE: &[MetricDef] = &[$(MetricDef {
            name: $name,
            unit: $unit,
            instrument: $instrument,
            number: Number::$number,
            attributes: $attributes,
            doc: concat!($($doc),+),
            source: $source,
        }),*];
    };
}

const fn histogram(buckets: &'static [f64]) -> Instrument {
    Instrument::Histogram { buckets }
}

use Instrument::{Counter, Gauge};

metrics! {
    /// Seconds of a model call, retries included.
    InferenceDuration = "gen_ai.client.inference.duration", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, CALL_OR_ERROR;
    /// Seconds to the first chunk of a streamed answer.
    InferenceTimeToFirstChunk = "gen_ai.client.inference.time_to_first_chunk", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, CALL;
    /// Seconds from one chunk to the next, after the first.
    InferenceTimePerOutputChunk = "gen_ai.client.inference.time_per_output_chunk", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, CALL;
    /// Input tokens, cached ones included.
    InferenceInputTokens = "gen_ai.client.inference.usage.input_tokens", "{token}", Counter, Int, Source::GenAi, CALL_MODALITY;
    /// Output tokens, reasoning included.
    InferenceOutputTokens = "gen_ai.client.inference.usage.output_tokens", "{token}", Counter, Int, Source::GenAi, CALL_MODALITY;
    /// Input tokens read from a cache; part of the input.
    InferenceCacheReadTokens = "gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", Counter, Int, Source::GenAi, CALL_MODALITY;
    /// Input tokens written to a cache; part of the input.
    InferenceCacheWriteTokens = "gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", Counter, Int, Source::GenAi, CALL_MODALITY;
    /// Output tokens spent on reasoning; part of the output.
    InferenceReasoningTokens = "gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", Counter, Int, Source::GenAi, CALL_MODALITY;
    /// Input tokens of one call, for percentiles.
    InferenceOperationInputTokens = "gen_ai.client.inference.operation.input_tokens", "{token}", histogram(TOKENS), Int, Source::GenAi, CALL_OR_ERROR;
    /// Output tokens of one call, for percentiles.
    InferenceOperationOutputTokens = "gen_ai.client.inference.operation.output_tokens", "{token}", histogram(TOKENS), Int, Source::GenAi, CALL_OR_ERROR;
    /// Seconds of the other calls: embeddings, retrieval, memory, remote agents. In compat also of model calls.
    OperationDuration = "gen_ai.client.operation.duration", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, keys!(CALL_OR_ERROR, &[GEN_AI_SYSTEM]);
    /// Seconds of an agent's run in this process.
    InvokeAgentDuration = "gen_ai.invoke_agent.duration", "s", histogram(AGENT_SECONDS), Double, Source::GenAi, &[GEN_AI_AGENT_NAME, GEN_AI_REQUEST_MODEL, ERROR_TYPE];
    /// Model calls an agent made in one run, failed ones included, those of its sub-agents not.
    InvokeAgentInferenceCalls = "gen_ai.invoke_agent.inference_calls", "{inference_call}", histogram(CALLS), Int, Source::GenAi, AGENT;
    /// Tool calls an agent made in one run, failed ones included, those of its sub-agents not.
    InvokeAgentToolCalls = "gen_ai.invoke_agent.tool_calls", "{tool_call}", histogram(CALLS), Int, Source::GenAi, AGENT;
    /// Seconds of a tool call.
    ExecuteToolDuration = "gen_ai.execute_tool.duration", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, &[GEN_AI_TOOL_NAME, GEN_AI_TOOL_TYPE, GEN_AI_AGENT_NAME, ERROR_TYPE];
    /// Seconds of a workflow.
    InvokeWorkflowDuration = "gen_ai.invoke_workflow.duration", "s", histogram(WORKFLOW_SECONDS), Double, Source::GenAi, &[GEN_AI_WORKFLOW_NAME, ERROR_TYPE];
    /// Seconds of a model call as the serving side sees it.
    ServerRequestDuration = "gen_ai.server.request.duration", "s", histogram(OPERATION_SECONDS), Double, Source::GenAi, CALL_OR_ERROR;
    /// Seconds from one output token to the next as the serving side sees it.
    ServerTimePerOutputToken = "gen_ai.server.time_per_output_token", "s", histogram(TOKEN_SECONDS), Double, Source::GenAi, CALL;
    /// Seconds to the first output token as the serving side sees it.
    ServerTimeToFirstToken = "gen_ai.server.time_to_first_token", "s", histogram(FIRST_TOKEN_SECONDS), Double, Source::GenAi, CALL;
    /// Seconds of a request to an MCP server.
    McpClientOperationDuration = "mcp.client.operation.duration", "s", histogram(MCP_SECONDS), Double, Source::GenAi, keys!(MCP_OPERATION, SERVER);
    /// Seconds of a request an MCP server answered.
    McpServerOperationDuration = "mcp.server.operation.duration", "s", histogram(MCP_SECONDS), Double, Source::GenAi, MCP_OPERATION;
    /// Seconds of an MCP session at the client.
    McpClientSessionDuration = "mcp.client.session.duration", "s", histogram(MCP_SECONDS), Double, Source::GenAi, keys!(MCP_SESSION, SERVER);
    /// Seconds of an MCP session at the server.
    McpServerSessionDuration = "mcp.server.session.duration", "s", histogram(MCP_SECONDS), Double, Source::GenAi, MCP_SESSION;
    /// Tokens of one model call under the old name.
    ClientTokenUsage = "gen_ai.client.token.usage", "{token}", histogram(TOKENS), Int, Source::Compat, keys!(CALL, &[GEN_AI_TOKEN_TYPE, GEN_AI_SYSTEM]);

    /// Tool calls that ended.
    ToolExecutions = "life.tool.executions", "{execution}", Counter, Int, Source::Seed("L10"), &[GEN_AI_TOOL_NAME, LIFE_TOOL_STATUS, GEN_AI_AGENT_NAME];
    /// Tokens left.
    BudgetTokensRemaining = "life.budget.tokens_remaining", "{token}", Gauge, Int, Source::Seed("L10"), AGENT;
    /// US dollars left.
    BudgetCostRemaining = "life.budget.cost_remaining_usd", "{USD}", Gauge, Double, Source::Seed("L10"), AGENT;
    /// Milliseconds left.
    BudgetTimeRemaining = "life.budget.time_remaining_ms", "ms", Gauge, Int, Source::Seed("L10"), AGENT;
    /// Tool calls left.
    BudgetToolCallsRemaining = "life.budget.tool_calls_remaining", "{tool_call}", Gauge, Int, Source::Seed("L10"), AGENT;
    /// Changes of the operating mode.
    ModeTransitions = "life.mode.transitions", "{transition}", Counter, Int, Source::Seed("L10"), &[LIFE_MODE_FROM, LIFE_MODE_TO, GEN_AI_AGENT_NAME];
    /// Changes of the economic mode.
    EconomicModeTransitions = "autonomic.economic_mode.transitions", "{transition}", Counter, Int, Source::Vigil, &[AUTONOMIC_ECONOMIC_MODE_FROM, AUTONOMIC_ECONOMIC_MODE_TO, GEN_AI_AGENT_NAME];
    /// Evaluations made.
    EvaluationCount = "life.eval.count", "{evaluation}", Counter, Int, Source::Seed("L10"), &[GEN_AI_EVALUATION_NAME, LIFE_EVAL_EVALUATOR, LIFE_EVAL_LABEL, LIFE_EVAL_LAYER, LIFE_EVAL_TIMING];
    /// Scores of evaluations.
    EvaluationScore = "life.eval.score", "1", histogram(SCORES), Double, Source::Seed("L10"), &[GEN_AI_EVALUATION_NAME, LIFE_EVAL_EVALUATOR, LIFE_EVAL_LABEL, LIFE_EVAL_LAYER, LIFE_EVAL_TIMING];

    /// Cost of model calls in billionths of a US dollar. Calls without a price are in vigil.cost.unpriced_calls.
    CostNanoUsd = "vigil.cost", "{nano_usd}", Counter, Int, Source::Vigil, &[GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, GEN_AI_RESPONSE_MODEL, GEN_AI_AGENT_NAME];
    /// Model calls whose model has no price.
    UnpricedCalls = "vigil.cost.unpriced_calls", "{call}", Counter, Int, Source::Vigil, &[GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, GEN_AI_RESPONSE_MODEL];
    /// Retries of model calls.
    Retries = "vigil.retries", "{retry}", Counter, Int, Source::Vigil, &[GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, VIGIL_RETRY_REASON];
    /// Seconds of a turn.
    TurnDuration = "vigil.turn.duration", "s", histogram(AGENT_SECONDS), Double, Source::Seed("C1"), &[GEN_AI_AGENT_NAME, ERROR_TYPE];
    /// Seconds of a phase.
    PhaseDuration = "vigil.phase.duration", "s", histogram(OPERATION_SECONDS), Double, Source::Vigil, &[LIFE_LOOP_PHASE, GEN_AI_AGENT_NAME, ERROR_TYPE];
    /// Seconds of a capability call.
    CapabilityDuration = "vigil.capability.duration", "s", histogram(CAPABILITY_SECONDS), Double, Source::Vigil, &[CAP_NAME, ERROR_KIND];
    /// Seconds an approval took.
    ApprovalDuration = "vigil.approval.duration", "s", histogram(WORKFLOW_SECONDS), Double, Source::Vigil, &[GEN_AI_TOOL_NAME, VIGIL_APPROVAL_DECISION];
    /// Seconds a cleanup took.
    CleanupDuration = "vigil.cleanup.duration", "s", histogram(OPERATION_SECONDS), Double, Source::Seed("C1"), &[VIGIL_CLEANUP_WHAT, ERROR_TYPE];
    /// Times a downstream service throttled.
    ThrottleEvents = "vigil.throttle.events", "{event}", Counter, Int, Source::Vigil, THROTTLE;
    /// Seconds of waiting because a downstream service throttled.
    ThrottleWait = "vigil.throttle.wait", "s", histogram(WORKFLOW_SECONDS), Double, Source::Vigil, THROTTLE;
    /// What is left of a downstream service's limit, 0 to 1, also while it does not throttle.
    ThrottleRemainingRatio = "vigil.throttle.remaining_ratio", "1", Gauge, Double, Source::Vigil, &[DOWNSTREAM_SERVICE, DOWNSTREAM_PROVIDER, DOWNSTREAM_SCOPE];
    /// Records Vigil lost.
    LossRecords = "vigil.loss.records", "{record}", Counter, Int, Source::Vigil, &[VIGIL_LOSS_REASON, VIGIL_LOSS_STAGE, VIGIL_LOSS_SIGNAL];
}

indexed!(Metric, MetricDef, name);

#[cfg(test)]
mod tests;

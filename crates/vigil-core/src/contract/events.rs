//! Kinds of events: OTLP log records with an event name, tied to the span they happened in.

use super::attr::*;
use super::attributes::{Key, Source};
use super::kind::{indexed, keys};
use crate::vocab::Severity;

/// What the contract says about an event.
#[derive(Clone, Copy, Debug)]
pub struct EventDef {
    /// The event name on the wire.
    pub name: &'static str,
    /// How serious it usually is.
    pub severity: Severity,
    /// Attributes that are always there.
    pub required: &'static [Key],
    /// Attributes that may be there, beside the required and the common ones.
    pub attributes: &'static [Key],
    /// What it tells.
    pub doc: &'static str,
    /// Who named it.
    pub source: Source,
}

impl EventDef {
    /// Whether `key` may be on such an event.
    pub fn allows(&self, key: Key) -> bool {
        COMMON_EVENT.contains(&key) || self.required.contains(&key) || self.attributes.contains(&key)
    }
}

/// Attributes that may be on every event: none of them is free text. `vigil.originator` is on every one.
pub(super) const COMMON_EVENT: &[Key] = &[
    VIGIL_ORIGINATOR,
    VIGIL_REPLAY,
    SESSION_ID,
    GEN_AI_CONVERSATION_ID,
    GEN_AI_AGENT_NAME,
    LIFE_SESSION_ID,
    LIFE_RUN_ID,
    LIFE_BRANCH_ID,
];

macro_rules! events {
    ($(
        $(#[doc = $doc:literal])+
        $kind:ident = $name:literal, $severity:ident, $source:expr,
        required: $required:expr,
        attributes: $attributes:expr;
    )*) => {
        /// A kind of event.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum EventKind { $($(#[doc = $doc])+ $kind),* }

        const ALL: &[EventKind] = &[$(EventKind::$kind),*];

        static TABLE: &[EventDef] = &[$(EventDef {
            name: $name,
            severity: Severity::$severity,
            required: $required,
            attributes: $attributes,
            doc: concat!($($doc),+),
            source: $source,
        }),*];
    };
}

events! {
    /// A service an agent leans on throttles: rate limit, quota or overload. Has no free text.
    DownstreamRateLimit = "downstream.rate_limit", Error, Source::Seed("T9"),
    required: &[DOWNSTREAM_SERVICE, DOWNSTREAM_CLASSIFICATION, DOWNSTREAM_RETRYABLE],
    attributes: &[
        DOWNSTREAM_PROVIDER, DOWNSTREAM_OPERATION, DOWNSTREAM_SCOPE, DOWNSTREAM_RETRY_AFTER_MS, DOWNSTREAM_LIMIT,
        DOWNSTREAM_REMAINING, DOWNSTREAM_RESET_AT, HTTP_RESPONSE_STATUS_CODE, VIGIL_THROTTLE_OUTCOME, VIGIL_THROTTLE_RULE,
        VIGIL_THROTTLE_COUNT, VIGIL_THROTTLE_WAIT_MS,
    ];

    /// What limit headers leave of one limit. Feeds the gauge and is not handed on: no record of it leaves.
    Headroom = "vigil.throttle.headroom", Debug, Source::Vigil,
    required: &[DOWNSTREAM_SERVICE, DOWNSTREAM_PROVIDER, DOWNSTREAM_SCOPE, VIGIL_THROTTLE_REMAINING_RATIO],
    attributes: &[];

    /// A model call failed for good: API error, rate limit, model error, timeout.
    ClientException = "gen_ai.client.operation.exception", Warn, Source::GenAi,
    required: &[EXCEPTION_TYPE],
    attributes: &[
        EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, ERROR_TYPE, GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME,
        GEN_AI_REQUEST_MODEL, GEN_AI_RESPONSE_ID, HTTP_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT,
        VIGIL_RETRY_COUNT,
    ];

    /// Something the agent did was judged.
    EvaluationResult = "gen_ai.evaluation.result", Info, Source::GenAi,
    required: &[GEN_AI_EVALUATION_NAME],
    attributes: &[
        GEN_AI_EVALUATION_SCORE_VALUE, GEN_AI_EVALUATION_SCORE_LABEL, GEN_AI_EVALUATION_EXPLANATION, GEN_AI_RESPONSE_ID,
        ERROR_TYPE, LIFE_EVAL_EVALUATOR, LIFE_EVAL_SCORE, LIFE_EVAL_LABEL, LIFE_EVAL_LAYER, LIFE_EVAL_TIMING,
    ];

    /// What went into and came out of a model call. Only when asked for.
    InferenceDetails = "gen_ai.client.inference.operation.details", Debug, Source::GenAi,
    required: &[GEN_AI_OPERATION_NAME],
    attributes: keys!(
        &[
            GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, GEN_AI_OUTPUT_TYPE, GEN_AI_REQUEST_CHOICE_COUNT,
            GEN_AI_REQUEST_SEED, GEN_AI_REQUEST_STREAM, GEN_AI_REQUEST_MAX_TOKENS, GEN_AI_REQUEST_TEMPERATURE,
            GEN_AI_REQUEST_TOP_P, GEN_AI_REQUEST_TOP_K, GEN_AI_REQUEST_FREQUENCY_PENALTY,
            GEN_AI_REQUEST_PRESENCE_PENALTY, GEN_AI_REQUEST_STOP_SEQUENCES, GEN_AI_REQUEST_REASONING_LEVEL,
            GEN_AI_REQUEST_PREVIOUS_RESPONSE_ID,
        ],
        &[
            GEN_AI_RESPONSE_ID, GEN_AI_RESPONSE_MODEL, GEN_AI_RESPONSE_FINISH_REASONS,
            GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, GEN_AI_USAGE_INPUT_TOKENS, GEN_AI_USAGE_OUTPUT_TOKENS,
            GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
            GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, GEN_AI_CONVERSATION_COMPACTED, ERROR_TYPE, SERVER_ADDRESS, SERVER_PORT,
        ],
        &[
            GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES, GEN_AI_SYSTEM_INSTRUCTIONS, GEN_AI_TOOL_DEFINITIONS,
            GEN_AI_PROMPT_NAME, GEN_AI_PROMPT_VERSION, VIGIL_PROMPT_VARIABLES, VIGIL_CONTENT_TRUNCATED_BYTES,
        ],
    );

    /// The agent changed its operating mode.
    ModeTransition = "vigil.mode.transition", Info, Source::Seed("L3"),
    required: &[LIFE_MODE_FROM, LIFE_MODE_TO],
    attributes: &[AUTONOMIC_ECONOMIC_MODE, LIFE_LOOP_PHASE];

    /// The agent changed how freely it spends.
    EconomicModeTransition = "vigil.economic_mode.transition", Info, Source::Vigil,
    required: &[AUTONOMIC_ECONOMIC_MODE_FROM, AUTONOMIC_ECONOMIC_MODE_TO],
    attributes: &[LIFE_LOOP_PHASE];

    /// A budget is running low.
    BudgetLow = "vigil.budget.low", Warn, Source::Vigil,
    required: &[VIGIL_BUDGET_KIND],
    attributes: &[
        VIGIL_BUDGET_LIMIT, LIFE_BUDGET_TOKENS_REMAINING, LIFE_BUDGET_COST_REMAINING_USD, LIFE_BUDGET_TIME_REMAINING_MS,
        LIFE_BUDGET_TOOL_CALLS_REMAINING,
    ];

    /// A model without a price is used although money is limited: the money that is left is less than it says.
    BudgetUnpriced = "vigil.budget.unpriced", Warn, Source::Vigil,
    required: &[GEN_AI_REQUEST_MODEL],
    attributes: &[];

    /// A budget is used up.
    BudgetExhausted = "vigil.budget.exhausted", Error, Source::Vigil,
    required: &[VIGIL_BUDGET_KIND],
    attributes: &[
        VIGIL_BUDGET_LIMIT, CAP_NAME, LIFE_BUDGET_TOKENS_REMAINING, LIFE_BUDGET_COST_REMAINING_USD,
        LIFE_BUDGET_TIME_REMAINING_MS, LIFE_BUDGET_TOOL_CALLS_REMAINING,
    ];

    /// A span started; it follows as a span when it has ended.
    SpanStarted = "vigil.span.started", Info, Source::Vigil,
    required: &[VIGIL_SPAN_KIND],
    attributes: &[VIGIL_SPAN_TARGET];

    /// Vigil lost records, and this many.
    Loss = "vigil.loss", Warn, Source::Vigil,
    required: &[VIGIL_LOSS_REASON],
    attributes: &[
        VIGIL_LOSS_STAGE, VIGIL_LOSS_SIGNAL, VIGIL_LOSS_RECORDS, VIGIL_LOSS_SPANS, VIGIL_LOSS_EVENTS, VIGIL_LOSS_BYTES,
    ];

    /// A model call is tried again.
    Retry = "vigil.retry", Warn, Source::Vigil,
    required: &[],
    attributes: &[
        VIGIL_RETRY_ATTEMPT, VIGIL_RETRY_MAX_ATTEMPTS, VIGIL_RETRY_DELAY_MS, VIGIL_RETRY_REASON, ERROR_TYPE,
        HTTP_RESPONSE_STATUS_CODE, GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL,
    ];

    /// A conversation was compacted.
    Compaction = "vigil.compaction", Info, Source::Vigil,
    required: &[],
    attributes: &[
        VIGIL_COMPACTION_TRIGGER, VIGIL_COMPACTION_PRE_TOKENS, VIGIL_COMPACTION_POST_TOKENS,
        VIGIL_COMPACTION_DURATION_MS, ERROR_TYPE,
    ];

    /// Another model was taken.
    ModelFallback = "vigil.model.fallback", Warn, Source::Vigil,
    required: &[],
    attributes: &[VIGIL_FALLBACK_FROM_MODEL, VIGIL_FALLBACK_TO_MODEL, VIGIL_FALLBACK_TRIGGER];

    /// A log of the host program's own instrumentation that joined Vigil's trace.
    HostLog = "vigil.host.log", Info, Source::Vigil,
    required: &[],
    attributes: &[VIGIL_HOST_TARGET, VIGIL_HOST_LEVEL, VIGIL_HOST_MESSAGE, VIGIL_HOST_FIELDS];
}

indexed!(EventKind, EventDef, name);

#[cfg(test)]
mod tests;

//! Every metric, derived from finished spans and events. Before sampling, so that totals stay true.

use super::rollup::Own;
use super::series::{Series, SeriesAt};
use vigil_core::contract::{EventKind, Metric, SpanKind, attr};
use vigil_core::fact::{AnyValue, AttributeSet, EventData, Outcome, SpanData};
use vigil_core::usage::Usage;
use vigil_core::vocab::{Modality, OutcomeWord, ThrottleOutcome, ToolStatus};

/// Takes `span` into the metrics. `own` are an agent's calls without those of agents below it, where they were
/// counted, `usage` what a model call used, where that was read already; `compat` also feeds the deprecated metrics.
pub(crate) fn span(series: &mut Series, span: &SpanData<'_>, own: Option<Own>, usage: Option<Usage>, compat: bool) {
    let seconds = span.duration().as_secs_f64();
    let at = &span.attributes;
    if is_replay(at) {
        return;
    }
    let mut series = series.at(at);
    let mut one = |metric: Metric, value: f64| series.record(metric, None, value);
    match span.kind {
        SpanKind::Chat => {
            one(Metric::InferenceDuration, seconds);
            if let Some(AnyValue::Double(first)) = at.get(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK) {
                one(Metric::InferenceTimeToFirstChunk, *first);
            }
            let usage = usage.unwrap_or_else(|| Usage::of_call(at));
            tokens(&mut series, usage);
            cost(&mut series);
            if compat {
                series.record(Metric::OperationDuration, None, seconds);
                compat_tokens(&mut series, usage);
            }
        }
        SpanKind::Embeddings
        | SpanKind::Retrieval
        | SpanKind::FetchResponse
        | SpanKind::Memory
        | SpanKind::CreateAgent
        | SpanKind::AgentClient => {
            one(Metric::OperationDuration, seconds);
            if span.kind == SpanKind::Embeddings {
                cost(&mut series);
            }
        }
        SpanKind::Agent => {
            one(Metric::InvokeAgentDuration, seconds);
            // What an adapter counted includes sub-agents; where there are any, an agent's own calls are not known.
            let all = || {
                let count = |key| at.int(key).and_then(|count| u64::try_from(count).ok());
                let alone = at.int(attr::VIGIL_AGENT_COUNT).unwrap_or(0) == 0;
                alone.then_some(Own { chats: count(attr::VIGIL_CHAT_COUNT)?, tools: count(attr::VIGIL_TOOL_COUNT)? })
            };
            if let Some(own) = own.or_else(all) {
                one(Metric::InvokeAgentInferenceCalls, own.chats as f64);
                one(Metric::InvokeAgentToolCalls, own.tools as f64);
            }
        }
        SpanKind::Tool => {
            one(Metric::ExecuteToolDuration, seconds);
            one(Metric::ToolExecutions, 1.0);
        }
        SpanKind::Workflow => one(Metric::InvokeWorkflowDuration, seconds),
        SpanKind::Turn => one(Metric::TurnDuration, seconds),
        SpanKind::Phase => one(Metric::PhaseDuration, seconds),
        SpanKind::McpRequest => one(Metric::McpClientOperationDuration, seconds),
        SpanKind::McpServer => one(Metric::McpServerOperationDuration, seconds),
        SpanKind::Capability => one(Metric::CapabilityDuration, seconds),
        SpanKind::Approval => one(Metric::ApprovalDuration, seconds),
        SpanKind::Cleanup => one(Metric::CleanupDuration, seconds),
        SpanKind::Plan | SpanKind::Host => {}
    }
    for (metric, key) in [
        (Metric::BudgetTokensRemaining, attr::LIFE_BUDGET_TOKENS_REMAINING),
        (Metric::BudgetCostRemaining, attr::LIFE_BUDGET_COST_REMAINING_USD),
        (Metric::BudgetTimeRemaining, attr::LIFE_BUDGET_TIME_REMAINING_MS),
        (Metric::BudgetToolCallsRemaining, attr::LIFE_BUDGET_TOOL_CALLS_REMAINING),
    ] {
        let value = match at.get(key) {
            Some(AnyValue::Int(number)) => *number as f64,
            Some(AnyValue::Double(number)) => *number,
            _ => continue,
        };
        series.record(metric, None, value);
    }
}

/// Takes `event` into the metrics.
pub(crate) fn event(series: &mut Series, event: &EventData<'_>) {
    let at = &event.attributes;
    if is_replay(at) {
        return;
    }
    let mut one = |metric: Metric, value: f64| series.at(at).record(metric, None, value);
    match event.kind {
        EventKind::ModeTransition => one(Metric::ModeTransitions, 1.0),
        EventKind::EconomicModeTransition => one(Metric::EconomicModeTransitions, 1.0),
        EventKind::EvaluationResult => {
            one(Metric::EvaluationCount, 1.0);
            if let Some(AnyValue::Double(score)) = at.get(attr::GEN_AI_EVALUATION_SCORE_VALUE) {
                one(Metric::EvaluationScore, *score);
            }
        }
        EventKind::Retry => one(Metric::Retries, 1.0),
        EventKind::DownstreamRateLimit => {
            one(Metric::ThrottleEvents, at.int(attr::VIGIL_THROTTLE_COUNT).map_or(1.0, |count| count.max(1) as f64));
            if let Some(wait_ms) = throttle_wait_ms(at) {
                one(Metric::ThrottleWait, wait_ms as f64 / 1e3);
            }
        }
        EventKind::Headroom => {
            if let Some(AnyValue::Double(ratio)) = at.get(attr::VIGIL_THROTTLE_REMAINING_RATIO) {
                one(Metric::ThrottleRemainingRatio, *ratio);
            }
        }
        _ => {}
    }
}

/// How long is waited because of a throttling: as it was said, or as the service asked where it was waited at all.
fn throttle_wait_ms(at: &AttributeSet<'_>) -> Option<i64> {
    let waits = [ThrottleOutcome::Retried, ThrottleOutcome::Waited].map(ThrottleOutcome::as_str);
    let waited = || at.str(attr::VIGIL_THROTTLE_OUTCOME).is_some_and(|outcome| waits.contains(&outcome));
    at.int(attr::VIGIL_THROTTLE_WAIT_MS).or_else(|| at.int(attr::DOWNSTREAM_RETRY_AFTER_MS).filter(|_| waited()))
}

/// Whether this was done before: it was counted then.
pub(crate) fn is_replay(at: &AttributeSet<'_>) -> bool {
    at.get(attr::VIGIL_REPLAY) == Some(&AnyValue::Bool(true))
}

/// The conventions count every call, with 0 for what the provider did not say.
fn tokens(series: &mut SeriesAt<'_, '_>, usage: Usage) {
    let modality = Some((attr::GEN_AI_TOKEN_MODALITY, Modality::Unknown.as_str()));
    let mut count = |metric: Metric, tokens: Option<u64>| {
        series.record(metric, modality, tokens.unwrap_or(0) as f64);
    };
    count(Metric::InferenceInputTokens, usage.input());
    count(Metric::InferenceOutputTokens, usage.output());
    if usage.cache_read_tokens().is_some() {
        count(Metric::InferenceCacheReadTokens, usage.cache_read_tokens());
    }
    if usage.cache_write_tokens().is_some() {
        count(Metric::InferenceCacheWriteTokens, usage.cache_write_tokens());
    }
    if usage.reasoning_tokens().is_some() {
        count(Metric::InferenceReasoningTokens, usage.reasoning_tokens());
    }
    for (metric, tokens) in [
        (Metric::InferenceOperationInputTokens, usage.input()),
        (Metric::InferenceOperationOutputTokens, usage.output()),
    ] {
        series.record(metric, None, tokens.unwrap_or(0) as f64);
    }
}

fn compat_tokens(series: &mut SeriesAt<'_, '_>, usage: Usage) {
    for (word, tokens) in [("input", usage.input()), ("output", usage.output())] {
        if let Some(tokens) = tokens {
            series.record(Metric::ClientTokenUsage, Some((attr::GEN_AI_TOKEN_TYPE, word)), tokens as f64);
        }
    }
}

/// The cost was written on the span before.
fn cost(series: &mut SeriesAt<'_, '_>) {
    let at = series.attributes();
    if let Some(nano_usd) = at.int(attr::VIGIL_COST_NANO_USD) {
        series.record(Metric::CostNanoUsd, None, nano_usd as f64);
    }
    if at.get(attr::VIGIL_COST_UNPRICED_MODELS).is_some() {
        series.record(Metric::UnpricedCalls, None, 1.0);
    }
}

/// The status a tool's span amounts to, when none was recorded.
pub(crate) fn tool_status(outcome: &Outcome) -> ToolStatus {
    match outcome {
        Outcome::Ok => ToolStatus::Ok,
        Outcome::Cancelled => ToolStatus::Cancelled,
        Outcome::Error(error) if *error == vigil_core::vocab::ErrorType::TIMEOUT => ToolStatus::Timeout,
        Outcome::Error(_) => ToolStatus::Error,
    }
}

/// The word for an outcome.
pub(crate) fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => OutcomeWord::Ok.as_str(),
        Outcome::Error(_) => OutcomeWord::Error.as_str(),
        Outcome::Cancelled => OutcomeWord::Cancelled.as_str(),
    }
}

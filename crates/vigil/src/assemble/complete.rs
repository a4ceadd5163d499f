//! Completing a joined span: what the contract wants on it and what follows from what is there.

use super::derive::{outcome_word, tool_status};
use super::rollup::{CallCost, Rates, Rollup};
use std::str::FromStr;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{AttributeSet, EventData, Outcome, SpanData};
use vigil_core::vocab::{DownstreamOperation, ErrorType, Operation, Originator, Severity, ToolStatus};

/// Fills in what follows from the span itself: the outcome of a tool from its status and the other way
/// round, the cost of a call, an agent's sums. Answers with what the call cost, if it was one.
pub(crate) fn joined<'a>(
    span: &mut SpanData<'a>,
    below: Option<&'a Rollup>,
    rates: &mut Rates,
    originator: Originator,
) -> Option<CallCost<'a>> {
    if span.kind == SpanKind::Tool {
        let recorded = span.attributes.str(attr::LIFE_TOOL_STATUS).and_then(|word| ToolStatus::from_str(word).ok());
        match (recorded, &span.outcome) {
            (Some(ToolStatus::Error), Outcome::Ok) => span.outcome = Outcome::Error(ErrorType::TOOL_ERROR),
            (Some(ToolStatus::Timeout), Outcome::Ok) => span.outcome = Outcome::Error(ErrorType::TIMEOUT),
            (Some(ToolStatus::Cancelled), Outcome::Ok) => span.outcome = Outcome::Cancelled,
            (Some(ToolStatus::Ok) | None, outcome) => {
                let status = tool_status(outcome);
                span.attributes.set(attr::LIFE_TOOL_STATUS, status.as_str());
            }
            _ => {}
        }
    }
    let call = CallCost::of(span, rates);
    if let Some(call) = &call {
        call.cost.set_on(&mut span.attributes);
    }
    if let Some(retries) = span.attributes.int(attr::VIGIL_RETRY_COUNT).filter(|_| span.kind == SpanKind::Chat) {
        span.attributes.set(attr::LIFE_RELIABILITY_RETRY_COUNT, retries);
    }
    if span.kind == SpanKind::Agent {
        match below {
            Some(below) => below.write(&mut span.attributes),
            None => Rollup::write_nothing(&mut span.attributes),
        }
    }
    common(span, originator);
    call
}

/// What every span carries, wherever it came from.
pub(crate) fn common(span: &mut SpanData<'_>, originator: Originator) {
    span.end = span.end.max(span.start);
    let attributes = &mut span.attributes;
    attributes.set_absent(attr::VIGIL_ORIGINATOR, Some(originator.as_str()));
    attributes.set_absent(attr::GEN_AI_OPERATION_NAME, default_operation(span.kind));
    attributes.set(attr::VIGIL_OUTCOME, outcome_word(&span.outcome));
    if let Outcome::Error(error) = &span.outcome {
        attributes.set(attr::ERROR_TYPE, error.clone());
    }
}

/// The operation a span of this kind has when none was recorded.
pub(crate) fn default_operation(kind: SpanKind) -> Option<&'static str> {
    let def = kind.def();
    let usual = def.operation.filter(|operation| *operation != Operation::UNKNOWN.as_str());
    usual.filter(|_| def.required.contains(&attr::GEN_AI_OPERATION_NAME))
}

/// What was being done when a service throttled, by the span it happened in. Whoever watches HTTP knows no more than
/// that.
pub(crate) fn operation_of_throttled(attributes: &mut AttributeSet<'_>, kind: SpanKind) {
    let said = attributes.str(attr::DOWNSTREAM_OPERATION);
    if said.is_some_and(|said| said != DownstreamOperation::HttpRequest.as_str()) {
        return;
    }
    let operation = match kind {
        SpanKind::Chat => DownstreamOperation::Chat,
        SpanKind::Embeddings => DownstreamOperation::Embeddings,
        SpanKind::Tool => DownstreamOperation::Tool,
        SpanKind::Capability => DownstreamOperation::Capability,
        SpanKind::McpRequest => DownstreamOperation::McpRequest,
        _ if said.is_some() => return,
        SpanKind::Agent => DownstreamOperation::AgentRun,
        _ => DownstreamOperation::Other,
    };
    attributes.set(attr::DOWNSTREAM_OPERATION, operation);
}

/// The conventions' event for a model call that failed for good.
pub(crate) fn exception_of<'a>(span: &SpanData<'a>) -> Option<Box<EventData<'a>>> {
    let Outcome::Error(error) = &span.outcome else { return None };
    if span.kind != SpanKind::Chat {
        return None;
    }
    let mut event = EventData {
        kind: EventKind::ClientException,
        span: Some(span.context),
        time: span.end,
        severity: Severity::Warn,
        attributes: Default::default(),
    };
    event.attributes.set(attr::EXCEPTION_TYPE, error.clone());
    for key in [
        attr::EXCEPTION_MESSAGE,
        attr::ERROR_TYPE,
        attr::GEN_AI_OPERATION_NAME,
        attr::GEN_AI_PROVIDER_NAME,
        attr::GEN_AI_REQUEST_MODEL,
        attr::HTTP_RESPONSE_STATUS_CODE,
        attr::VIGIL_ORIGINATOR,
        attr::VIGIL_RETRY_COUNT,
    ] {
        event.attributes.set_some(key, span.attributes.get(key).cloned());
    }
    Some(Box::new(event))
}

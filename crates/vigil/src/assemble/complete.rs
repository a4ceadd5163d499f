//! Completing a joined span: what the contract wants on it and what follows from what is there.

use super::derive::{default_operation, outcome_word, tool_status};
use super::join::Joined;
use super::rollup::CallCost;
use std::str::FromStr;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{EventRecord, Outcome, SpanRecord};
use vigil_core::vocab::{ErrorType, Originator, Severity, ToolStatus};

/// Fills in what follows from the span itself: the outcome of a tool from its status and the other way
/// round, the cost of a call, an agent's sums. Answers with what the call cost, if it was one.
pub(crate) fn joined(joined: &mut Joined, originator: Originator) -> Option<CallCost> {
    let span = &mut joined.span;
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
    let call = CallCost::of(span);
    if let Some(call) = &call {
        call.cost.set_on(&mut span.attributes);
    }
    if span.kind == SpanKind::Agent {
        joined.rollup.write(&mut span.attributes);
    }
    common(span, originator);
    call
}

/// What every span carries, wherever it came from.
pub(crate) fn common(span: &mut SpanRecord, originator: Originator) {
    span.end = span.end.max(span.start);
    let attributes = &mut span.attributes;
    if attributes.get(attr::VIGIL_ORIGINATOR).is_none() {
        attributes.set(attr::VIGIL_ORIGINATOR, originator.as_str());
    }
    if attributes.get(attr::GEN_AI_OPERATION_NAME).is_none()
        && span.kind.def().required.contains(&attr::GEN_AI_OPERATION_NAME)
    {
        attributes.set_some(attr::GEN_AI_OPERATION_NAME, default_operation(span.kind));
    }
    attributes.set(attr::VIGIL_OUTCOME, outcome_word(&span.outcome));
    if let Outcome::Error(error) = &span.outcome {
        attributes.set(attr::ERROR_TYPE, error.as_str().to_owned());
    }
}

/// The conventions' event for a model call that failed for good.
pub(crate) fn exception_of(span: &SpanRecord) -> Option<EventRecord> {
    let Outcome::Error(error) = &span.outcome else { return None };
    if span.kind != SpanKind::Chat {
        return None;
    }
    let mut event = EventRecord {
        kind: EventKind::ClientException,
        span: Some(span.context),
        time: span.end,
        severity: Severity::Warn,
        attributes: Default::default(),
    };
    event.attributes.set(attr::EXCEPTION_TYPE, error.as_str().to_owned());
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
    Some(event)
}

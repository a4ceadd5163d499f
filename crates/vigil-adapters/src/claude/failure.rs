//! Claude Code's words for what went wrong, as the contract's error types.

use super::wire::Line;
use vigil_core::fact::Outcome;
use vigil_core::vocab::ErrorType;

/// Why a model call failed for good, from the synthetic message that tells it.
pub(crate) fn of_message(line: &Line<'_>) -> ErrorType {
    of_api_error(
        line.error.word.as_deref().unwrap_or_default(),
        line.api_error_type.or_empty(),
        line.api_error.or_empty(),
        line.api_error_status.count(),
    )
}

/// Why a run failed, from a `result` with `is_error`. `call` is why the last model call failed, if it did: where
/// the API ended the run, its message says more than the result.
pub(crate) fn of_result(line: &Line<'_>, call: Option<ErrorType>) -> ErrorType {
    of_end(line.subtype.or_empty(), line.terminal_reason.or_empty()).or(call).unwrap_or_else(|| {
        if line.stop_reason.or_empty() == "refusal" {
            return ErrorType::CONTENT_FILTER;
        }
        of_api_error("", line.api_error_type.or_empty(), line.api_error.or_empty(), line.api_error_status.count())
    })
}

/// Why a run failed, in the words for whole commands: which of them stands in the way of the next run.
pub(crate) fn of_run(outcome: Outcome) -> Outcome {
    let Outcome::Error(error) = outcome else { return outcome };
    let word = OF_RUN.iter().find(|(of_call, _)| *of_call == error).map(|(_, of_run)| of_run.clone());
    Outcome::Error(word.unwrap_or(error))
}

/// Whether `error` is a word that only whole commands have.
pub(crate) fn is_of_provider(error: &ErrorType) -> bool {
    OF_RUN.iter().any(|(_, of_run)| of_run == error)
}

/// Why a call failed, and what that is for the run it ended.
const OF_RUN: &[(ErrorType, ErrorType)] = &[
    (ErrorType::QUOTA, ErrorType::PROVIDER_QUOTA),
    (ErrorType::RATE_LIMIT, ErrorType::PROVIDER_RATE_LIMIT),
    (ErrorType::OVERLOADED, ErrorType::PROVIDER_OVERLOADED),
    (ErrorType::AUTHENTICATION, ErrorType::PROVIDER_AUTH),
    (ErrorType::CONNECTION, ErrorType::NETWORK_UNREACHABLE),
];

/// Ends that are not API errors.
fn of_end(subtype: &str, terminal_reason: &str) -> Option<ErrorType> {
    Some(match (subtype, terminal_reason) {
        ("error_max_turns", _) | (_, "max_turns") => ErrorType::MAX_TURNS,
        ("error_max_budget_usd", _) | (_, "budget_exhausted") => ErrorType::BUDGET_EXHAUSTED,
        (_, "prompt_too_long") => ErrorType::CONTEXT_LENGTH,
        (_, "aborted_tools" | "aborted_streaming" | "aborted") => ErrorType::CANCELLED,
        (_, "api_error" | "") => return None,
        (_, "completed") => ErrorType::OTHER,
        (_, other) => ErrorType::from_code(other),
    })
}

fn of_api_error(word: &str, api_type: &str, api_error: &str, status: Option<u64>) -> ErrorType {
    match (api_error, api_type, word) {
        ("usage_limit_reached", _, _) | (_, _, "billing_error") | (_, "billing_error", _) => ErrorType::QUOTA,
        ("connection_failed", _, _) => ErrorType::CONNECTION,
        (_, "overloaded_error", _) | (_, _, "overloaded") => ErrorType::OVERLOADED,
        (_, "rate_limit_error", _) | (_, _, "rate_limit") => ErrorType::RATE_LIMIT,
        (_, "authentication_error", _) | (_, _, "authentication_failed") => ErrorType::AUTHENTICATION,
        (_, "permission_error", _) => ErrorType::PERMISSION_DENIED,
        (_, _, "model_not_found") | (_, "not_found_error", _) => ErrorType::MODEL_NOT_FOUND,
        (_, "timeout_error", _) => ErrorType::TIMEOUT,
        _ => match status {
            Some(529) => ErrorType::OVERLOADED,
            Some(429) => ErrorType::RATE_LIMIT,
            Some(401) => ErrorType::AUTHENTICATION,
            Some(402) => ErrorType::QUOTA,
            Some(403) => ErrorType::PERMISSION_DENIED,
            Some(404) => ErrorType::MODEL_NOT_FOUND,
            Some(408 | 504) => ErrorType::TIMEOUT,
            Some(400..=499) => ErrorType::INVALID_REQUEST,
            Some(500..=599) => ErrorType::SERVER_ERROR,
            _ => match word {
                "invalid_request" => ErrorType::INVALID_REQUEST,
                "server_error" => ErrorType::SERVER_ERROR,
                "max_output_tokens" => ErrorType::MAX_TOKENS,
                "" | "unknown" => ErrorType::OTHER,
                other => ErrorType::from_code(other),
            },
        },
    }
}

/// Why one attempt of a call failed. Without status and word it was the connection.
pub(crate) fn of_retry(word: &str, status: Option<u64>) -> ErrorType {
    match (word, status) {
        ("" | "unknown", None) => ErrorType::CONNECTION,
        _ => of_api_error(word, "", "", status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> ErrorType {
        let line: Line<'_> = serde_json::from_str(json).unwrap();
        if line.kind.or_empty() == "result" { of_result(&line, None) } else { of_message(&line) }
    }

    #[test]
    fn every_failure_that_was_observed_has_its_word() {
        for (json, expected) in [
            (
                r#"{"error":"rate_limit","api_error_status":429,"api_error_type":"rate_limit_error"}"#,
                ErrorType::RATE_LIMIT,
            ),
            (
                r#"{"error":"server_error","api_error_status":529,"api_error_type":"overloaded_error"}"#,
                ErrorType::OVERLOADED,
            ),
            (
                r#"{"error":"billing_error","api_error_status":400,"api_error_type":"invalid_request_error"}"#,
                ErrorType::QUOTA,
            ),
            (r#"{"error":"authentication_failed"}"#, ErrorType::AUTHENTICATION),
            (r#"{"error":"invalid_request","api_error_status":400}"#, ErrorType::INVALID_REQUEST),
            (r#"{"error":"model_not_found","api_error_status":404}"#, ErrorType::MODEL_NOT_FOUND),
            (r#"{"error":"server_error","api_error":"connection_failed"}"#, ErrorType::CONNECTION),
            (r#"{"error":"rate_limit","api_error":"usage_limit_reached","api_error_status":429}"#, ErrorType::QUOTA),
            (r#"{"error":"unknown"}"#, ErrorType::OTHER),
            (r#"{"type":"result","subtype":"error_max_turns","terminal_reason":"max_turns"}"#, ErrorType::MAX_TURNS),
            (
                r#"{"type":"result","subtype":"error_max_budget_usd","terminal_reason":"budget_exhausted"}"#,
                ErrorType::BUDGET_EXHAUSTED,
            ),
            (
                r#"{"type":"result","subtype":"error_during_execution","terminal_reason":"aborted_tools"}"#,
                ErrorType::CANCELLED,
            ),
            (
                r#"{"type":"result","subtype":"success","terminal_reason":"prompt_too_long","api_error_status":400}"#,
                ErrorType::CONTEXT_LENGTH,
            ),
            (
                r#"{"type":"result","subtype":"success","terminal_reason":"api_error","stop_reason":"refusal"}"#,
                ErrorType::CONTENT_FILTER,
            ),
            (
                r#"{"type":"result","subtype":"success","terminal_reason":"api_error","api_error_status":429}"#,
                ErrorType::RATE_LIMIT,
            ),
            (r#"{"type":"result","subtype":"success"}"#, ErrorType::OTHER),
        ] {
            assert_eq!(line(json), expected, "{json}");
        }
    }

    #[test]
    fn the_failed_call_says_more_than_a_result_of_an_api_error_and_less_than_any_other() {
        let api: Line<'_> = serde_json::from_str(r#"{"terminal_reason":"api_error","api_error_status":400}"#).unwrap();
        assert_eq!(of_result(&api, Some(ErrorType::QUOTA)), ErrorType::QUOTA);
        assert_eq!(of_result(&api, None), ErrorType::INVALID_REQUEST);
        let turns: Line<'_> = serde_json::from_str(r#"{"subtype":"error_max_turns"}"#).unwrap();
        assert_eq!(of_result(&turns, Some(ErrorType::QUOTA)), ErrorType::MAX_TURNS);
    }

    #[test]
    fn an_attempt_without_status_failed_to_connect() {
        assert_eq!(of_retry("unknown", None), ErrorType::CONNECTION);
        assert_eq!(of_retry("overloaded", Some(529)), ErrorType::OVERLOADED);
        assert_eq!(of_retry("server_error", Some(500)), ErrorType::SERVER_ERROR);
    }
}

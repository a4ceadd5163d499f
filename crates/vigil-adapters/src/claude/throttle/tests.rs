use super::*;
use vigil_core::contract::attr;
use vigil_core::throttle::Told;

const NOW: UnixNanos = UnixNanos(1_795_000_000_000_000_000);

fn message(json: &str) -> Option<Throttle> {
    of_message(&serde_json::from_str(json).unwrap(), Some(NOW))
}

fn event(json: &str) -> Option<Throttle> {
    of_event(&serde_json::from_str(json).unwrap(), Some(NOW))
}

#[test]
fn a_limit_that_was_reached_is_throttling_and_a_warning_is_not() {
    let reached = event(r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795232704}}"#);
    let reached = reached.unwrap();
    assert_eq!((reached.class, reached.scope), (ThrottleClass::Quota, LimitScope::SubscriptionWindow));
    let attributes = reached.attributes(Told::default());
    assert_eq!(attributes.int(attr::DOWNSTREAM_RESET_AT), Some(1_795_232_704));
    for status in ["allowed", "allowed_warning", "", "of another kind"] {
        let info = format!(r#"{{"status":"{status}","overageStatus":"rejected","resetsAt":1795232704}}"#);
        assert_eq!(event(&format!(r#"{{"type":"rate_limit_event","rate_limit_info":{info}}}"#)), None, "{status}");
    }
    let overage = r#"{"rate_limit_info":{"status":"rejected","isUsingOverage":true,"resetsAt":1795232704}}"#;
    assert_eq!(event(overage), None, "what goes on being used did not block");
}

#[test]
fn the_structured_limit_goes_before_the_text() {
    let limit = message(
        r#"{"message":{"content":[{"type":"text","text":"You've hit your 5-hour limit"}]},"error":"rate_limit",
            "api_error_status":429,"api_error":"usage_limit_reached",
            "api_error_params":{"rate_limit_info":{"status":"rejected","resetsAt":1795232704}}}"#,
    );
    let limit = limit.unwrap();
    assert_eq!((limit.class, limit.rule), (ThrottleClass::Quota, ThrottleRule::CodeRateLimitEvent));
    assert_eq!((limit.http_status, limit.retryable), (Some(429), false));
}

#[test]
fn the_text_may_know_better_than_the_word() {
    let spent = message(
        r#"{"message":{"content":[{"type":"text","text":"Credit balance is too low"}]},"error":"invalid_request",
            "api_error_status":400,"api_error_type":"invalid_request_error"}"#,
    );
    assert_eq!(spent.unwrap().class, ThrottleClass::Quota);
    let other = message(
        r#"{"message":{"content":[{"type":"text","text":"API Error: 400 messages: at least one is required"}]},
            "error":"invalid_request","api_error_status":400}"#,
    );
    assert_eq!(other, None);
}

#[test]
fn an_absurd_limit_is_bounded() {
    for resets_at in ["-1", "0", "1e300", "null", "\"soon\"", "99999999999999999999"] {
        let json = format!(r#"{{"rate_limit_info":{{"status":"rejected","resetsAt":{resets_at}}}}}"#);
        assert_eq!(event(&json).unwrap().reset_at, None, "{resets_at}");
    }
    let latest = UnixNanos(NOW.0 + 400 * 24 * 3600 * 1_000_000_000);
    for resets_at in ["9999999999", "18000000000"] {
        let json = format!(r#"{{"rate_limit_info":{{"status":"rejected","resetsAt":{resets_at}}}}}"#);
        assert_eq!(event(&json).unwrap().reset_at, Some(latest), "{resets_at}");
        assert!(of_event(&serde_json::from_str(&json).unwrap(), None).unwrap().reset_at > Some(latest));
    }
}

#[test]
fn attempts_that_failed_for_other_reasons_are_not_throttling() {
    for reason in [ErrorType::CONNECTION, ErrorType::SERVER_ERROR, ErrorType::AUTHENTICATION, ErrorType::TIMEOUT] {
        assert_eq!(of_retry(&reason, Some(500)), None);
    }
    assert_eq!(of_retry(&ErrorType::OVERLOADED, Some(529)).unwrap().http_status, Some(529));
    assert_eq!(of_retry(&ErrorType::RATE_LIMIT, Some(70_000)).unwrap().http_status, None);
}

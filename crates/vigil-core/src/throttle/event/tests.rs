use super::*;
use crate::contract::verify;
use crate::fact::Fact;
use crate::throttle::MAX_WAIT;
use crate::vocab::{LimitScope, Originator, ProviderCode, Severity, ThrottleRule};

fn throttle(class: ThrottleClass) -> Throttle {
    Throttle {
        service: Service::Anthropic,
        class,
        scope: LimitScope::InputTokens,
        retryable: true,
        retry_after: Some(Duration::from_millis(1500)),
        reset_at: Some(UnixNanos(1_700_000_000_000_000_000)),
        reset_stated: None,
        limit: Some(50_000),
        remaining: Some(0),
        code: Some(ProviderCode::RateLimitError),
        http_status: Some(429),
        rule: ThrottleRule::CodeAnthropic,
    }
}

#[test]
fn t2_t3_t6_the_event_has_these_fields_of_these_values_and_keeps_the_contract() {
    let told = Told {
        outcome: Some(ThrottleOutcome::Retried),
        operation: Some(DownstreamOperation::Chat),
        wait: Some(Duration::from_secs(2)),
        count: 3,
    };
    let mut event = throttle(ThrottleClass::RateLimit).event(told, None, UnixNanos(7));
    assert_eq!((event.kind, event.severity), (EventKind::DownstreamRateLimit, Severity::Error));
    let shown: Vec<String> = event.attributes.iter().map(|(key, value)| format!("{} {value:?}", key.name())).collect();
    assert_eq!(
        shown,
        [
            r#"downstream.service Str("provider")"#,
            r#"downstream.provider Str("anthropic")"#,
            r#"downstream.operation Str("chat")"#,
            r#"downstream.classification Str("rate_limit")"#,
            "downstream.retryable Bool(true)",
            r#"downstream.scope Str("input_tokens")"#,
            "downstream.retry_after_ms Int(1500)",
            "downstream.limit Int(50000)",
            "downstream.remaining Int(0)",
            "downstream.reset_at Int(1700000000)",
            "http.response.status_code Int(429)",
            r#"vigil.throttle.outcome Str("retried")"#,
            r#"vigil.throttle.rule Str("code.anthropic")"#,
            "vigil.throttle.count Int(3)",
            "vigil.throttle.wait_ms Int(2000)",
        ]
    );
    event.attributes.set(attr::VIGIL_ORIGINATOR, Originator::Sdk);
    assert_eq!(verify(&Fact::Event(event), false), []);
}

#[test]
fn what_is_not_known_is_absent_and_the_longest_wait_fits() {
    let bare = Throttle {
        retry_after: Some(MAX_WAIT),
        reset_at: None,
        limit: None,
        remaining: None,
        http_status: None,
        ..throttle(ThrottleClass::Overloaded)
    };
    let attributes = bare.attributes(Told { count: 1, ..Told::default() });
    assert_eq!(attributes.int(attr::DOWNSTREAM_RETRY_AFTER_MS), Some(400 * 86_400_000));
    for absent in [
        attr::DOWNSTREAM_OPERATION,
        attr::DOWNSTREAM_LIMIT,
        attr::DOWNSTREAM_REMAINING,
        attr::DOWNSTREAM_RESET_AT,
        attr::HTTP_RESPONSE_STATUS_CODE,
        attr::VIGIL_THROTTLE_OUTCOME,
        attr::VIGIL_THROTTLE_COUNT,
        attr::VIGIL_THROTTLE_WAIT_MS,
    ] {
        assert_eq!(attributes.get(absent), None, "{absent}");
    }
}

#[test]
fn a_quota_that_ends_a_call_blocks_and_anything_else_fails_it() {
    for (class, expected) in [
        (ThrottleClass::Quota, ThrottleOutcome::Blocked),
        (ThrottleClass::RateLimit, ThrottleOutcome::Failed),
        (ThrottleClass::Overloaded, ThrottleOutcome::Failed),
    ] {
        assert_eq!(throttle(class).final_outcome(), expected);
    }
}

#[test]
fn headroom_names_whose_it_is_by_its_headers_or_by_who_answered() {
    let headroom = Headroom {
        service: None,
        scope: LimitScope::Requests,
        limit: Some(100),
        remaining: Some(7),
        remaining_ratio: 0.07,
        reset_at: None,
    };
    let mut event = EventRecord {
        kind: EventKind::Headroom,
        span: None,
        time: UnixNanos(7),
        severity: Severity::Debug,
        attributes: headroom.attributes(Some(Service::Groq)),
    };
    assert_eq!(event.attributes.str(attr::DOWNSTREAM_PROVIDER), Some("groq"));
    event.attributes.set(attr::VIGIL_ORIGINATOR, Originator::Sdk);
    assert_eq!(verify(&Fact::Event(event), false), []);
    let unnamed = headroom.attributes(None);
    assert_eq!(unnamed.str(attr::DOWNSTREAM_SERVICE), Some("other"));
}

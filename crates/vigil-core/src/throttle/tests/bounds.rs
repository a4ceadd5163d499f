//! What is hostile stays within the schema; what is stated is read as it is meant.

use super::*;
use std::time::Duration;

fn with_headers(status: u16, headers: &[(&str, &str)]) -> Option<Throttle> {
    classify(&Observation { headers, ..http(status, "") })
}

#[test]
fn waits_come_from_headers_in_every_unit() {
    for (headers, milliseconds) in [
        (&[("Retry-After", "7")][..], 7000),
        (&[("retry-after-ms", "250")], 250),
        (&[("retry-after", "1.5")], 1500),
        (&[("retry-after", "Sat, 21 Nov 2026 08:19:23 GMT")], 60_000),
        (
            &[
                ("x-ratelimit-limit-tokens", "9"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            360_000,
        ),
        (&[("retry-after", "5"), ("retry-after", "9"), ("RETRY-AFTER", "-3")], 9000),
    ] {
        let throttle = with_headers(429, headers).unwrap();
        assert_eq!(throttle.retry_after, Some(Duration::from_millis(milliseconds)), "{headers:?}");
    }
}

#[test]
fn waits_are_capped_and_nonsense_is_passed_over() {
    for value in
        ["99999999999999999999999", "-1", "", "NaN", "1e400", "soon", "0x10", "\u{0}", "Sat, 99 Nov 2026 08:19:23 GMT"]
    {
        let throttle = with_headers(
            429,
            &[("retry-after", value), ("x-ratelimit-reset", value), ("anthropic-ratelimit-tokens-remaining", value)],
        )
        .unwrap();
        assert_eq!(throttle.retry_after, None, "{value}");
        assert_eq!(throttle.reset_at, None, "{value}");
    }
    let far = with_headers(429, &[("retry-after", "999999999999")]).unwrap();
    assert_eq!(far.retry_after, Some(MAX_WAIT));
    let text = "You've hit your usage limit. Try again in 99999999 days.";
    assert_eq!(classify(&terminal(text)).unwrap().retry_after, Some(MAX_WAIT));
}

/// Seed T2: whether it is transient or blocks.
#[test]
fn t2_a_quota_is_never_retryable_and_neither_is_what_is_too_large() {
    let quota = classify(&http(429, r#"{"error":{"code":"insufficient_quota"}}"#)).unwrap();
    assert!(!quota.retryable);
    let large =
        "Request too large for gpt-9 in organization org-x on tokens per min (TPM): Limit 30000, Requested 40000.";
    let large = classify(&exception(large)).unwrap();
    assert_eq!((large.class, large.retryable), (ThrottleClass::RateLimit, false));
    assert!(classify(&http(429, "")).unwrap().retryable);
    assert!(classify(&http(529, "")).unwrap().retryable);
}

#[test]
fn a_long_wait_makes_a_providers_limit_a_quota_and_nobody_elses() {
    let headers = [("retry-after", "7200")];
    let wait = |service| classify(&Observation { headers: &headers, service: Some(service), ..http(429, "") }).unwrap();
    assert_eq!((wait("openai").class, wait("openai").rule), (ThrottleClass::Quota, ThrottleRule::WaitLong));
    assert_eq!(wait("npm").class, ThrottleClass::RateLimit);
    assert_eq!(wait("github").class, ThrottleClass::RateLimit);
}

#[test]
fn resets_are_told_as_instants_and_as_they_were_stated() {
    let throttle = classify(&terminal("You've hit your limit \u{b7} resets Nov 23, 3pm (Asia/Calcutta)")).unwrap();
    assert_eq!(throttle.reset_stated.unwrap().as_str(), "Nov 23, 3pm (Asia/Calcutta)");
    assert_eq!(throttle.reset_at.unwrap().0 / 1_000_000_000, 1_795_426_200);
    let headers = [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795252703")];
    let throttle = classify(&Observation { headers: &headers, service: Some("github"), ..http(403, "") }).unwrap();
    assert_eq!((throttle.limit, throttle.remaining, throttle.scope), (Some(60), Some(0), LimitScope::Requests));
    assert_eq!(throttle.reset_at, Some(UnixNanos(1_795_252_703_000_000_000)));
    assert_eq!(throttle.rule, ThrottleRule::HeaderNothingRemaining);
}

#[test]
fn a_clients_own_backoff_is_not_the_services_wait() {
    for text in [
        "API Error: 529 Overloaded \u{b7} Retrying in 4 seconds",
        "429 Too Many Requests, retrying 1/5 in 391ms",
        "429 Too Many Requests\nWaiting 11 seconds before trying again",
    ] {
        assert_eq!(classify(&terminal(text)).unwrap().retry_after, None, "{text}");
    }
}

/// Text is read in windows; where one ends, nothing is missed and nothing is taken out of its line.
#[test]
fn a_message_is_read_alike_wherever_it_stands_in_a_long_text() {
    const WINDOW: usize = 64 << 10;
    const OVERLAP: usize = 4 << 10;
    for seam in [WINDOW, WINDOW + OVERLAP / 2, WINDOW + OVERLAP, 2 * WINDOW, 2 * WINDOW + OVERLAP / 2] {
        for before in (seam - 90..seam + 10).step_by(7) {
            let text = |line: &str| format!("{}\n{line}\n{}", "x".repeat(before), "all is well\n".repeat(7000));
            let said =
                text("API Error: This request would exceed your organization's rate limit, try again in 7 seconds");
            let throttle = classify(&terminal(&said)).unwrap_or_else(|| panic!("{before}"));
            assert_eq!(throttle.retry_after, Some(Duration::from_secs(7)), "{before}");
            let talked =
                text("- Fixed a crash after \"Rate limit exceeded\" and after \"Usage limit reached\" were shown");
            assert_eq!(classify(&terminal(&talked)), None, "{before}");
        }
    }
}

#[test]
fn exporters_may_send_again_only_after_a_delay() {
    let grpc = |code, retry_delay| Observation {
        grpc: Some(Grpc { code, retry_delay, reasons: &[] }),
        service: Some("otlp"),
        ..Observation::default()
    };
    let delayed = classify(&grpc(8, Some(Duration::from_secs(3)))).unwrap();
    assert_eq!(
        (delayed.class, delayed.retryable, delayed.retry_after),
        (ThrottleClass::RateLimit, true, Some(Duration::from_secs(3)))
    );
    assert!(!classify(&grpc(8, None)).unwrap().retryable);
    assert_eq!(classify(&grpc(14, Some(Duration::from_secs(1)))).unwrap().class, ThrottleClass::Overloaded);
    assert_eq!(classify(&grpc(14, None)), None);
    assert_eq!(classify(&grpc(3, None)), None);
    let reasons = ["MODEL_CAPACITY_EXHAUSTED"];
    let full = Grpc { code: 8, retry_delay: None, reasons: &reasons };
    assert_eq!(
        classify(&Observation { grpc: Some(full), ..Observation::default() }).unwrap().class,
        ThrottleClass::Overloaded
    );
}

/// Seed T6: the schema is bounded. Every text of a verdict is a word of a closed list.
#[test]
fn t6_the_words_of_a_verdict_are_pinned() {
    assert_eq!(ThrottleClass::WORDS, ["rate_limit", "quota", "overloaded"]);
    assert_eq!(ServiceCategory::WORDS, ["provider", "github", "git", "registry", "telemetry_export", "mcp", "other"]);
    assert_eq!(
        LimitScope::WORDS,
        [
            "unknown",
            "requests",
            "tokens",
            "input_tokens",
            "output_tokens",
            "daily",
            "subscription_window",
            "spend",
            "credits",
            "concurrency",
            "bandwidth",
            "secondary",
        ]
    );
    assert_eq!(EvidenceKind::WORDS, ["code", "window", "wait", "prose", "status"]);
    for word in [Service::WORDS, ThrottleRule::WORDS, ProviderCode::WORDS, DownstreamOperation::WORDS, Blocked::WORDS]
        .into_iter()
        .flatten()
    {
        assert_eq!(crate::vocab::sanitise(word), *word);
    }
    for rule in ThrottleRule::ALL {
        let evidence = rule.as_str().split('.').next().unwrap();
        assert!(evidence == rule.evidence().as_str() || evidence == "header", "{rule}");
    }
}

#[test]
fn headroom_is_read_from_every_family_also_on_success() {
    let ratio = |headers: &[(&str, &str)]| {
        headroom(headers, NOW)
            .into_iter()
            .map(|room| (room.scope, (room.remaining_ratio * 1000.0).round() / 1000.0))
            .collect::<Vec<_>>()
    };
    use LimitScope as L;
    for (headers, expected) in [
        (
            &[
                ("anthropic-ratelimit-input-tokens-limit", "1000"),
                ("anthropic-ratelimit-input-tokens-remaining", "250"),
            ][..],
            vec![(L::InputTokens, 0.25)],
        ),
        (
            &[
                ("anthropic-ratelimit-unified-5h-utilization", "0.8"),
                ("anthropic-ratelimit-unified-7d-utilization", "1.2"),
            ],
            vec![(L::SubscriptionWindow, 0.2), (L::SubscriptionWindow, 0.0)],
        ),
        (
            &[("x-codex-primary-used-percent", "95"), ("x-codex-primary-window-minutes", "300")],
            vec![(L::SubscriptionWindow, 0.05)],
        ),
        (
            &[
                ("X-RateLimit-Limit-Requests", "10"),
                ("X-RateLimit-Remaining-Requests", "4"),
                ("x-ratelimit-limit-tokens", "8"),
                ("x-ratelimit-remaining-tokens", "2"),
            ],
            vec![(L::Requests, 0.4), (L::Tokens, 0.25)],
        ),
        (
            &[("x-ratelimit-limit-req-10-second", "60"), ("x-ratelimit-remaining-req-10-second", "30")],
            vec![(L::Requests, 0.5)],
        ),
        (
            &[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")],
            vec![(L::SubscriptionWindow, 0.76)],
        ),
        (&[("ratelimit", "limit=100, remaining=50, reset=5")], vec![(L::Requests, 0.5)]),
        (&[("x-ratelimit-limit", "0"), ("x-ratelimit-remaining", "0")], vec![]),
        (&[("x-ratelimit-limit", "-5"), ("x-ratelimit-remaining", "9")], vec![]),
        (&[("x-ratelimit-limit", "5"), ("x-ratelimit-remaining", "9999999999999999999999")], vec![]),
        (&[("content-type", "text/plain")], vec![]),
    ] {
        assert_eq!(ratio(headers), expected, "{headers:?}");
    }
    let many: Vec<(String, String)> =
        (0..1000).map(|n| (format!("x-ratelimit-used-percent-{n}"), "5".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(headroom(&many, NOW).len() <= 24);
}

#[test]
fn what_is_no_status_of_http_says_nothing() {
    for status in [0, 42, 99, 600, 1429, u16::MAX] {
        assert_eq!(classify(&http(status, "")), None, "{status}");
        let throttle = classify(&http(status, "API Error: Rate limit reached")).unwrap();
        assert_eq!(throttle.http_status, None, "{status}");
    }
}

#[test]
fn elements_of_a_list_of_errors_are_said() {
    for text in [
        r#"{"errors": ["Rate limit exceeded"]}"#,
        r#"{"errors": ["it failed", "429 Too Many Requests"]}"#,
        r#"{\"error\": [\"Rate limit exceeded\"]}"#,
    ] {
        assert!(classify(&terminal(text)).is_some(), "{text}");
    }
    let list = Observation { channel: Channel::SdkException, ..terminal(r#"["Rate limit exceeded"]"#) };
    assert!(classify(&list).is_some());
}

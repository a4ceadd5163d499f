//! Any bytes: no panic, no hang, and every verdict within its schema.
//!
//! Inputs are made from what services say and from the grammar of the formats, cut, doubled, spliced and flipped by a
//! generator that always makes the same ones. 200,000 of them take some seconds; `VIGIL_FUZZ_INPUTS=5000000` makes more.

#![allow(clippy::disallowed_methods, reason = "a test reads the switch for more inputs, and the clock")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{
    Channel, CommandEnd, Grpc, MAX_WAIT, Observation, StatedTime, Throttle, ThrottleClass, classify, headroom,
    outcome_of,
};

const NOW: u64 = 1_795_249_103_000_000_000;

/// A generator of numbers that need not be good (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What texts are made of.
static PARTS: &[&str] = &[
    r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 30,000 input tokens per minute"}}"#,
    r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795260000,"rateLimitType":"five_hour"}}"#,
    r#"{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":\"59.5s\",\"quotaId\":\"GenerateRequestsPerDay\"}]}}"#,
    "{'error': {'code': 'insufficient_quota', 'resets_in_seconds': 99999999999999999999}}",
    "You've hit your weekly limit \u{b7} resets Feb 29, 11am (Europe/Berlin)",
    "5-hour limit reached \u{2219} resets 2am",
    "Claude AI usage limit reached|1795260000",
    "try again in 5 days 22 hours 11 minutes",
    "Please try again in 1.898s",
    "try again at Jul 5th, 2026 8:19 PM",
    "resets at 10 de jul. de 2026, 11:52",
    "Retry-After: Sat, 21 Nov 2026 08:19:23 GMT",
    "retry-after: -1",
    "regain access on 2026-04-01 at 00:00 UTC",
    "cycle ends on 11/17/2025",
    "reset in 10h17m5.72s",
    "API rate limit exceeded for user ID 1.",
    "exceeded a secondary rate limit",
    "toomanyrequests:",
    "HTTP 429",
    "status code: 529",
    "Error code: 503",
    "RESOURCE_EXHAUSTED",
    "ThrottlingException",
    "RateLimitError(",
    "\u{1b}[31m",
    "\u{1b}]8;;",
    "\u{2502} ",
    "\\n",
    "\\\\\\\"",
    "\\u2019",
    "\n    ",
    "\r\n",
    "\t",
    "\"",
    "'",
    "`",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "- Fixed ",
    "src/a.rs:12: ",
    "test a::b ... ok",
    "a1b2c3d fix: ",
    "if ",
    "what is ",
    "9999999999",
    "99999999999999999999",
    "1e400",
    "-5",
    "0",
    "\0",
    "\u{feff}",
    "\u{10ffff}",
];

static WORDS: &[&str] =
    &["", "claude", "git", "gh", "otlp", "api.github.com", "other", "groq", "\0", "../../x", "git grep"];

static HEADERS: &[&str] = &[
    "retry-after",
    "Retry-After-Ms",
    "x-ratelimit-remaining",
    "x-ratelimit-limit",
    "x-ratelimit-reset",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-5h-utilization",
    "anthropic-ratelimit-tokens-reset",
    "x-codex-primary-used-percent",
    "x-codex-rate-limit-reached-type",
    "x-amzn-errortype",
    "ratelimit",
    "ratelimit-limit",
    "x-ratelimit-limit-req-10-second",
    "",
];

static VALUES: &[&str] = &[
    "0",
    "7",
    "-1",
    "rejected",
    "1795260000",
    "1795260000000",
    "99999999999999999999",
    "1e308",
    "NaN",
    "6m0s",
    "2026-11-21T09:00:00Z",
    "9999-12-31T23:59:59Z",
    "Sat, 21 Nov 2026 08:19:23 GMT",
    "100;w=21600",
    "limit=5, remaining=0, reset=9",
    "ThrottlingException:http://x",
    "workspace_owner_credits_depleted",
    "\u{0}",
    "",
];

fn text(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(8) {
        let part = random.pick(PARTS).as_bytes();
        match random.below(8) {
            0 => text.extend_from_slice(&part[random.below(part.len())..]),
            1 => text.extend_from_slice(&part[..random.below(part.len())]),
            2 => (0..random.below(5)).for_each(|_| text.extend_from_slice(part)),
            3 => text.extend((0..random.below(64)).map(|_| random.next() as u8)),
            _ => text.extend_from_slice(part),
        }
    }
    for _ in 0..random.below(4) {
        if !text.is_empty() {
            let at = random.below(text.len());
            match random.below(3) {
                0 => text[at] = random.next() as u8,
                1 => text.insert(at, b"\n \"\\\x1b"[random.below(5)]),
                _ => drop(text.remove(at)),
            }
        }
    }
    text
}

fn check(throttle: &Throttle, now: u64) {
    assert!(throttle.class != ThrottleClass::Quota || !throttle.retryable);
    assert!(throttle.retry_after.is_none_or(|wait| wait <= MAX_WAIT));
    let farthest = now.saturating_add(u64::try_from(MAX_WAIT.as_nanos()).unwrap());
    assert!(now == 0 || throttle.reset_at.is_none_or(|at| at.0 <= farthest));
    if let Some(stated) = throttle.reset_stated {
        assert!(!stated.as_str().is_empty() && stated.as_str().len() <= StatedTime::MAX_BYTES);
        assert!(stated.as_str().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{stated:?}");
        assert!(stated.as_str().bytes().any(|byte| byte.is_ascii_digit()), "{stated:?}");
    }
}

/// Seeds T4 and T6: whatever comes in, only the schema comes out.
#[test]
fn t6_any_bytes_give_a_verdict_within_its_schema() {
    let inputs: u64 = std::env::var("VIGIL_FUZZ_INPUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(200_000);
    let mut random = Random(0x5eed);
    let mut verdicts = 0_u64;
    for input in 0..inputs {
        let text = text(&mut random);
        let headers: Vec<(&str, &str)> =
            (0..random.below(5)).map(|_| (random.pick(HEADERS), random.pick(VALUES))).collect();
        let reasons = [random.pick(PARTS)];
        let delay = Duration::from_secs(random.next());
        let now = if random.below(4) == 0 { 0 } else { NOW };
        let observation = Observation {
            channel: [Channel::Http, Channel::CliText, Channel::SdkException, Channel::StreamJson][random.below(4)],
            service: (random.below(2) == 0).then(|| random.pick(WORDS)),
            tool: (random.below(2) == 0).then(|| random.pick(WORDS)),
            http_status: [
                None,
                Some(200),
                Some(400),
                Some(402),
                Some(403),
                Some(413),
                Some(429),
                Some(503),
                Some(529),
                Some(u16::MAX),
            ][random.below(10)],
            headers: &headers,
            grpc: (random.below(8) == 0).then(|| Grpc {
                code: random.next() as i32 % 20,
                retry_delay: Some(delay),
                reasons: &reasons,
            }),
            exit_status: Some(random.next() as i32),
            text: &text,
            now: UnixNanos(now),
            utc_offset_seconds: (random.next() as i32) % 100_000,
        };
        if let Some(throttle) = classify(&observation) {
            check(&throttle, now);
            verdicts += 1;
        }
        for room in headroom(&headers, observation.now) {
            assert!((0.0..=1.0).contains(&room.remaining_ratio));
        }
        // It reads its texts as above, so some are enough.
        if input % 8 == 0 {
            let end = CommandEnd {
                program: observation.tool,
                exit_code: Some(random.below(256) as i32),
                stderr: &text,
                now: observation.now,
                ..CommandEnd::default()
            };
            if let Some(throttle) = outcome_of(&end).and_then(|outcome| outcome.throttle) {
                check(&throttle, now);
            }
        }
    }
    println!("{inputs} inputs, {verdicts} verdicts");
    // Else the generator makes nothing that is worth reading.
    assert!(verdicts > inputs / 10);
}

/// Long inputs made to be slow: the time grows with the length and nothing else.
#[test]
fn no_input_takes_more_than_linear_time() {
    let patterns = [
        "rate ",
        "limit limit ",
        "{",
        "[{\"a\":",
        "\\",
        "\u{1b}[",
        "\u{1b}]",
        "you've hit your ",
        "'rate_limit_info':{",
        "429 ",
        "HTTP 429 ",
        "\"",
        "`",
        "\n",
        " ",
        "rate limit exceeded ",
        "resets ",
        "try again in 1 ",
        "Error: rate limit exceeded. Resets in 1 ",
        "\"type\":\"rate_limit_error\",",
        "too many ",
        "data: {\n",
    ];
    for pattern in patterns {
        for channel in [Channel::CliText, Channel::Http] {
            let time = |bytes: usize| {
                let text: Vec<u8> = pattern.bytes().cycle().take(bytes).collect();
                // Of three, for what else the machine does at the same time.
                (0..3)
                    .map(|_| {
                        let start = std::time::Instant::now();
                        let verdict = classify(&Observation {
                            channel,
                            text: &text,
                            now: UnixNanos(NOW),
                            ..Observation::default()
                        });
                        verdict.iter().for_each(|throttle| check(throttle, NOW));
                        start.elapsed()
                    })
                    .min()
                    .unwrap_or_default()
            };
            let (short, long) = (time(256 << 10), time(1 << 20));
            assert!(
                long < short * 12 + Duration::from_millis(50),
                "{pattern:?}: {short:?} for 256 KiB, {long:?} for 1 MiB"
            );
        }
    }
}

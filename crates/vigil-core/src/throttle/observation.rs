//! What is known of an exchange with a downstream service, borrowed from whoever saw it.

use crate::fact::UnixNanos;
use std::time::Duration;

/// How something came to be known. Prose needs less support where only failures are said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Channel {
    /// A response to an HTTP request: status, headers, body.
    Http,
    /// What a program showed or wrote to stderr: anything may be in it, also talk about throttling.
    #[default]
    CliText,
    /// The message of an exception or error value: it is known that something failed.
    SdkException,
    /// Lines of an agent's JSON stream.
    StreamJson,
}

impl Channel {
    /// Every channel with its word, as `vigil classify --jsonl` reads it.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("http", Self::Http),
        ("cli_text", Self::CliText),
        ("sdk_exception", Self::SdkException),
        ("stream_json", Self::StreamJson),
    ];

    /// The channel of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, channel)| *channel)
    }
}

/// A gRPC status, as far as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Grpc<'a> {
    /// The status code (8 is RESOURCE_EXHAUSTED, 14 is UNAVAILABLE).
    pub code: i32,
    /// `google.rpc.RetryInfo.retry_delay`, where there is one.
    pub retry_delay: Option<Duration>,
    /// The reasons of `google.rpc.ErrorInfo` and the quota ids of `QuotaFailure`.
    pub reasons: &'a [&'a str],
}

/// What is known of one failure, or of what might be one. Everything but the text is optional:
/// start from [`Observation::default`] and set what is there.
///
/// ```
/// use vigil_core::throttle::{Channel, Observation, Service, ThrottleClass, classify};
///
/// let verdict = classify(&Observation {
///     channel: Channel::Http,
///     http_status: Some(429),
///     headers: &[("retry-after", "7")],
///     text: br#"{"type":"error","error":{"type":"rate_limit_error","message":"Rate limited"}}"#,
///     ..Observation::default()
/// });
/// let throttle = verdict.expect("a rate limit");
/// assert_eq!((throttle.service, throttle.class), (Service::Anthropic, ThrottleClass::RateLimit));
/// assert_eq!(throttle.retry_after.map(|wait| wait.as_secs()), Some(7));
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Observation<'a> {
    /// How it came to be known.
    pub channel: Channel,
    /// The service: a word of [`Service`](super::Service), a host (`api.github.com`) or a provider's name (`gcp.gemini`).
    pub service: Option<&'a str>,
    /// The program that was run, if one was: `gh`, `git`, `/usr/bin/codex`.
    pub tool: Option<&'a str>,
    /// The status of the HTTP response.
    pub http_status: Option<u16>,
    /// The headers of the HTTP response, in any order and case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The status of the gRPC call.
    pub grpc: Option<Grpc<'a>>,
    /// The exit status of the program.
    pub exit_status: Option<i32>,
    /// The body, message or output. Any bytes; what is not UTF-8 is passed over.
    pub text: &'a [u8],
    /// The present, which turns "resets 3pm" and HTTP dates into instants and waits. The epoch means: not known,
    /// and then only what needs no clock is told.
    pub now: UnixNanos,
    /// The offset of the local zone from UTC in seconds, for times without a zone.
    pub utc_offset_seconds: i32,
}

//! Throttled downstreams: whether a service throttles, and the one event that says so.
//!
//! [`classify_http`] and [`classify_error`] give the verdict on a response or on what a client library returned;
//! [`Span::throttled`](crate::Span::throttled) records it on the span it happened in. With the features `reqwest` and
//! `tower` a middleware watches every response of an HTTP client and does both.
//!
//! ```
//! use vigil::throttle::{ThrottleOutcome, classify_http};
//!
//! let telemetry = vigil::testing::recorder();
//! let agent = telemetry.agent_span("session", "researcher");
//! let chat = agent.chat_span(vigil::Provider::ANTHROPIC, "claude-sonnet-4-5");
//! let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"Rate limited"}}"#;
//! if let Some(throttle) = classify_http(429, [("retry-after", "7")], body) {
//!     chat.throttled(&throttle, ThrottleOutcome::Retried);
//! }
//! chat.finish();
//! ```
//!
//! # The promise
//!
//! - The event `downstream.rate_limit` and its metrics hold words of closed lists and numbers: no text of a
//!   response, an error or an address gets into them.
//! - Of a response at most 128 headers and 64 KiB of the body are looked at. Bodies stream through unchanged and are
//!   never held back.
//! - What is watched and not understood is passed over in silence: a verdict that is missing is the worst outcome.

#[cfg(any(feature = "reqwest", feature = "tower"))]
mod body;
mod record;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;
#[cfg(any(feature = "reqwest", feature = "tower", test))]
mod watch;

#[cfg(any(feature = "reqwest", feature = "tower"))]
pub use self::body::WatchedBody;
#[cfg(feature = "reqwest")]
pub use self::reqwest::ThrottleMiddleware;
#[cfg(feature = "tower")]
pub use self::tower::{ThrottleFuture, ThrottleLayer, ThrottleService};

pub use vigil_core::throttle::{
    Channel, DownstreamOperation, EvidenceKind, Grpc, Headroom, LimitScope, MAX_WAIT, Observation, ProviderCode,
    Service, ServiceCategory, Throttle, ThrottleClass, ThrottleRule, Told, classify, headroom, service_named,
};
pub use vigil_core::vocab::ThrottleOutcome;

/// Headers of one response that are looked at.
const HEADERS_MAX: usize = 128;
/// Bytes of a body or an error's text that are looked at: 64 KiB.
const TEXT_MAX: usize = 64 << 10;

/// Whether the service behind a response throttles. `headers` may be a `HeaderMap` or a list of pairs; of `body`
/// the first 64 KiB count. A response of any status may throttle: ask about successful ones too where their body is
/// at hand.
///
/// Where the host is known, [`classify_response`] knows the service better.
pub fn classify_http<N: AsRef<str>, V: AsRef<[u8]>>(
    status: u16,
    headers: impl IntoIterator<Item = (N, V)>,
    body: &[u8],
) -> Option<Throttle> {
    response(None, status, &owned(headers), body)
}

/// [`classify_http`] for a response of the host `host`.
pub fn classify_response<N: AsRef<str>, V: AsRef<[u8]>>(
    host: &str,
    status: u16,
    headers: impl IntoIterator<Item = (N, V)>,
    body: &[u8],
) -> Option<Throttle> {
    response(Some(host), status, &owned(headers), body)
}

/// Whether a service throttles, from the error a client library returned: its text, and the HTTP status if the
/// library tells. Of the text the first 64 KiB count.
///
/// ```
/// # use std::error::Error;
/// # fn chain(error: &dyn Error) -> Option<vigil::throttle::Throttle> {
/// // What a library wraps is often in the sources of its error only.
/// let mut text = error.to_string();
/// let mut source = error.source();
/// while let Some(error) = source {
///     text = format!("{text}: {error}");
///     source = error.source();
/// }
/// vigil::throttle::classify_error(&text, None)
/// # }
/// ```
pub fn classify_error(text: &str, status: Option<u16>) -> Option<Throttle> {
    let text = text.as_bytes();
    classify(&Observation {
        channel: Channel::SdkException,
        http_status: status,
        text: &text[..text.len().min(TEXT_MAX)],
        now: crate::clock::unix_wall(),
        ..Observation::default()
    })
}

/// Headers as text, without those that are none.
type OwnedHeaders = Vec<(String, String)>;

fn owned<N: AsRef<str>, V: AsRef<[u8]>>(headers: impl IntoIterator<Item = (N, V)>) -> OwnedHeaders {
    let text = |(name, value): (N, V)| {
        let value = std::str::from_utf8(value.as_ref()).ok()?.to_owned();
        Some((name.as_ref().to_owned(), value))
    };
    headers.into_iter().take(HEADERS_MAX).filter_map(text).collect()
}

fn response(host: Option<&str>, status: u16, headers: &[(String, String)], body: &[u8]) -> Option<Throttle> {
    with_borrowed(headers, |headers| {
        classify(&Observation {
            channel: Channel::Http,
            service: host,
            http_status: Some(status),
            headers,
            text: &body[..body.len().min(TEXT_MAX)],
            now: crate::clock::unix_wall(),
            ..Observation::default()
        })
    })
}

fn with_borrowed<T>(headers: &[(String, String)], action: impl FnOnce(&[(&str, &str)]) -> T) -> T {
    let borrowed: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    action(&borrowed)
}

#[cfg(test)]
mod tests;

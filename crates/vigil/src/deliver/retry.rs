//! What an answer means for a batch, and how long to wait before the next attempt. Pure: the clock and chance
//! are parameters.
//!
//! The tables are those of the OTLP specification. HTTP: 429, 502, 503 and 504 and no answer at all are
//! retried, every other failure is final. gRPC: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE,
//! UNAVAILABLE and DATA_LOSS are retried, RESOURCE_EXHAUSTED where the server says when. An answer that the
//! request is too large splits the batch instead.

use super::receipt::LossReason;
use crate::encode::proto::{Fields, Malformed, Wire};
use std::time::{Duration, SystemTime};

/// The longest a destination can ask to be left alone; a longer or absurd wish counts as 5 minutes.
pub(super) const MAX_SERVER_DELAY: Duration = Duration::from_secs(300);

/// The gRPC status of a server that has not enough of something, also of patience.
pub(super) const RESOURCE_EXHAUSTED: u32 = 8;
/// The gRPC status of a server that cannot answer now; with a time to come again it is one that throttles.
pub(super) const UNAVAILABLE: u32 = 14;

/// What an answer means for a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It arrived, except for this many records that were refused for good.
    Delivered { rejected: u64 },
    /// Try again, not before the time the destination asked for.
    Retry { after: Option<Duration> },
    /// Too large: try again in two halves.
    Split,
    /// It will never be taken.
    Drop(LossReason),
}

/// The verdict on an HTTP status other than 2xx.
pub(super) fn judge_http(status: u16, retry_after: Option<&str>, now: SystemTime) -> Verdict {
    match status {
        429 | 502 | 503 | 504 => Verdict::Retry { after: retry_after.and_then(|value| parse_retry_after(value, now)) },
        413 => Verdict::Split,
        401 | 403 => Verdict::Drop(LossReason::Unauthorized),
        _ => Verdict::Drop(LossReason::Rejected),
    }
}

/// The verdict on a gRPC status other than OK. `message` is looked at for one thing: whether it is about size.
pub(super) fn judge_grpc(code: u32, retry_info: Option<Duration>, message: &[u8]) -> Verdict {
    const OUT_OF_RANGE: u32 = 11;
    match code {
        // Servers answer either of the two to a message above their limit, and would again for ever.
        RESOURCE_EXHAUSTED | OUT_OF_RANGE if retry_info.is_none() && is_about_size(message) => Verdict::Split,
        1 | 4 | 10 | OUT_OF_RANGE | UNAVAILABLE | 15 => Verdict::Retry { after: retry_info },
        RESOURCE_EXHAUSTED if retry_info.is_some() => Verdict::Retry { after: retry_info },
        7 | 16 => Verdict::Drop(LossReason::Unauthorized),
        _ => Verdict::Drop(LossReason::Rejected),
    }
}

/// What gRPC servers say: "received message larger than max (5 vs. 4)", "message length too large".
fn is_about_size(message: &[u8]) -> bool {
    let message = message.to_ascii_lowercase();
    [&b"larger than"[..], b"too large", b"exceeds", b"message size"]
        .iter()
        .any(|words| message.windows(words.len()).any(|window| window == *words))
}

/// The gRPC status a response of a plain HTTP server stands for, as gRPC maps them.
pub(super) fn grpc_code_of_http(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// `Retry-After`: seconds, or a date.
pub(super) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(MAX_SERVER_DELAY, Duration::from_secs).min(MAX_SERVER_DELAY));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(MAX_SERVER_DELAY))
}

/// The delay of a `google.rpc.RetryInfo` in an encoded `google.rpc.Status`, if there is one: as the server says.
pub(super) fn retry_delay(status: &[u8]) -> Option<Duration> {
    find_retry_info(status).ok().flatten()
}

/// The same as it is heeded.
pub(super) fn retry_info(status: &[u8]) -> Option<Duration> {
    retry_delay(status).map(|delay| delay.min(MAX_SERVER_DELAY))
}

fn find_retry_info(status: &[u8]) -> Result<Option<Duration>, Malformed> {
    let mut fields = Fields::new(status);
    while let Some(field) = fields.next()? {
        // Status.details: google.protobuf.Any { type_url = 1, value = 2 }
        let (3, Wire::Bytes(any)) = field else { continue };
        let is_retry_info =
            matches!(Fields::find(any, 1)?, Some(Wire::Bytes(url)) if url.ends_with(b"google.rpc.RetryInfo"));
        if !is_retry_info {
            continue;
        }
        // RetryInfo { Duration retry_delay = 1 }, Duration { int64 seconds = 1, int32 nanos = 2 }
        let Some(Wire::Bytes(info)) = Fields::find(any, 2)? else { continue };
        let Some(Wire::Bytes(delay)) = Fields::find(info, 1)? else { continue };
        let number = |field| match Fields::find(delay, field) {
            Ok(Some(Wire::Varint(number))) => Ok(number as i64),
            Ok(_) => Ok(0),
            Err(malformed) => Err(malformed),
        };
        let seconds = u64::try_from(number(1)?).unwrap_or(0);
        let nanos = u64::try_from(number(2)?).unwrap_or(0).min(999_999_999);
        let delay = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos));
        return Ok(Some(delay));
    }
    Ok(None)
}

/// How many records a 2xx answer says were refused.
pub(super) fn rejected_records(answer: &[u8]) -> Result<u64, Malformed> {
    // Export…ServiceResponse { partial_success = 1 { int64 rejected_… = 1, string error_message = 2 } }
    let Some(Wire::Bytes(partial)) = Fields::find(answer, 1)? else { return Ok(0) };
    match Fields::find(partial, 1)? {
        Some(Wire::Varint(rejected)) => Ok(u64::try_from(rejected as i64).unwrap_or(0)),
        _ => Ok(0),
    }
}

/// The same of an answer in JSON, which some servers give to a request in protobuf: the digits after one of
/// the three names.
pub(super) fn rejected_records_json(answer: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(answer);
    ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]
        .iter()
        .find_map(|name| {
            let (_, rest) = text.split_once(name)?;
            let digits: String =
                rest.chars().skip_while(|c| matches!(c, '"' | ':' | ' ')).take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .unwrap_or(0)
}

/// Exponential backoff with jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Backoff {
    /// The longest wait before the second attempt.
    pub(super) initial: Duration,
    /// The longest wait ever.
    pub(super) cap: Duration,
}

impl Backoff {
    /// From 500 ms, doubling up to 30 s.
    pub(super) const STEADY: Self = Self { initial: Duration::from_millis(500), cap: Duration::from_secs(30) };
    /// While a deadline is running: from 50 ms, doubling up to 500 ms.
    pub(super) const DRAINING: Self = Self { initial: Duration::from_millis(50), cap: Duration::from_millis(500) };

    /// How long to wait after `failures` failed attempts in a row (at least one), with `chance` in `0.0..1.0`:
    /// somewhere between a tenth of the step and the whole of it, or after what the destination asked for and up
    /// to a tenth of it more, so that many clients do not come back at once.
    pub(super) fn delay(&self, failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
        let chance = chance.clamp(0.0, 1.0);
        if let Some(asked) = asked {
            return asked + asked.mul_f64(chance / 10.0);
        }
        let doublings = failures.saturating_sub(1).min(20);
        let step = self.initial.saturating_mul(1 << doublings).min(self.cap);
        step.mul_f64(0.1 + 0.9 * chance)
    }
}

#[cfg(test)]
mod tests;

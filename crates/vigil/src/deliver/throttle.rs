//! A destination that throttles us.
//!
//! What it answered becomes a verdict by the rules everybody else is judged by; it is told at most once a minute and
//! destination, with the number of answers it stands for. Telling of it makes a record that goes to the same
//! destination: more than one a minute that can never become, whatever the destination does.

use super::retry::{RESOURCE_EXHAUSTED, UNAVAILABLE, parse_retry_after};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use std::time::{Duration, Instant, SystemTime};
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{Channel, Grpc, Observation, Service, Throttle, classify};

/// Between two times of telling about the same destination: 60 s.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Whether an answer over HTTP throttles: 429, or 503 that says when to come again. Without that a 503 is as often a
/// proxy with nothing behind it.
pub(super) fn of_http(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Throttle> {
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let says_when = retry_after.is_some_and(|value| parse_retry_after(value, now).is_some());
    if status != 429 && !(status == 503 && says_when) {
        return None;
    }
    let stated = [("retry-after", retry_after.unwrap_or_default())];
    judge(Observation {
        http_status: Some(status),
        headers: &stated[..usize::from(retry_after.is_some())],
        now: unix(now),
        ..Observation::default()
    })
}

/// Whether a gRPC status throttles: UNAVAILABLE with the time to come again, as OTLP has it, or RESOURCE_EXHAUSTED with
/// it. Without that UNAVAILABLE is as often a connection that broke; RESOURCE_EXHAUSTED is final then, and servers
/// answer it to a message that is too large.
pub(super) fn of_grpc(code: u32, retry_delay: Option<Duration>, now: SystemTime) -> Option<Throttle> {
    retry_delay.filter(|_| matches!(code, RESOURCE_EXHAUSTED | UNAVAILABLE))?;
    let grpc = Grpc { code: i32::try_from(code).ok()?, retry_delay, reasons: &[] };
    judge(Observation { grpc: Some(grpc), now: unix(now), ..Observation::default() })
}

fn judge(observation: Observation<'_>) -> Option<Throttle> {
    let service = Some(Service::OtlpBackend.as_str());
    classify(&Observation { channel: Channel::Http, service, ..observation })
}

fn unix(now: SystemTime) -> UnixNanos {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

/// When a destination's throttling was told last, and how often it was met since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling {
    told: Option<Instant>,
    since: u64,
}

impl Telling {
    /// It was met at `now`. Answers, when it is to be told, how often it was met since it was told before.
    pub(super) fn met(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{monotonic, wall};
    use http::HeaderValue;
    use vigil_core::throttle::{ServiceCategory, ThrottleClass};

    fn headers(retry_after: Option<&'static str>) -> HeaderMap {
        retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))).into_iter().collect()
    }

    #[test]
    fn what_otlp_calls_throttling_is_and_other_failures_are_not() {
        let http = |status, retry_after| of_http(status, &headers(retry_after), wall());
        for (throttle, class, wait) in [
            (http(429, None), ThrottleClass::RateLimit, None),
            (http(429, Some("30")), ThrottleClass::RateLimit, Some(30)),
            (http(503, Some("7")), ThrottleClass::Overloaded, Some(7)),
            (of_grpc(8, Some(Duration::from_secs(5)), wall()), ThrottleClass::RateLimit, Some(5)),
            (of_grpc(14, Some(Duration::from_secs(5)), wall()), ThrottleClass::Overloaded, Some(5)),
        ] {
            let throttle = throttle.expect("it throttles");
            assert_eq!(throttle.category(), ServiceCategory::TelemetryExport);
            assert_eq!((throttle.class, throttle.retry_after), (class, wait.map(Duration::from_secs)));
        }
        for other in [http(503, None), http(503, Some("soon")), http(500, Some("7")), http(404, None), http(200, None)]
        {
            assert_eq!(other, None);
        }
        for other in
            [of_grpc(8, None, wall()), of_grpc(14, None, wall()), of_grpc(13, Some(Duration::from_secs(5)), wall())]
        {
            assert_eq!(other, None);
        }
    }

    #[test]
    fn a_destination_that_throttles_for_hours_is_told_once_a_minute_with_the_count() {
        let began = monotonic();
        let mut telling = Telling::default();
        let told: Vec<(u64, u64)> =
            (0..600).filter_map(|second| Some((second, telling.met(began + Duration::from_secs(second))?))).collect();
        assert_eq!(told[..3], [(0, 1), (60, 60), (120, 60)]);
        assert_eq!(told.len(), 10);
    }
}

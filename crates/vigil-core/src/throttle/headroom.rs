//! What limit headers leave, on any response.

use super::headers::{self, Reset};
use super::time::Clock;
use crate::fact::UnixNanos;
use crate::vocab::{LimitScope, Service};

/// What is left of one limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Headroom {
    /// Whose limit, where the headers tell.
    pub service: Option<Service>,
    /// What is limited.
    pub scope: LimitScope,
    /// The limit.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// What is left of it, 0 to 1.
    pub remaining_ratio: f64,
    /// When it resets.
    pub reset_at: Option<UnixNanos>,
}

/// What the limit headers of a response leave, also of a success: one for each limit of which they tell enough, at
/// most 24. `now` turns lengths of time into instants; the epoch means that nobody knows the present.
///
/// ```
/// use vigil_core::{fact::UnixNanos, throttle::headroom};
///
/// let headers = [("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "125")];
/// assert_eq!(headroom(&headers, UnixNanos(0))[0].remaining_ratio, 0.25);
/// ```
pub fn headroom(headers: &[(&str, &str)], now: UnixNanos) -> Vec<Headroom> {
    let told = headers::read(headers, Clock { now, utc_offset_seconds: 0 });
    let room = |limit: &headers::Limit| {
        let counted = match (limit.limit, limit.remaining) {
            (Some(whole), Some(rest)) if whole > 0 => Some(rest as f64 / whole as f64),
            _ => None,
        };
        let remaining_ratio = counted.or_else(|| limit.used.map(|used| 1.0 - used))?.clamp(0.0, 1.0);
        let reset_at = match limit.reset {
            Some(Reset::At(instant)) => instant.at,
            Some(Reset::After(wait)) if now.0 > 0 => super::decide::after(now, wait),
            _ => None,
        };
        let (scope, service) = (limit.scope, limit.service.or(told.service));
        Some(Headroom { service, scope, limit: limit.limit, remaining: limit.remaining, remaining_ratio, reset_at })
    };
    told.limits.iter().filter_map(room).collect()
}

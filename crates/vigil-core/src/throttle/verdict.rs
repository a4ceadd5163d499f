//! The verdict.

use super::time::StatedTime;
use crate::fact::UnixNanos;
use crate::vocab::{LimitScope, ProviderCode, Service, ServiceCategory, ThrottleClass, ThrottleRule};
use std::time::Duration;

/// The longest wait that is believed: 400 days. Longer ones are taken for this.
pub const MAX_WAIT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// A downstream service throttles. Words of closed lists and numbers, nothing else.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Throttle {
    /// The service that throttles, or the program that tells of it.
    pub service: Service,
    /// How it throttles.
    pub class: ThrottleClass,
    /// What is limited.
    pub scope: LimitScope,
    /// Whether the same request would pass after a short wait. Never for a quota, nor for a request that is larger
    /// than its limit.
    pub retryable: bool,
    /// How long to wait, as the service says; at most [`MAX_WAIT`].
    pub retry_after: Option<Duration>,
    /// When the limit resets, where the service says it and the clock or the statement's own date allow to know.
    pub reset_at: Option<UnixNanos>,
    /// When the limit resets, in the service's own form.
    pub reset_stated: Option<StatedTime>,
    /// The limit, as the service says.
    pub limit: Option<u64>,
    /// What is left of it, as the service says.
    pub remaining: Option<u64>,
    /// The provider's own code.
    pub code: Option<ProviderCode>,
    /// The status of the HTTP response, given or told of in the text.
    pub http_status: Option<u16>,
    /// How it is known.
    pub rule: ThrottleRule,
}

impl Throttle {
    /// A throttle of which nothing is known but who, how and by which rule: no times, no limits, no code.
    pub const fn new(service: Service, class: ThrottleClass, rule: ThrottleRule) -> Self {
        Self {
            service,
            class,
            scope: LimitScope::Unknown,
            retryable: !matches!(class, ThrottleClass::Quota),
            retry_after: None,
            reset_at: None,
            reset_stated: None,
            limit: None,
            remaining: None,
            code: None,
            http_status: None,
            rule,
        }
    }

    /// The category of the service, which aggregates use.
    pub fn category(&self) -> ServiceCategory {
        self.service.category()
    }
}

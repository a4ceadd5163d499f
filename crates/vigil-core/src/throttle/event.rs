//! The event a verdict becomes: `downstream.rate_limit`.
//!
//! One function makes its attributes, for the SDK and for adapters. They are words of closed lists and numbers, so
//! that no text of anybody's can get into the event, whatever was classified.

use super::{Headroom, Throttle};
use crate::contract::{EventKind, attr};
use crate::fact::{Attributes, EventRecord, UnixNanos};
use crate::id::SpanContext;
use crate::vocab::{DownstreamOperation, Service, ThrottleClass, ThrottleOutcome};
use std::time::Duration;

/// What the place where a throttling was met knows beside the verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// What became of the throttled call, where that is known.
    pub outcome: Option<ThrottleOutcome>,
    /// What was being done.
    pub operation: Option<DownstreamOperation>,
    /// How long is waited because of it, where that is known. What the service asks for is in the verdict.
    pub wait: Option<Duration>,
    /// How often the same throttling was met that the event stands for; 0 and 1 both mean once.
    pub count: u64,
}

impl Throttle {
    /// The attributes of the event.
    pub fn attributes(&self, told: Told) -> Attributes {
        let mut attributes = Attributes::with_capacity(15);
        attributes.set(attr::DOWNSTREAM_SERVICE, self.category());
        attributes.set(attr::DOWNSTREAM_PROVIDER, self.service);
        attributes.set_some(attr::DOWNSTREAM_OPERATION, told.operation);
        attributes.set(attr::DOWNSTREAM_CLASSIFICATION, self.class);
        attributes.set(attr::DOWNSTREAM_RETRYABLE, self.retryable);
        attributes.set(attr::DOWNSTREAM_SCOPE, self.scope);
        attributes.set_some(attr::DOWNSTREAM_RETRY_AFTER_MS, self.retry_after.map(milliseconds));
        attributes.set_some(attr::DOWNSTREAM_LIMIT, self.limit);
        attributes.set_some(attr::DOWNSTREAM_REMAINING, self.remaining);
        attributes.set_some(attr::DOWNSTREAM_RESET_AT, self.reset_at.map(|at| at.0 / 1_000_000_000));
        attributes.set_some(attr::HTTP_RESPONSE_STATUS_CODE, self.http_status.map(u64::from));
        attributes.set_some(attr::VIGIL_THROTTLE_OUTCOME, told.outcome);
        attributes.set(attr::VIGIL_THROTTLE_RULE, self.rule);
        attributes.set_some(attr::VIGIL_THROTTLE_COUNT, (told.count > 1).then_some(told.count));
        attributes.set_some(attr::VIGIL_THROTTLE_WAIT_MS, told.wait.map(milliseconds));
        attributes
    }

    /// The event, as it happened in `span` at `time`.
    pub fn event(&self, told: Told, span: Option<SpanContext>, time: UnixNanos) -> EventRecord {
        let kind = EventKind::DownstreamRateLimit;
        EventRecord { kind, span, time, severity: kind.def().severity, attributes: self.attributes(told) }
    }

    /// What became of a call that this throttling ended: a quota blocks until somebody acts, anything else failed.
    pub fn final_outcome(&self) -> ThrottleOutcome {
        if self.class == ThrottleClass::Quota { ThrottleOutcome::Blocked } else { ThrottleOutcome::Failed }
    }
}

impl Headroom {
    /// The attributes of the record that feeds the gauge. `service` is who answered, where the headers do not say.
    pub fn attributes(&self, service: Option<Service>) -> Attributes {
        let service = self.service.or(service).unwrap_or(Service::Other);
        let mut attributes = Attributes::with_capacity(4);
        attributes.set(attr::DOWNSTREAM_SERVICE, service.category());
        attributes.set(attr::DOWNSTREAM_PROVIDER, service);
        attributes.set(attr::DOWNSTREAM_SCOPE, self.scope);
        attributes.set(attr::VIGIL_THROTTLE_REMAINING_RATIO, self.remaining_ratio);
        attributes
    }
}

/// The service of this word, name or host (`anthropic`, `gcp.gemini`, `api.github.com`); nothing for one that is not
/// known.
pub fn service_named(name: &str) -> Option<Service> {
    super::service::named(name)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

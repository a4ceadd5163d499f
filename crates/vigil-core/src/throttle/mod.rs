//! Whether a downstream service throttles: the verdict, as a pure function of what is known.
//!
//! [`classify`] looks at an [`Observation`] (status, headers, body or terminal text, gRPC status, the clock as a
//! parameter) and says nothing, or a [`Throttle`]: which service, how (*rate_limit*: waiting helps, *quota*: waiting
//! for money, plan or window, *overloaded*: they are full), what is limited, how long to wait, and by which rule it
//! knows. [`headroom`] reads what limit headers leave, on success too. [`outcome_of`] says why a wrapped command
//! ended.
//!
//! **Evidence** counts in this order: a structured code or header, the window of a quota, the size of the stated
//! wait, what the service says to people, a bare status. A verdict holds words of closed lists and numbers: there is
//! no way for a text to get into it.
//!
//! **Limits.** Time is linear in the input. Waits are at most [`MAX_WAIT`].

mod blocked;
mod decide;
mod event;
mod headers;
mod headroom;
mod observation;
mod rules;
mod service;
mod text;
mod time;
mod verdict;

#[cfg(test)]
mod tests;

pub use crate::vocab::{
    Blocked, DownstreamOperation, EvidenceKind, LimitScope, ProviderCode, Service, ServiceCategory, ThrottleClass,
    ThrottleRule,
};
pub use blocked::{CommandEnd, Outcome, outcome_of};
pub use decide::classify;
pub use event::{Told, service_named};
pub use headroom::{Headroom, headroom};
pub use observation::{Channel, Grpc, Observation};
pub use time::StatedTime;
pub use verdict::{MAX_WAIT, Throttle};

//! What services say, as tables.
//!
//! | table | holds |
//! |---|---|
//! | [`codes`] | codes and exception classes made for programs |
//! | [`phrases`] | sentences made for people |
//! | [`endings`] | what commands say when they fail for another reason |
//! | [`refine`] | what makes a verdict more precise: windows of quotas, what is counted, hosts, vetoes |
//!
//! Patterns are written as people read them and squeezed before they are searched (`text/squeeze.rs`), so case,
//! blanks, hyphens and line ends in them do not matter. A `*` stands for at most 40 squeezed bytes.

pub(super) mod codes;
pub(super) mod endings;
pub(super) mod phrases;
pub(super) mod refine;

use crate::vocab::{LimitScope, ProviderCode, Service, ThrottleClass, ThrottleRule};

/// How much support a pattern needs to count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Tier {
    /// A status and nothing else.
    Status,
    /// Words that many use, also to talk about throttling: they must be said as an error.
    Generic,
    /// A code that several kinds of throttling share: a window, a wait or a sentence may say more.
    SoftCode,
    /// A sentence of a service's own.
    Exact,
    /// A code or sentence that leaves nothing open.
    Firm,
}

/// What a pattern tells when it counts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Tells {
    pub(super) tier: Tier,
    pub(super) class: ThrottleClass,
    pub(super) scope: LimitScope,
    pub(super) service: Option<Service>,
    pub(super) code: Option<ProviderCode>,
    pub(super) rule: ThrottleRule,
}

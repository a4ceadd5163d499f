//! What an agent may do, as data: rules, and decisions that say which rule made them.
//!
//! A [`Policy`] is a Rust value or JSON text ([`Policy::parse`]). It is asked twice about a side effect: for
//! leave to use the capability at all ([`Policy::rule`]), and, once it is known what would really be touched,
//! about that ([`Policy::check_request`], [`Policy::check_file`], [`Policy::check_command`], …). A refusal is a
//! [`Denied`] that names the [`Clause`] which refused and never holds a byte of what was asked for.
//!
//! **A rule opens a capability, a section narrows it.** `rules` and `default_allow` decide whether a capability
//! may be used; `net_policy`, `fs_policy` and `process_policy` say for what. An empty list in a section narrows
//! nothing. Addresses that are not public are refused in any case but where `allow_private_addresses` is set.
//!
//! **Strict.** A field, capability or version this release does not know, a field given twice, a pattern that
//! cannot match: each is a [`PolicyError`] with line, column and the field's path. A policy is text of at most
//! 1 MiB ([`MAX_POLICY_BYTES`]).
//!
//! Everything here is pure: symbolic links, redirects and names of hosts are resolved by whoever asks, before
//! asking. The gateway of the SDK does; see `docs/gateway.md`.

mod address;
pub mod capability;
mod decide;
mod glob;
mod json;
mod read;
mod rules;

pub use address::is_public;
pub use decide::{Clause, Denied, FileAccess, RequestTarget, Ruling};
pub use glob::{CommandPattern, HostPattern, NotAPattern, PathPattern, UrlPathPattern};
pub use json::Place;
pub use read::{MAX_POLICY_BYTES, PolicyError, PolicyProblem, parse_with};
pub use rules::{FilePolicy, NetPolicy, Policy, ProcessPolicy, Rule};

#[cfg(test)]
mod tests;

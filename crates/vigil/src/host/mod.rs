//! The host's own spans in Vigil's traces, whatever tracing API they are made with.
//!
//! This is what bridges stand on, and names no other API's types: [`Host::start`] takes in a span of the host's
//! program or its libraries, [`HostContext`] lets both sides agree on which span a thread is inside of. Instrument
//! your own code with the typed handles instead.
//!
//! Recorded are names, kinds, ids, times, links, outcomes and attributes that are names and numbers. Everything else is
//! content: messages and texts of the host's go through the closed gate, at most 64 KiB and 128 fields a span or event.
//! At most 128 links a span are kept. A span that is dropped without an end was given up: it ends as cancelled, and so
//! do those still open at the shutdown. On Vigil's own threads and after the shutdown nothing is recorded.

mod context;
mod fields;
mod span;

pub use context::{CurrentSpan, HostContext};
pub use span::{Host, HostEvent, HostKind, HostSpan, HostStart};

#[cfg(feature = "tracing")]
pub(crate) use fields::Fields;
pub(crate) use span::settle;

#[cfg(test)]
mod tests;

//! The contract of Vigil: what can be said about an agent's work, as data and pure functions.
//!
//! Everything else leans on this crate, and it leans on nothing: no IO, no clock, no threads, no async
//! runtime and no OpenTelemetry types. A name that appears on the wire is written once, in
//! [`contract`]; constants, the reference page, the encoder's tests and `verify_contract()` come from
//! that table.
//!
//! | module | what it holds |
//! |---|---|
//! | [`contract`] | the tables: span kinds, attributes, events, metrics |
//! | [`vocab`] | the enums whose values appear in attributes: phases, modes, providers, finish reasons, … |
//! | [`usage`] | tokens, in one inclusive form |
//! | [`cost`] | money, in integer nano-dollars, with the date of its price table |
//! | [`fact`] | finished spans and events as values: what adapters produce and what the SDK assembles |
//! | [`throttle`] | whether a downstream service throttles, from what is known of an exchange |
//! | [`id`] | trace and span ids, random or derived from a foreign record |
//! | [`budget`] | what an agent may spend: accounts with limits, and a ledger that admits before |
//! | [`policy`] | what an agent may do: rules, and decisions that explain themselves |
//! | [`eights`] | looking at short texts eight bytes at a time |
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test reads the switch that rewrites the reference"))]

pub mod budget;
pub mod contract;
pub mod cost;
pub mod eights;
pub mod fact;
pub mod id;
pub mod policy;
pub mod throttle;
pub mod usage;
pub mod vocab;

//! Assembling: records become spans and events, and metrics are derived from them.
//!
//! One thread of Vigil's own ([`assembler`]) drains the recorder's buffers, joins records to spans
//! ([`join`]), completes what the contract wants on them ([`complete`]), derives every metric before
//! sampling ([`derive`], [`series`]), lets free text pass the gate or not ([`privacy`]), and hands the
//! result to the encoder and the log. Nobody reports the same fact twice. What a process recorded that died before
//! this was done is brought home by the next ([`recover`], [`carry`]).

pub(crate) mod assembler;
mod carry;
mod complete;
mod derive;
mod join;
pub(crate) mod outputs;
mod privacy;
pub(crate) mod recover;
mod rollup;
mod series;

#[cfg(feature = "tracing")]
pub(crate) use complete::default_operation;

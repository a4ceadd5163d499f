//! Recording: the part an agent pays for.
//!
//! A call appends one small binary record ([`format`]) to a lane of its own thread ([`lanes`], [`lane`]) and
//! returns. It does no IO, no formatting and never waits: lanes are bounded in bytes, and what does
//! not fit is counted by kind and dropped. The assembler drains them from its own thread.

pub(crate) mod file;
mod fork;
pub(crate) mod format;
mod lane;
pub(crate) mod lanes;
pub(crate) mod left;
mod memory;
mod recorder;

pub(crate) use lanes::Reader;
pub(crate) use recorder::{Home, Recorder, Sampler, Terms};

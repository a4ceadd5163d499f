//! Recording: the part an agent pays for.
//!
//! A call appends one small binary record ([`format`]) to a buffer of its own thread ([`buffer`]) and
//! returns. It does no IO, no formatting and never waits: the buffers are bounded in bytes, and what does
//! not fit is counted by kind and dropped. The assembler drains the buffers from its own thread.

pub(crate) mod buffer;
pub(crate) mod format;
mod recorder;

pub(crate) use recorder::{Recorder, Sampler};

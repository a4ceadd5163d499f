//! When to come again: lengths of time and instants, in the forms services use.

mod civil;
mod cursor;
pub(super) mod duration;
pub(super) mod instant;
mod stated;
mod zone;

pub(super) use cursor::Cursor;
pub use stated::StatedTime;

use crate::fact::UnixNanos;

/// The present and the local zone, for what is stated without them. The epoch means that nobody knows the present.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) now: UnixNanos,
    pub(super) utc_offset_seconds: i32,
}

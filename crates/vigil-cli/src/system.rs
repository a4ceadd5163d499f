//! The one place where this program reads the clock and the environment and starts threads.

#![expect(clippy::disallowed_methods, reason = "this module is where they are called")]

use std::ffi::OsString;
use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Instant, SystemTime};
use vigil_core::fact::UnixNanos;

/// The present by the machine's calendar.
pub(crate) fn now() -> UnixNanos {
    unix_nanos(SystemTime::now())
}

/// A calendar time as nanoseconds; the epoch for what was before it.
pub(crate) fn unix_nanos(time: SystemTime) -> UnixNanos {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

/// The present, for measuring.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// A variable of the environment; an empty one counts as none.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Runs `body` on a thread of this name.
///
/// # Errors
/// The system has no thread left.
pub(crate) fn in_thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(body)
}

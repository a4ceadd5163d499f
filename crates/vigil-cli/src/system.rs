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

/// The offset of the local zone from UTC, for times that programs write without a zone; 0 where it is not known.
pub(crate) fn utc_offset_seconds() -> i32 {
    let seconds = i64::try_from(now().0 / 1_000_000_000).unwrap_or(0);
    zone::offset_seconds(seconds).unwrap_or(0)
}

/// The present, for measuring.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// A variable of the environment; an empty one counts as none.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The names of all variables of the environment that are set, sorted.
pub(crate) fn variable_names() -> Vec<String> {
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let mut names: Vec<_> = set.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
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

mod zone {
    //! The local zone, which the standard library does not know.
    #![expect(unsafe_code, reason = "one call of the C library; it states its argument")]

    use std::mem::MaybeUninit;

    pub(super) fn offset_seconds(unix_seconds: i64) -> Option<i32> {
        let time = libc::time_t::try_from(unix_seconds).ok()?;
        let mut local = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both point to memory of the right type that lives through the call; an all-zero `tm` is valid, and
        // the call fills it in or returns null. The environment, which it reads for `TZ`, is changed by nobody here.
        let local = unsafe {
            if libc::localtime_r(&time, local.as_mut_ptr()).is_null() {
                return None;
            }
            local.assume_init()
        };
        i32::try_from(local.tm_gmtoff).ok()
    }
}

//! A turn at the file, among all processes and values that write it.
//!
//! An advisory lock (`flock`) of the open file: it ends with the process, however that ends. It is asked for again
//! and again and not waited for, so that a process that was stopped while it held it stalls nobody for ever.

use crate::clock;
use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

/// How long a turn is waited for.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it is asked for. The system's timers make it 160 µs.
const ASK_EVERY: Duration = Duration::from_micros(100);
/// How long who had a turn leaves the file to others before the next: long enough for them to ask. Nobody notices
/// who appends less often.
const LEAVE: Duration = Duration::from_micros(250);

/// Waits for a turn; `false` when it did not come in time.
pub(super) fn wait(file: &File) -> io::Result<bool> {
    let started = clock::monotonic();
    loop {
        if try_lock(file)? {
            return Ok(true);
        }
        if started.elapsed() >= WAIT_MAX {
            return Ok(false);
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// Lets others have their turn, when our last one ended just now.
pub(super) fn leave_to_others(last_ended: Instant) {
    let rest = LEAVE.saturating_sub(last_ended.elapsed());
    if !rest.is_zero() {
        std::thread::sleep(rest);
    }
}

#[cfg(unix)]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Ends a turn.
#[cfg(unix)]
pub(super) fn release(file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    Ok(flock(file, FlockOperation::Unlock)?)
}

#[cfg(not(unix))]
fn try_lock(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// Ends a turn.
#[cfg(not(unix))]
pub(super) fn release(_: &File) -> io::Result<()> {
    Ok(())
}

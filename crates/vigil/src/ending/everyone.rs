//! The telemetry values that end with the process, where they asked to.

use super::Cause;
use crate::clock::monotonic;
use crate::telemetry::Inner;
use std::sync::{Arc, Mutex, PoisonError, Weak};

static EVERYONE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// Adds one.
pub(super) fn join(inner: &Arc<Inner>) {
    let mut everyone = EVERYONE.lock().unwrap_or_else(PoisonError::into_inner);
    everyone.retain(|one| one.strong_count() > 0);
    everyone.push(Arc::downgrade(inner));
}

/// Those that live and are `wanted`.
pub(super) fn living(wanted: fn(&Inner) -> bool) -> Vec<Arc<Inner>> {
    // Dropping the last clone of one ends it, which is not for under the lock.
    let living: Vec<_> = {
        let everyone = EVERYONE.lock().unwrap_or_else(PoisonError::into_inner);
        everyone.iter().filter_map(Weak::upgrade).collect()
    };
    living.into_iter().filter(|inner| wanted(inner)).collect()
}

/// Ends all that are `wanted`, side by side, each within its own shutdown timeout.
pub(super) fn end(wanted: fn(&Inner) -> bool, cause: Cause) {
    let begun: Vec<_> = living(wanted)
        .into_iter()
        .map(|inner| {
            let until = monotonic() + inner.shutdown_timeout;
            let first = inner.begin_end(until, false, cause);
            (inner, until, first)
        })
        .collect();
    for (inner, until, first) in begun {
        inner.await_end(until, first);
    }
}

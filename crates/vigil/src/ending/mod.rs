//! The end of a telemetry value, whatever brings it about: one deadline, one receipt, whoever waits for it.
//!
//! | what ends | what is done |
//! |---|---|
//! | `shutdown`, the last clone dropped, [`vigil::exit`](crate::exit()) | what is open is closed as cancelled; delivered or spooled within the deadline |
//! | SIGTERM, SIGINT, SIGHUP, where [asked for](crate::Builder::handle_signals) | the same, then the process dies of the signal, so that its parent sees what it would have seen |
//! | a panic, where [asked for](crate::Builder::handle_panics) | what it unwinds, or the process ends with, is closed as failed with `error.type` = `panic`; delivered or spooled before the process is gone |
//! | the child of a fork | nothing: its threads are the parent's, and so is what was recorded |
//! | SIGKILL, a crash, a panic that cannot unwind, `std::process::exit` outside of a panic | nothing can be done in time: with a spool the next process brings home what was recorded, without one what is not delivered is lost |
//!
//! With a spool none of them waits for the network. Nothing of the process is touched (no signal, no hook) unless a
//! builder or a variable asks for it, and then once for all telemetry values that ask.

mod everyone;
mod panics;
mod settlement;
mod signals;
#[cfg(unix)]
mod system;

pub(crate) use panics::unwinding;
pub(crate) use settlement::{Answer, Cause, Settlement};

use crate::telemetry::Inner;
use std::sync::Arc;

/// Lets `inner` take part in what it asked for. `tell` is told what cannot be done.
pub(crate) fn watch(inner: &Arc<Inner>, tell: &dyn Fn(&str)) {
    if !inner.handles_signals && !inner.handles_panics {
        return;
    }
    everyone::join(inner);
    if inner.handles_signals {
        signals::watch(tell);
    }
    if inner.handles_panics {
        panics::watch(tell);
    }
}

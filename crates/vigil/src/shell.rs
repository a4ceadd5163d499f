//! The one place that starts threads.

use std::cell::Cell;
use std::io;
use std::thread::{Builder, JoinHandle};

thread_local! {
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Starts a thread of Vigil's own. Its name begins with `vigil-`.
#[expect(clippy::disallowed_methods, reason = "this module is where threads are started")]
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(format!("vigil-{name}")).spawn(|| {
        IS_OWN.set(true);
        work();
    })
}

/// Whether this thread is Vigil's own: what happens there is never recorded, or telemetry about telemetry
/// would never end.
pub(crate) fn is_own_thread() -> bool {
    IS_OWN.try_with(Cell::get).unwrap_or(false) || crate::deliver::is_delivery_thread()
}

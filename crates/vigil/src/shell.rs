//! The one place that starts threads.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of Vigil's own. Its name begins with `vigil-`.
#[expect(clippy::disallowed_methods, reason = "this module is where threads are started")]
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(format!("vigil-{name}")).spawn(work)
}

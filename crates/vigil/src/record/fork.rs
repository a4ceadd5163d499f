//! What a fork must not do: write to the pages of a [record file](super::file) that it shares with its parent.
//!
//! The thread that forked goes on in the child with its thread-locals, among them a lane whose chunk may be in such a
//! file. Before anything else runs there, that lane is forgotten ([`forget_lanes`](super::lanes::forget_lanes)); the
//! child finds nobody who reads, and records nothing. A `posix_spawn`, or a fork that runs another program, is never
//! in this position.
//!
//! `unsafe` here: one call of `pthread_atfork`. The handler is a function without captures that touches two
//! thread-locals and takes no lock.

/// Lets every fork from now on forget the lanes of the thread it came from.
pub(super) fn watch() {
    #[cfg(unix)]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            #[expect(unsafe_code, reason = "the argument is above")]
            // SAFETY: the handler takes no lock of ours and frees nothing. The first touch of a thread-local may allocate,
            // which the C library allows in such a handler.
            unsafe {
                libc::pthread_atfork(None, None, Some(in_the_child));
            }
        });
    }
}

#[cfg(unix)]
extern "C" fn in_the_child() {
    super::lanes::forget_lanes();
}

//! What the standard library does not offer of signals and of the end of a process.

#![expect(unsafe_code, reason = "three calls into the system, each with its argument")]

/// What becomes of a signal now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Disposition {
    /// What the system does by itself.
    Default,
    Ignored,
    /// Somebody has a handler for it.
    Handled,
}

/// Asks what becomes of `signal`, without changing it.
pub(super) fn disposition(signal: i32) -> Disposition {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one into `action`, which has room for it and is
    // valid all zero, should the call fail.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    match action.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handled,
    }
}

/// Has `action` called with `signal` whenever it arrives, inside the handler: it may do only what is safe there.
pub(super) fn on_signal(signal: i32, action: fn(i32)) -> std::io::Result<()> {
    // SAFETY: the only action there is (`signals::arrived`) reads and writes atomics, asks for the id of the process
    // and calls `emulate_default_handler`, all of which are safe in a handler; it does not allocate, lock or panic.
    unsafe { signal_hook::low_level::register(signal, move || action(signal)) }.map(drop)
}

/// Has `action` called when the process exits: after the end of `main`, or in `std::process::exit`.
pub(super) fn at_exit(action: extern "C" fn()) {
    // SAFETY: the function is one for good, and `extern "C"` ends the process rather than let a panic out.
    unsafe { libc::atexit(action) };
}

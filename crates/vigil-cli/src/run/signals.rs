//! Signals while a child runs: caught on one thread, told apart by who sent them, passed on once.
//!
//! The signals are *blocked* and fetched with `sigwaitinfo`, not handled. That has three merits: no handler
//! runs in the middle of anything; dispositions stay as they were, so that a child under `nohup` still ignores
//! what its parent ignored; and the kernel tells the origin. The origin decides: what a terminal sends
//! (Ctrl-C, Ctrl-\, Ctrl-Z, hang-up) goes to the whole foreground process group, so a child in our group has it
//! already and gets no second one; what a process sent to our pid alone is passed on. A program that signals a
//! whole process group from outside (`kill -INT -PGID`) cannot be told from one that meant only us: the child
//! then gets the signal twice.
//!
//! The mask is per thread, and inherited by threads and processes started later. So [`Signals::block`] comes
//! before any thread, and every process is started with [`Signals::release_in`].

#![expect(unsafe_code, reason = "the standard library has no signal masks; each call states its argument")]

use rustix::process::{Pid, Signal};
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What is caught and passed on. Not here: `SIGKILL` and `SIGSTOP` (cannot be caught), `SIGCHLD` (ours),
/// `SIGPIPE` (each process meets its own), `SIGTTIN`/`SIGTTOU` (the kernel's answer to one process).
const PASSED_ON: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTERM,
    libc::SIGTSTP,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// Who sent a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The kernel, on behalf of a terminal: the whole foreground process group got it.
    Kernel,
    /// The process with this id, which may be anybody.
    Process(i32),
}

/// A signal that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Caught {
    /// Its number.
    pub(crate) number: i32,
    /// Who sent it.
    pub(crate) origin: Origin,
}

impl Caught {
    /// The signal, as it is sent.
    pub(crate) fn signal(self) -> Option<Signal> {
        Signal::from_named_raw(self.number)
    }

    /// Whether it asks a program to end.
    pub(crate) fn asks_to_end(self) -> bool {
        matches!(self.number, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
    }

    /// Whether `child` should get it from us.
    ///
    /// What the child itself sent (to its parent, or to everybody it may signal) is not sent back to it.
    pub(crate) fn is_for(self, child: Pid, child_is_in_our_group: bool) -> bool {
        match self.origin {
            Origin::Kernel => !child_is_in_our_group,
            Origin::Process(sender) => sender != child.as_raw_nonzero().get(),
        }
    }
}

/// The signals that are held back from this process.
#[derive(Clone, Copy)]
pub(crate) struct Signals {
    held: libc::sigset_t,
    /// What was blocked before us; it is the child's again.
    before: libc::sigset_t,
}

impl Signals {
    /// Holds the signals back from the calling thread and all threads it starts from now on. Signals that were
    /// ignored when this program started stay ignored, by us and by the child.
    pub(crate) fn block() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises the set it is given a valid pointer to, and it cannot fail for one.
        let mut set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        };
        for number in PASSED_ON.into_iter().filter(|number| !is_ignored(*number)) {
            // SAFETY: the set is initialised and the number is a constant of the platform.
            unsafe { libc::sigaddset(&mut set, number) };
        }
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is initialised and `before` is room for the old mask, which the call fills in: it fails
        // only for a first argument it does not know.
        let before = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, before.as_mut_ptr());
            before.assume_init()
        };
        Self { held: set, before }
    }

    /// Has `command` start with the signals it would have without us.
    pub(crate) fn release_in(self, command: &mut Command) {
        let release = move || {
            // SAFETY: the mask is initialised. What arrived since the fork is delivered now.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe functions may be called: `pthread_sigmask` is one,
        // and nothing is allocated or locked.
        unsafe { command.pre_exec(release) };
    }

    /// Waits for the next of them.
    pub(crate) fn next(&self) -> Caught {
        loop {
            if let Some(caught) = self.wait_once() {
                return caught;
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn wait_once(&self) -> Option<Caught> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the set is initialised and `info` points to room for one siginfo; all-zero is a valid one.
        let (number, info) = unsafe { (libc::sigwaitinfo(&self.held, info.as_mut_ptr()), info.assume_init()) };
        let by_kernel = info.si_code > 0;
        // SAFETY: a signal sent by a process carries its id; for one by the kernel the field is not read.
        let origin = if by_kernel { Origin::Kernel } else { Origin::Process(unsafe { info.si_pid() }) };
        (number > 0).then_some(Caught { number, origin })
    }

    /// Without `sigwaitinfo` the origin is a guess: what a keyboard can send came from one.
    #[cfg(not(target_os = "linux"))]
    fn wait_once(&self) -> Option<Caught> {
        let mut number = 0;
        // SAFETY: the set is initialised and `number` is room for one int.
        let failed = unsafe { libc::sigwait(&self.held, &mut number) };
        let by_keyboard = matches!(number, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP | libc::SIGWINCH);
        let origin = if by_keyboard { Origin::Kernel } else { Origin::Process(0) };
        (failed == 0).then_some(Caught { number, origin })
    }
}

fn is_ignored(number: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads the old one into `action`, which has room for it and is valid zeroed.
    let action = unsafe {
        libc::sigaction(number, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(raw: i32) -> Pid {
        Pid::from_raw(raw).unwrap()
    }

    #[test]
    fn a_terminals_signal_is_not_sent_twice_to_a_child_in_our_group() {
        let caught = Caught { number: libc::SIGINT, origin: Origin::Kernel };
        assert!(!caught.is_for(pid(7), true));
        assert!(caught.is_for(pid(7), false));
    }

    #[test]
    fn a_signal_to_our_pid_is_passed_on_unless_the_child_sent_it() {
        let caught = Caught { number: libc::SIGTERM, origin: Origin::Process(9) };
        assert!(caught.is_for(pid(7), true));
        assert!(!caught.is_for(pid(9), true));
    }

    #[test]
    fn every_signal_that_is_passed_on_has_a_name_to_send_it_by() {
        for number in PASSED_ON {
            assert!(Caught { number, origin: Origin::Kernel }.signal().is_some(), "{number}");
        }
    }
}

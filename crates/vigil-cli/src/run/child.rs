//! The child: started, accompanied, and its end told.
//!
//! It stays in our process group and on our terminal, so that Ctrl-C, Ctrl-Z, `fg`, window size and passwords
//! work as if we were not there. When the terminal stops the child we stop too, so that the shell sees its job
//! stopped; when we are continued it is continued. Signals to our pid are passed on (see [`super::signals`]);
//! we outlive them until the child has ended.

use super::signals::{Caught, Origin, Signals};
use crate::system;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, getpgrp, getpid, kill_process, waitid};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The exit status for a command that was not found.
pub(crate) const NOT_FOUND: u8 = 127;
/// The exit status for a command that was found and cannot be run.
pub(crate) const NOT_EXECUTABLE: u8 = 126;

/// What the child gets for its stdout and stderr: our own where there is nothing. Its stdin is always ours.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// A command that could not be started.
#[derive(Debug)]
pub(crate) struct CannotStart {
    /// What to exit with.
    pub(crate) exit: u8,
    /// For the person, without the command's name.
    pub(crate) why: String,
}

/// How the child ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    /// Its exit code, unless a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
}

impl Ended {
    /// What a shell would have as `$?`: the code, or 128 and the signal's number.
    pub(crate) fn exit_status(self) -> u8 {
        let status = self.code.or(self.signal.map(|signal| 128 + signal)).unwrap_or(1);
        u8::try_from(status & 0xff).unwrap_or(1)
    }
}

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: std::process::Child,
    pid: Pid,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    life: Mutex<Life>,
    /// Somebody asked our pid alone to stop.
    told_to_stop: AtomicBool,
}

#[derive(Debug)]
enum Life {
    /// It can be signalled: as long as it is not waited for, its id is nobody else's.
    Alive(Pid),
    /// It ended then.
    Ended(Instant),
}

/// A signal that comes this soon after the child's end was meant for the child: the Ctrl-C that ended it comes
/// to us as well, and either may be noticed first. 200 ms.
const ECHO: Duration = Duration::from_millis(200);

/// Starts `command` with `environment` added to our own.
///
/// # Errors
/// - nothing of that name is found, or its interpreter is not (exit 127);
/// - it is found and cannot be run (exit 126).
pub(crate) fn start(
    command: &[OsString],
    environment: &[(&str, String)],
    output: Output,
    signals: Signals,
) -> Result<Running, CannotStart> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(CannotStart { exit: NOT_FOUND, why: "no command was given".into() });
    };
    let mut prepared = Command::new(program);
    prepared.args(arguments);
    // Without a `#!` line a script is the shell's, as `execvp` and every shell have it.
    let mut by_shell = Command::new("/bin/sh");
    by_shell.arg(program).args(arguments);
    for command in [&mut prepared, &mut by_shell] {
        signals.release_in(command);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let ends = [output.stdout.as_ref(), output.stderr.as_ref()].map(|end| end.map(OwnedFd::try_clone).transpose());
        let [stdout, stderr] = ends.map(|end| end.map_err(|error| cannot_start(program, &error)));
        if let Some(end) = stdout? {
            command.stdout(Stdio::from(end));
        }
        if let Some(end) = stderr? {
            command.stderr(Stdio::from(end));
        }
    }
    let child = match prepared.spawn() {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) && Path::new(program).is_file() => {
            by_shell.spawn()
        }
        result => result,
    };
    let child = child.map_err(|error| cannot_start(program, &error))?;
    let pid = Pid::from_child(&child);
    let shared = Shared { life: Mutex::new(Life::Alive(pid)), told_to_stop: AtomicBool::new(false) };
    Ok(Running { child, pid, shared: Arc::new(shared) })
}

/// Becomes the command, unobserved. Returns only when that cannot be done.
pub(crate) fn become_it(command: &[OsString], signals: Signals) -> CannotStart {
    use std::os::unix::process::CommandExt;
    let Some((program, arguments)) = command.split_first() else {
        return CannotStart { exit: NOT_FOUND, why: "no command was given".into() };
    };
    let mut prepared = Command::new(program);
    prepared.args(arguments);
    signals.release_in(&mut prepared);
    cannot_start(program, &prepared.exec())
}

fn cannot_start(program: &OsString, error: &io::Error) -> CannotStart {
    let path = Path::new(program);
    match error.kind() {
        io::ErrorKind::NotFound if path.components().count() > 1 && path.exists() => CannotStart {
            exit: NOT_FOUND,
            why: "it is there, but the interpreter it names (its #! line or its loader) is not".into(),
        },
        io::ErrorKind::NotFound if path.components().count() > 1 => {
            CannotStart { exit: NOT_FOUND, why: "no such file".into() }
        }
        io::ErrorKind::NotFound => CannotStart { exit: NOT_FOUND, why: "not found in PATH".into() },
        io::ErrorKind::PermissionDenied if path.is_dir() => {
            CannotStart { exit: NOT_EXECUTABLE, why: "it is a directory".into() }
        }
        io::ErrorKind::PermissionDenied => {
            CannotStart { exit: NOT_EXECUTABLE, why: "permission denied (is it executable?)".into() }
        }
        _ => CannotStart { exit: NOT_EXECUTABLE, why: error.to_string() },
    }
}

/// The thread that passes signals on, before there is a child.
#[derive(Debug)]
pub(crate) struct SignalThread(mpsc::Sender<Arc<Shared>>);

impl SignalThread {
    /// Starts the thread. What arrives before the child waits for it. Once the child has ended, a signal that
    /// asks to end means us: then `abandon` is called.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn start(signals: Signals, abandon: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Arc<Shared>>();
        let body = move || {
            let Ok(shared) = receiver.recv() else { return };
            loop {
                let caught = signals.next();
                if shared.pass_on(caught) == Meant::Us {
                    abandon();
                }
            }
        };
        system::in_thread("vigil-signals", body)?;
        Ok(Self(sender))
    }

    /// From now on signals are `child`'s.
    pub(crate) fn serve(self, child: &Running) {
        let _the_thread_waits_for_it = self.0.send(Arc::clone(&child.shared));
    }
}

/// Whom a signal was meant for.
#[derive(PartialEq, Eq)]
enum Meant {
    Child,
    Us,
}

impl Shared {
    fn pass_on(&self, caught: Caught) -> Meant {
        // Held while signalling: the child is not waited for in the meantime, so its id is its own.
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let child = match *life {
            Life::Alive(child) => child,
            Life::Ended(at) if caught.asks_to_end() && at.elapsed() > ECHO => return Meant::Us,
            Life::Ended(_) => return Meant::Child,
        };
        if let Some(signal) = caught.signal().filter(|_| caught.is_for(child, is_in_our_group(child))) {
            if signal == Signal::TSTP && matches!(caught.origin, Origin::Process(_)) {
                self.told_to_stop.store(true, Ordering::Relaxed);
            }
            // It fails only for a child that became somebody we may not signal (set-user-id): as it would for
            // whoever signalled us.
            let _as_for_the_sender = kill_process(child, signal);
        }
        Meant::Child
    }
}

impl Running {
    /// Waits for the child's end, stopping and continuing with it.
    pub(crate) fn wait(mut self) -> io::Result<Ended> {
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(self.pid), options) {
                Ok(Some(status)) if status.stopped() => self.stop_with_it(),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The child is dead and not yet waited for, so its id is still its own: from here on nobody signals it.
        *self.shared.life.lock().unwrap_or_else(PoisonError::into_inner) = Life::Ended(system::instant());
        let status = self.child.wait()?;
        Ok(Ended { code: status.code(), signal: status.signal() })
    }

    /// Stops this process when somebody is there who sees it and can continue it: the shell at whose terminal we
    /// are in the foreground, or whoever asked for it.
    fn stop_with_it(&self) {
        let seen = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let _taken_note = waitid(WaitId::Pid(self.pid), seen);
        let told_to = self.shared.told_to_stop.swap(false, Ordering::Relaxed);
        if told_to || (is_in_our_group(self.pid) && we_are_in_the_foreground()) {
            let _cannot_fail_for_oneself = kill_process(getpid(), Signal::STOP);
        }
    }
}

fn is_in_our_group(child: Pid) -> bool {
    getpgid(Some(child)).is_ok_and(|group| group == getpgrp())
}

fn we_are_in_the_foreground() -> bool {
    let ours = getpgrp();
    let terminals = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    terminals.into_iter().any(|fd| rustix::termios::tcgetpgrp(fd).is_ok_and(|group| group == ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_the_code_or_128_and_the_signal() {
        assert_eq!(Ended { code: Some(3), signal: None }.exit_status(), 3);
        assert_eq!(Ended { code: None, signal: Some(15) }.exit_status(), 143);
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let start = |program: &str| start(&[program.into()], &[], Output::default(), Signals::block()).unwrap_err();
        let missing = start("no-such-program-anywhere");
        assert_eq!((missing.exit, missing.why.as_str()), (NOT_FOUND, "not found in PATH"));
        let directory = start("/tmp");
        assert_eq!((directory.exit, directory.why.as_str()), (NOT_EXECUTABLE, "it is a directory"));
        assert_eq!(start("/no/such/file").exit, NOT_FOUND);
    }
}

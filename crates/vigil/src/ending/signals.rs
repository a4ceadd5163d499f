//! SIGTERM, SIGINT and SIGHUP: what was recorded is brought home, then the process dies of the signal.
//!
//! A handler of signal-hook notes the signal and wakes a thread of ours, which does the rest; nothing but that runs
//! inside the handler. The deadline is that of the end; another signal meanwhile changes nothing.
//!
//! What has a handler already when the first telemetry value starts that asks is left to it, and said; what is
//! ignored (a program under `nohup`) stays ignored. A handler that comes after ours by way of signal-hook, as tokio's
//! does, runs beside it, and the process ends all the same: a program that handles these signals itself calls
//! `shutdown` there and does not ask for this. A child of a fork dies of the signal at once.
//!
//! On systems without these signals nothing is done, which is said.

/// Watches from here on, once a process.
#[cfg(unix)]
pub(super) fn watch(tell: &dyn Fn(&str)) {
    unix::watch(tell);
}

/// There is nothing to watch.
#[cfg(not(unix))]
pub(super) fn watch(tell: &dyn Fn(&str)) {
    tell("signals are not handled: this system has none");
}

#[cfg(unix)]
mod unix {
    use crate::ending::system::{self, Disposition};
    use crate::ending::{Cause, everyone};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::low_level::{emulate_default_handler, pipe};
    use std::io::{self, Read};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
    use std::sync::{Mutex, PoisonError};

    const SIGNALS: [(i32, &str); 3] = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")];

    /// The process whose thread watches, 0 for none: a fork has the handlers and not the thread.
    static WATCHED: AtomicU32 = AtomicU32::new(0);
    /// The signal to die of, once one came.
    static ARRIVED: AtomicI32 = AtomicI32::new(0);
    /// Those that are handled already.
    static HANDLED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

    pub(super) fn watch(tell: &dyn Fn(&str)) {
        let mut handled = HANDLED.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if WATCHED.load(Ordering::Acquire) == process {
            return;
        }
        if let Err(error) = start(&mut handled, process, tell) {
            tell(&format!("signals are not handled: {error}"));
        }
    }

    fn start(handled: &mut Vec<i32>, process: u32, tell: &dyn Fn(&str)) -> io::Result<()> {
        let (reader, writer) = UnixStream::pair()?;
        // All that can fail for want of something comes before the first handler: one that noted a signal and woke
        // nobody would swallow it.
        let mut writers = Vec::with_capacity(SIGNALS.len());
        for _ in SIGNALS {
            writers.push(writer.try_clone()?);
        }
        crate::shell::spawn("signals", move || serve(reader))?;
        WATCHED.store(process, Ordering::Release);
        for ((signal, name), writer) in SIGNALS.into_iter().zip(writers) {
            if !handled.contains(&signal) {
                match system::disposition(signal) {
                    Disposition::Default => {}
                    Disposition::Ignored => continue,
                    Disposition::Handled => {
                        tell(&format!("{name} is left to the handler it has"));
                        continue;
                    }
                }
                system::on_signal(signal, arrived)?;
                handled.push(signal);
            }
            // Actions run in the order they were added: the signal is noted before the thread wakes.
            pipe::register(signal, writer)?;
        }
        Ok(())
    }

    /// In the handler, in whatever thread: nothing but atomics, and what may be called there.
    fn arrived(signal: i32) {
        if WATCHED.load(Ordering::Acquire) != std::process::id() {
            // In a fork nobody would ever come to it.
            emulate_default_handler(signal).ok();
        }
        ARRIVED.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    fn serve(mut reader: UnixStream) {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            // A fork of ours with a thread of its own still wakes this one too.
            let signal = ARRIVED.load(Ordering::Acquire);
            if signal != 0 {
                everyone::end(|inner| inner.handles_signals, Cause::Asked);
                // Does not return: it dies of the signal, or aborts.
                emulate_default_handler(signal).ok();
            }
        }
    }
}

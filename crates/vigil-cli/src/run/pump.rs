//! Passes a child's output on: byte for byte, as it arrives, and first of all.
//!
//! One thread reads what the child writes into our pipe and writes it to our stdout before anybody looks at it;
//! another does the same for stderr where that is a pipe of its own. While the observer wants the bytes it gets each
//! buffer afterwards through the [`Tap`]; once it says that this is no agent's output, pipe and stdout are joined in
//! the kernel (`splice`) where they can be, and only the end is kept for it (see [`super::aside`]). So it is while
//! more comes than can be observed.
//!
//! What ends it:
//! - the pipe's end, when the child and everyone it gave the pipe to have closed it;
//! - the reader of our stdout went away, or writing failed: the read side is closed, so that the child's next
//!   write meets a closed pipe, as it would have without us;
//! - the child ended but somebody else still holds the pipe: what was in the pipe is passed on, then up to
//!   [`GRACE`] more, then the pipe is handed back open ([`Ended::LeftOpen`]).

use super::aside::Aside;
use super::tap::{ClosesTap, Pace, Tap, Wants};
use crate::system;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a pipe that outlives the child is still read by us: 200 ms.
pub(crate) const GRACE: Duration = Duration::from_millis(200);
/// What our pipe holds, where the system allows: 1 MiB.
const PIPE_BYTES: usize = 1 << 20;

/// So much output waiting is not the end of it: 256 KiB.
const MUCH_BYTES: usize = 256 << 10;
/// What may be the end of it, if nothing follows: 64 KiB.
const LAST_BYTES: usize = 64 << 10;

/// After so long a pause in output that was skipped, its end is observed: 100 ms.
const CALM: Duration = Duration::from_millis(100);

/// How passing on ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Everything was passed on.
    Complete,
    /// Nobody reads our stdout any more.
    ReaderGone,
    /// Our stdout could not be written.
    Failed(Errno),
    /// A process the child left behind still holds the pipe.
    LeftOpen(OwnedFd),
}

/// A pipe that is larger than usual, so that its two sides seldom wait for each other. Ends: read, write.
pub(crate) fn large_pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = std::io::pipe().map(|(read, write)| (OwnedFd::from(read), OwnedFd::from(write)))?;
    #[cfg(target_os = "linux")]
    {
        // A user may be over the system's limit for pipe memory; the usual 64 KiB do as well, only slower.
        let _usual_size_is_fine = rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES);
    }
    Ok((read, write))
}

/// Passes everything from `source` on to `sink`. `child_gone` becomes readable (or hangs up) when the child has
/// ended.
pub(crate) fn pass_on(source: OwnedFd, sink: BorrowedFd<'_>, child_gone: BorrowedFd<'_>, tap: &Tap) -> Ended {
    let _closes = ClosesTap(tap);
    let splices = cfg!(target_os = "linux");
    let mut pump = Pump { source, sink, tap, sink_is_pipe: is_pipe(sink), splices, aside: None, buffer: tap.buffer() };
    let ended = pump.run(child_gone);
    pump.observe_what_was_kept();
    match ended {
        Stopped::Complete => Ended::Complete,
        Stopped::LeftOpen => Ended::LeftOpen(pump.source),
        Stopped::Failed(error) => {
            pump.observe_the_rest();
            if error == Errno::PIPE { Ended::ReaderGone } else { Ended::Failed(error) }
        }
    }
}

/// Why the pump stopped. A reader that went away is a failure with `EPIPE`.
enum Stopped {
    Complete,
    LeftOpen,
    Failed(Errno),
}

/// What the pump waits for besides output.
enum Waiting {
    /// The child's end.
    ForChild,
    /// The child has ended: the bytes that were in the pipe then, and the end of the grace.
    ForPipe { until: Instant, in_pipe: u64 },
}

impl Waiting {
    fn count(&mut self, bytes: usize) {
        if let Waiting::ForPipe { in_pipe, .. } = self {
            *in_pipe = in_pipe.saturating_sub(bytes as u64);
        }
    }
}

enum Event {
    Output,
    ChildGone,
    ReaderGone,
    Silence,
}

struct Pump<'a> {
    source: OwnedFd,
    sink: BorrowedFd<'a>,
    tap: &'a Tap,
    sink_is_pipe: bool,
    splices: bool,
    /// The end of what is skipped, while output is.
    aside: Option<Aside>,
    buffer: Vec<u8>,
}

impl Pump<'_> {
    fn run(&mut self, child_gone: BorrowedFd<'_>) -> Stopped {
        let mut waiting = Waiting::ForChild;
        loop {
            match self.next_event(child_gone, &waiting) {
                Event::ChildGone => {
                    let in_pipe = rustix::io::ioctl_fionread(&self.source).unwrap_or(0);
                    waiting = Waiting::ForPipe { until: system::instant() + GRACE, in_pipe };
                }
                Event::Output => match self.pass_some() {
                    Ok(0) => return Stopped::Complete,
                    Ok(bytes) => waiting.count(bytes),
                    Err(error) => return Stopped::Failed(error),
                },
                Event::ReaderGone => return Stopped::Failed(Errno::PIPE),
                Event::Silence if matches!(waiting, Waiting::ForChild) => self.observe_what_was_kept(),
                Event::Silence => return Stopped::LeftOpen,
            }
        }
    }

    fn next_event(&self, child_gone: BorrowedFd<'_>, waiting: &Waiting) -> Event {
        loop {
            let (timeout, count) = match waiting {
                Waiting::ForChild => (self.aside.is_some().then_some(CALM), 3),
                Waiting::ForPipe { in_pipe: 1.., .. } => return Event::Output,
                Waiting::ForPipe { until, .. } => (Some(until.saturating_duration_since(system::instant())), 2),
            };
            let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
            let mut watched = [
                PollFd::new(&self.source, PollFlags::IN),
                PollFd::from_borrowed_fd(self.sink, PollFlags::empty()),
                PollFd::from_borrowed_fd(child_gone, PollFlags::IN),
            ];
            match poll(&mut watched[..count], timeout.as_ref()) {
                // Interrupted, or out of kernel memory for a moment: look again.
                Err(_) => {}
                Ok(0) => return Event::Silence,
                Ok(_) => {
                    let [source, sink, child] = watched.map(|fd| fd.revents());
                    if self.sink_is_pipe && sink.contains(PollFlags::ERR) {
                        return Event::ReaderGone;
                    }
                    if !source.is_empty() {
                        return Event::Output;
                    }
                    if !child.is_empty() {
                        return Event::ChildGone;
                    }
                }
            }
        }
    }

    /// Passes on what is there; 0 means the pipe's end.
    fn pass_some(&mut self) -> rustix::io::Result<usize> {
        while self.splices {
            let passed = match self.tap.wants() {
                Wants::Nothing => self.splice(PIPE_BYTES),
                Wants::Tail => self.pass_towards_the_end(),
                Wants::All => match self.tap.pace() {
                    Pace::Overtaken => self.pass_by(),
                    Pace::CaughtUp => {
                        self.observe_what_was_kept();
                        break;
                    }
                    Pace::KeepsUp => break,
                },
            };
            match passed {
                Err(Errno::INTR) => {}
                // Not every stdout can be joined to a pipe: not a terminal, not a file opened to append.
                Err(_) => self.splices = false,
                passed => return passed,
            }
        }
        self.observe_what_was_kept();
        let length = match retry(|| rustix::io::read(&self.source, self.buffer.as_mut_slice())) {
            Ok(0) | Err(_) => return Ok(0),
            Ok(length) => length,
        };
        let written = write_all(self.sink, &self.buffer[..length]);
        if self.tap.wants() != Wants::Nothing {
            self.tap.give(&mut self.buffer, length, system::now());
        }
        written.map(|()| length)
    }

    /// Passes on output of which the end alone is wanted. While much is waiting all of it but the last
    /// [`LAST_BYTES`] goes on without a look: more comes after it.
    fn pass_towards_the_end(&mut self) -> rustix::io::Result<usize> {
        let waiting = usize::try_from(rustix::io::ioctl_fionread(&self.source).unwrap_or(0)).unwrap_or(usize::MAX);
        if waiting < MUCH_BYTES {
            return self.pass_by();
        }
        let passed = self.splice(waiting - LAST_BYTES)?;
        if let Some(aside) = &mut self.aside {
            aside.forget(passed);
        }
        Ok(passed)
    }

    /// Passes on what comes faster than it can be observed, and keeps its end. An error means that nothing was
    /// passed on.
    fn pass_by(&mut self) -> rustix::io::Result<usize> {
        let aside = match &mut self.aside {
            Some(aside) => aside,
            none => none.insert(Aside::new().map_err(|_| Errno::MFILE)?),
        };
        let length = aside.keep(&self.source)?;
        let mut left = length;
        while left > 0 {
            match self.splice(left) {
                Ok(0) => break,
                Ok(passed) => left -= passed,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.splices = false;
                    self.copy(left)?;
                    break;
                }
            }
        }
        Ok(length)
    }

    /// Passes on the next `left` bytes by reading and writing, unobserved.
    fn copy(&mut self, mut left: usize) -> rustix::io::Result<()> {
        while left > 0 {
            let room = self.buffer.len().min(left);
            let length = retry(|| rustix::io::read(&self.source, &mut self.buffer[..room]))?;
            write_all(self.sink, &self.buffer[..length])?;
            left = left.saturating_sub(length.max(1));
        }
        Ok(())
    }

    /// The observer gets the end of what it missed.
    fn observe_what_was_kept(&mut self) {
        let Some(aside) = self.aside.take() else { return };
        self.tap.skip(aside.lost());
        aside.empty(|pipe| {
            let length = retry(|| rustix::io::read(pipe, self.buffer.as_mut_slice())).unwrap_or(0);
            self.tap.give(&mut self.buffer, length, system::now());
            length
        });
    }

    #[cfg(target_os = "linux")]
    fn splice(&self, length: usize) -> rustix::io::Result<usize> {
        use rustix::pipe::{SpliceFlags, splice};
        splice(&self.source, None, self.sink, None, length, SpliceFlags::empty())
    }

    #[cfg(not(target_os = "linux"))]
    fn splice(&self, _length: usize) -> rustix::io::Result<usize> {
        Err(Errno::INVAL)
    }

    /// Nothing can be written any more: the observer still gets what the child had written before.
    fn observe_the_rest(&mut self) {
        let mut left = rustix::io::ioctl_fionread(&self.source).unwrap_or(0);
        while left > 0 && self.tap.wants() != Wants::Nothing {
            match retry(|| rustix::io::read(&self.source, self.buffer.as_mut_slice())) {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    left = left.saturating_sub(length as u64);
                    self.tap.give(&mut self.buffer, length, system::now());
                }
            }
        }
    }
}

fn retry<T>(mut action: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match action() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn write_all(sink: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(sink, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody who shares our stdout made it non-blocking.
            Err(Errno::AGAIN) => {
                retry(|| poll(&mut [PollFd::from_borrowed_fd(sink, PollFlags::OUT)], None))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// The hidden command `vigil pass-on`: passes stdin on to stdout until either is closed. A run that ends while
/// something its child left behind still writes leaves this process in its place, so that the writer meets no
/// closed pipe and whoever waits for the end of our stdout gets all of it.
pub(crate) fn pass_on_standard_input() {
    let tap = Tap::new();
    tap.want(Wants::Nothing);
    let Ok(source) = std::io::stdin().as_fd().try_clone_to_owned() else { return };
    let Ok((never, _held_open)) = std::io::pipe() else { return };
    let _ended = pass_on(source, std::io::stdout().as_fd(), never.as_fd(), &tap);
}

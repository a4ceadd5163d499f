//! Passes a child's output on: byte for byte, as it arrives, and first of all.
//!
//! One thread reads what the child writes into our pipe and writes it to our stdout before anybody looks at it.
//! While the observer wants the bytes it gets each buffer afterwards through the [`Tap`]; once it says that this
//! is no agent's output, pipe and stdout are joined in the kernel (`splice`) where they can be.
//!
//! What ends it:
//! - the pipe's end, when the child and everyone it gave the pipe to have closed it;
//! - the reader of our stdout went away, or writing failed: the read side is closed, so that the child's next
//!   write meets a closed pipe, as it would have without us;
//! - the child ended but somebody else still holds the pipe: what was in the pipe is passed on, then up to
//!   [`GRACE`] more, then the pipe is handed back open ([`Ended::LeftOpen`]).

use super::tap::{ClosesTap, Tap};
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

/// A pipe for the child to write into, larger than usual so that child and pump seldom wait for each other.
pub(crate) fn child_pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
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
    let mut pump = Pump { source, sink, tap, sink_is_pipe: is_pipe(sink), splices: cfg!(target_os = "linux") };
    let mut waiting = Waiting::ForChild;
    let mut buffer = tap.buffer();
    loop {
        let step = match pump.next_event(child_gone, &waiting) {
            Event::ChildGone => {
                let in_pipe = rustix::io::ioctl_fionread(&pump.source).unwrap_or(0);
                waiting = Waiting::ForPipe { until: system::instant() + GRACE, in_pipe };
                continue;
            }
            Event::Output => pump.pass_some(&mut buffer),
            Event::ReaderGone => Err(Ended::ReaderGone),
            Event::Silence => return Ended::LeftOpen(pump.source),
        };
        match step {
            Ok(0) => return Ended::Complete,
            Ok(bytes) => waiting.count(bytes),
            Err(ended) => {
                pump.observe_the_rest(&mut buffer);
                return ended;
            }
        }
    }
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
}

impl Pump<'_> {
    fn next_event(&self, child_gone: BorrowedFd<'_>, waiting: &Waiting) -> Event {
        loop {
            let timeout = match waiting {
                Waiting::ForChild => None,
                Waiting::ForPipe { in_pipe: 1.., .. } => return Event::Output,
                Waiting::ForPipe { until, .. } => {
                    let left = until.saturating_duration_since(system::instant());
                    if left.is_zero() {
                        return Event::Silence;
                    }
                    Timespec::try_from(left).ok()
                }
            };
            let mut watched = [
                PollFd::new(&self.source, PollFlags::IN),
                PollFd::from_borrowed_fd(self.sink, PollFlags::empty()),
                PollFd::from_borrowed_fd(child_gone, PollFlags::IN),
            ];
            let count = if timeout.is_some() { 2 } else { 3 };
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
    fn pass_some(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Ended> {
        if self.splices && !self.tap.is_watched() {
            match self.splice() {
                Ok(bytes) => return Ok(bytes),
                Err(Errno::INTR) => return self.pass_some(buffer),
                // Not every stdout can be joined to a pipe: not a terminal, not a file opened to append.
                Err(_) => self.splices = false,
            }
        }
        let length = match retry(|| rustix::io::read(&self.source, buffer.as_mut_slice())) {
            Ok(0) | Err(_) => return Ok(0),
            Ok(length) => length,
        };
        let written = write_all(self.sink, &buffer[..length]);
        if self.tap.is_watched() {
            self.tap.give(buffer, length, system::now());
        }
        match written {
            Ok(()) => Ok(length),
            Err(Errno::PIPE) => Err(Ended::ReaderGone),
            Err(error) => Err(Ended::Failed(error)),
        }
    }

    #[cfg(target_os = "linux")]
    fn splice(&self) -> rustix::io::Result<usize> {
        use rustix::pipe::{SpliceFlags, splice};
        splice(&self.source, None, self.sink, None, PIPE_BYTES, SpliceFlags::empty())
    }

    #[cfg(not(target_os = "linux"))]
    fn splice(&self) -> rustix::io::Result<usize> {
        Err(Errno::INVAL)
    }

    /// Nothing can be written any more: the observer still gets what the child had written before.
    fn observe_the_rest(&self, buffer: &mut Vec<u8>) {
        let mut left = rustix::io::ioctl_fionread(&self.source).unwrap_or(0);
        while left > 0 && self.tap.is_watched() {
            match retry(|| rustix::io::read(&self.source, buffer.as_mut_slice())) {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    left = left.saturating_sub(length as u64);
                    self.tap.give(buffer, length, system::now());
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
    tap.stop_watching();
    let Ok(source) = std::io::stdin().as_fd().try_clone_to_owned() else { return };
    let Ok((never, _held_open)) = std::io::pipe() else { return };
    let _ended = pass_on(source, std::io::stdout().as_fd(), never.as_fd(), &tap);
}

//! Output that comes faster than it can be observed: passed on without a copy, its end kept in the kernel.
//!
//! `tee` lends the pages in the child's pipe to one of two pipes of ours before they go on to stdout. When one is
//! full the other is emptied into `/dev/null` and takes over, so that together they always hold what came last: at
//! least one pipe's worth, 1 MiB in up to 256 writes. Nothing is copied until [`Aside::empty`] reads it.

use super::pump::large_pipe;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice, tee};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// What is lent in one step at most: 1 MiB.
const STEP_BYTES: usize = 1 << 20;

/// The end of what was passed on unobserved.
#[derive(Debug)]
pub(crate) struct Aside {
    older: (OwnedFd, OwnedFd),
    newer: (OwnedFd, OwnedFd),
    nowhere: File,
    /// Bytes that came by.
    passed: u64,
}

impl Aside {
    /// Empty.
    ///
    /// # Errors
    /// The system has no file descriptors left, or no `/dev/null`.
    pub(crate) fn new() -> io::Result<Self> {
        let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
        Ok(Self { older: large_pipe()?, newer: large_pipe()?, nowhere, passed: 0 })
    }

    /// Keeps what is next in `source`, which stays there; how many bytes that is. 0 is the end of `source`.
    ///
    /// # Errors
    /// `source` cannot be lent from, or there is nothing in it at the moment.
    pub(crate) fn keep(&mut self, source: impl AsFd) -> rustix::io::Result<usize> {
        let mut result = tee(&source, &self.newer.1, STEP_BYTES, SpliceFlags::NONBLOCK);
        if result == Err(Errno::AGAIN) {
            std::mem::swap(&mut self.older, &mut self.newer);
            self.throw_away(&self.newer.0)?;
            result = tee(&source, &self.newer.1, STEP_BYTES, SpliceFlags::NONBLOCK);
        }
        let kept = result?;
        self.passed += kept as u64;
        Ok(kept)
    }

    /// So many bytes came by that are not kept; what was kept before them is not the end any more.
    pub(crate) fn forget(&mut self, bytes: usize) {
        self.passed += bytes as u64;
        for pipe in [&self.older.0, &self.newer.0] {
            // What cannot be thrown away stays kept: it is a little more to read, and old.
            let _old_and_little = self.throw_away(pipe);
        }
    }

    fn throw_away(&self, pipe: &OwnedFd) -> rustix::io::Result<()> {
        let mut left = held(pipe);
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(STEP_BYTES).min(STEP_BYTES);
            let gone = splice(pipe, None, &self.nowhere, None, length, SpliceFlags::NONBLOCK)?;
            left = left.saturating_sub(gone.max(1) as u64);
        }
        Ok(())
    }

    /// How many bytes came by and are not kept any more.
    pub(crate) fn lost(&self) -> u64 {
        self.passed.saturating_sub(held(&self.older.0)).saturating_sub(held(&self.newer.0))
    }

    /// Reads what is kept, in order. `each` is given the pipe to read from and how much is in it, and says how much
    /// it read; 0 ends it.
    pub(crate) fn empty(self, mut each: impl FnMut(&OwnedFd) -> usize) {
        for (read, _write) in [&self.older, &self.newer] {
            let mut left = held(read);
            while left > 0 {
                let length = each(read) as u64;
                if length == 0 {
                    return;
                }
                left = left.saturating_sub(length);
            }
        }
    }
}

fn held(pipe: &OwnedFd) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_is_kept_whole_however_much_came_by() {
        let (source, sink) = large_pipe().unwrap();
        let mut child = File::from(sink);
        let nowhere = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let mut aside = Aside::new().unwrap();
        let (mut all, mut passed) = (Vec::new(), 0);
        for number in 0..9000_u32 {
            let piece: Vec<u8> = (0..500_u32).flat_map(|byte| (number * 31 + byte).to_le_bytes()).collect();
            child.write_all(&piece).unwrap();
            all.extend_from_slice(&piece);
            let kept = aside.keep(&source).unwrap();
            assert_eq!(kept, piece.len());
            passed += splice(&source, None, &nowhere, None, kept, SpliceFlags::empty()).unwrap();
        }
        assert_eq!(passed, all.len(), "what is kept goes on all the same");
        let lost = usize::try_from(aside.lost()).unwrap();
        let mut kept = Vec::new();
        let mut buffer = vec![0; 100_000];
        aside.empty(|pipe| {
            let length = rustix::io::read(pipe, buffer.as_mut_slice()).unwrap();
            kept.extend_from_slice(&buffer[..length]);
            length
        });
        assert!(kept.len() >= 200_000, "{}", kept.len());
        assert_eq!(lost + kept.len(), all.len());
        assert!(kept == all[lost..]);
    }

    #[test]
    fn what_was_kept_before_something_passed_unkept_is_forgotten() {
        let (source, sink) = large_pipe().unwrap();
        File::from(sink).write_all(b"old and more").unwrap();
        let nowhere = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let mut aside = Aside::new().unwrap();
        assert_eq!(aside.keep(&source), Ok(12));
        assert_eq!(splice(&source, None, &nowhere, None, 12, SpliceFlags::empty()), Ok(12));
        aside.forget(1000);
        assert_eq!(aside.lost(), 1012);
        aside.empty(|_| panic!("nothing is kept"));
    }

    #[test]
    fn the_end_of_the_source_is_seen() {
        let (source, sink) = large_pipe().unwrap();
        drop(sink);
        assert_eq!(Aside::new().unwrap().keep(&source), Ok(0));
    }
}

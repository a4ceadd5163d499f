//! Cuts a byte stream into lines, whatever the cuts it arrives in.
//!
//! Limits: a line of up to `limit` bytes is kept (8 MiB, 4 MiB when live); a longer one is skipped without being
//! buffered and counted in [`LineSplitter::oversize`]. A line ends with `\n`; one `\r` before it is dropped.
//! Lines that lie whole in a chunk are passed on without a copy; only a line cut by the end of a chunk is
//! copied, and the buffer for it is given back when it has grown past 64 KiB.

/// Longest line of a recording that is kept, in bytes.
pub(crate) const LINE_LIMIT: usize = 8 * 1024 * 1024;

/// Longest line of a process's output that is kept, in bytes: its memory is the user's.
pub(crate) const LIVE_LINE_LIMIT: usize = 4 * 1024 * 1024;

/// Capacity of the buffer that is worth keeping between lines, in bytes.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Cuts chunks into lines.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    partial: Vec<u8>,
    limit: usize,
    /// Inside a line that is already too long.
    skipping: bool,
    oversize: u64,
}

impl LineSplitter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { partial: Vec::new(), limit, skipping: false, oversize: 0 }
    }

    /// Lines that were longer than the limit so far.
    pub(crate) fn oversize(&self) -> u64 {
        self.oversize
    }

    /// Passes every line that `bytes` completes to `line`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = (&rest[..end], &rest[end + 1..]);
            rest = tail;
            if self.skipping {
                self.skipping = false;
            } else if self.partial.len() + head.len() > self.limit {
                self.oversize += 1;
                self.forget_partial();
            } else if self.partial.is_empty() {
                line(without_carriage_return(head));
            } else {
                self.keep(head);
                line(without_carriage_return(&self.partial));
                self.forget_partial();
            }
        }
        if self.skipping {
            return;
        }
        if self.partial.len() + rest.len() > self.limit {
            self.oversize += 1;
            self.skipping = true;
            self.forget_partial();
        } else {
            self.keep(rest);
        }
    }

    /// Forgets the line that is half there and goes on at the next line start: bytes are missing here.
    pub(crate) fn gap(&mut self) {
        self.skipping = true;
        self.forget_partial();
    }

    /// Keeps the head of a line. The buffer doubles, but never past the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.partial.len() + bytes.len();
        if needed > self.partial.capacity() {
            let capacity = (self.partial.capacity() * 2).clamp(needed, self.limit.max(needed));
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(bytes);
    }

    /// Passes what is left without a line end, if anything, to `line`.
    pub(crate) fn finish(&mut self, line: impl FnOnce(&[u8])) {
        self.skipping = false;
        if !self.partial.is_empty() {
            line(without_carriage_return(&self.partial));
            self.forget_partial();
        }
    }

    fn forget_partial(&mut self) {
        self.partial.clear();
        if self.partial.capacity() > KEPT_CAPACITY {
            self.partial = Vec::new();
        }
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(limit: usize, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let mut splitter = LineSplitter::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(line.to_vec()));
        }
        splitter.finish(|line| lines.push(line.to_vec()));
        (lines, splitter.oversize())
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let text = b"one\r\n\ntwo\nthree without end";
        let (whole, _) = split(100, &[text]);
        assert_eq!(whole, [&b"one"[..], b"", b"two", b"three without end"]);
        for size in 1..text.len() {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(split(100, &chunks).0, whole, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_past_the_limit_is_skipped_counted_and_not_buffered() {
        for size in [1, 3, 64] {
            let text = [&b"ok\n"[..], &[b'x'; 50], b"\nalso\n", &[b'y'; 11], b"\nexactly10.\n", &[b'z'; 30]].concat();
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let (lines, oversize) = split(10, &chunks);
            assert_eq!(lines, [&b"ok"[..], b"also", b"exactly10."], "chunks of {size}");
            assert_eq!(oversize, 3);
        }
        let mut splitter = LineSplitter::new(LINE_LIMIT);
        for _ in 0..1600 {
            splitter.push(&[b'x'; 64 * 1024], |_| panic!("no line ends here"));
            assert!(splitter.partial.capacity() <= LINE_LIMIT);
        }
        assert_eq!(splitter.partial.capacity(), 0);
    }

    #[test]
    fn after_a_gap_reading_goes_on_at_the_next_line() {
        let mut splitter = LineSplitter::new(100);
        let mut lines = Vec::new();
        splitter.push(b"one\nhalf of tw", |line| lines.push(line.to_vec()));
        splitter.gap();
        splitter.push(b"half of four\nfive\n", |line| lines.push(line.to_vec()));
        assert_eq!(lines, [&b"one"[..], b"five"]);
        assert_eq!(splitter.oversize(), 0);
    }
}

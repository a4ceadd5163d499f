//! Windows on a stream of text: the stretch that is to be judged next, and the end of it all.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use vigil_core::fact::UnixNanos;

/// A stretch of text ends where nothing comes for so long: 300 ms. A message of many lines comes in one go.
pub(crate) const QUIET: Duration = Duration::from_millis(300);
/// The longest stretch that is judged at once: 64 KiB.
pub(crate) const WINDOW_BYTES: usize = 64 << 10;
/// What is kept of a stretch that was judged without a verdict, in case a message goes over its end: 4 KiB.
const OVERLAP_BYTES: usize = 4 << 10;
/// What is kept of the end of everything: 16 KiB.
pub(crate) const TAIL_BYTES: usize = 16 << 10;

/// The text since the last verdict, up to [`WINDOW_BYTES`].
#[derive(Debug, Default)]
pub(crate) struct Window {
    text: Vec<u8>,
    /// How much of it was judged before.
    judged: usize,
    last_at: UnixNanos,
}

impl Window {
    /// Bytes that arrived at `at`. `judge` is given what is to be judged, and when it came.
    pub(crate) fn push(&mut self, mut bytes: &[u8], at: UnixNanos, mut judge: impl FnMut(&[u8], UnixNanos)) {
        self.quiet(at, &mut judge);
        self.last_at = at;
        while !bytes.is_empty() {
            let room = WINDOW_BYTES - self.text.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.text.extend_from_slice(now);
            bytes = later;
            if self.text.len() == WINDOW_BYTES {
                self.judge_and_keep_the_end(&mut judge);
            }
        }
    }

    /// Nothing has come until `now`.
    pub(crate) fn quiet(&mut self, now: UnixNanos, mut judge: impl FnMut(&[u8], UnixNanos)) {
        if self.last_at.until(now) >= QUIET {
            self.end(&mut judge);
        }
    }

    /// Nothing will come any more, or something else does.
    pub(crate) fn end(&mut self, mut judge: impl FnMut(&[u8], UnixNanos)) {
        if self.text.len() > self.judged {
            judge(&self.text, self.last_at);
        }
        self.forget();
    }

    /// Bytes are missing here: what is half there says nothing.
    pub(crate) fn gap(&mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        self.text.clear();
        self.judged = 0;
    }

    fn judge_and_keep_the_end(&mut self, judge: &mut impl FnMut(&[u8], UnixNanos)) {
        judge(&self.text, self.last_at);
        let from = self.text.len() - OVERLAP_BYTES;
        // From the start of a line, if there is one.
        let line = self.text[from..].iter().position(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        self.text.drain(..from + line);
        self.judged = self.text.len();
    }
}

/// The last bytes of a stream: 16 KiB.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let excess = (self.0.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        self.0.drain(..excess);
        self.0.extend(bytes);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().copied().collect()
    }
}

/// How often `text` says the same: the largest number of lines that `matters` and differ in digits only. At least
/// one. Each line is asked about once, however often it is there.
pub(crate) fn repeated(text: &[u8], mut matters: impl FnMut(&[u8]) -> bool) -> u64 {
    let mut counts: HashMap<u64, (u64, &[u8])> = HashMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let mut hasher = DefaultHasher::new();
        line.iter().filter(|byte| !byte.is_ascii_digit()).for_each(|byte| byte.hash(&mut hasher));
        counts.entry(hasher.finish()).or_insert((0, line)).0 += 1;
    }
    let mut repeated: Vec<_> = counts.into_values().filter(|(count, _)| *count > 1).collect();
    repeated.sort_unstable_by_key(|(count, _)| std::cmp::Reverse(*count));
    repeated.into_iter().find(|(_, line)| matters(line)).map_or(1, |(count, _)| count)
}

/// Whether a text says that it is going to try again.
pub(crate) fn says_it_retries(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"retrying", b"reconnecting", b"will retry", b"backing off", b"sleeping", b"waiting"];
    WORDS.iter().any(|word| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn judged(pieces: &[(&[u8], u64)]) -> Vec<(usize, u64)> {
        let (mut window, mut judged) = (Window::default(), Vec::new());
        let mut judge = |text: &[u8], at: UnixNanos| judged.push((text.len(), at.0));
        for (bytes, at) in pieces {
            window.push(bytes, UnixNanos(*at), &mut judge);
        }
        window.end(judge);
        judged
    }

    #[test]
    fn what_comes_in_one_go_is_judged_together_and_what_comes_after_a_pause_apart() {
        let pieces: &[(&[u8], u64)] = &[(b"one ", SECOND), (b"two", SECOND + 1), (b"three", 2 * SECOND)];
        assert_eq!(judged(pieces), [(7, SECOND + 1), (5, 2 * SECOND)]);
    }

    #[test]
    fn a_long_stretch_is_judged_in_windows_that_overlap() {
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let stretch = line.repeat(3000);
        let all = judged(&[(&stretch, SECOND)]);
        let overlaps: usize = all.iter().map(|(length, _)| *length).sum::<usize>() - stretch.len();
        assert_eq!(all[0].0, WINDOW_BYTES);
        let (windows, least, most) = (all.len() - 1, OVERLAP_BYTES - 100, OVERLAP_BYTES);
        assert!((windows * least..=windows * most).contains(&overlaps), "{overlaps} in {windows}");
    }

    #[test]
    fn the_end_of_a_window_alone_is_not_judged_twice() {
        assert_eq!(judged(&[(&vec![b'x'; WINDOW_BYTES], SECOND)]), [(WINDOW_BYTES, SECOND)]);
    }

    #[test]
    fn the_tail_is_the_end() {
        let mut tail = Tail::default();
        for byte in 0..100_u8 {
            tail.push(&[byte; 1000]);
        }
        let bytes = tail.bytes();
        assert_eq!((bytes.len(), bytes[0], bytes[TAIL_BYTES - 1]), (TAIL_BYTES, 83, 99));
        tail.push(&[7; 3 * TAIL_BYTES]);
        assert_eq!(tail.bytes(), [7; TAIL_BYTES]);
    }

    #[test]
    fn lines_that_differ_in_digits_only_say_the_same() {
        let text = b"a\nattempt 1 failed: 429\na\na\nattempt 2 failed: 429\n\nattempt 13 failed: 429\na\n";
        assert_eq!(repeated(text, |line| line.starts_with(b"attempt")), 3);
        assert_eq!(repeated(text, |_| false), 1);
    }

    #[test]
    fn who_retries_says_so() {
        assert!(says_it_retries(b"429. Retrying after 5301ms..."));
        assert!(says_it_retries(b"Reconnecting... 1/5"));
        assert!(!says_it_retries(b"Please retry in 2.1s"));
    }
}

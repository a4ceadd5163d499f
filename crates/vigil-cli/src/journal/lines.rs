//! Lines for stdout, written many at a time.

use crate::output::to_stdout;

/// How much is written at once: 64 KiB.
const BLOCK_BYTES: usize = 64 << 10;

/// Lines that are not written yet.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line; `false` when nobody reads any more.
    pub(super) fn push(&mut self, line: &str) -> bool {
        self.0.push_str(line);
        self.0.push('\n');
        self.0.len() < BLOCK_BYTES || self.write()
    }

    /// Writes what there is; `false` when nobody reads any more.
    pub(super) fn write(&mut self) -> bool {
        let written = self.0.is_empty() || to_stdout(&self.0);
        self.0.clear();
        written
    }
}

//! A time in the words of the service.

use std::fmt;

/// A time as a service stated it: `2am (Asia/Seoul)`, `Jul 5th, 2026 8:19 PM`, `1738888888`. At most 48 bytes. It is
/// made only of what the grammar of times knows: numbers, names of months and days, `am` and `pm`, zones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatedTime {
    bytes: [u8; Self::MAX_BYTES],
    length: u8,
}

impl StatedTime {
    /// The longest statement that is kept, in bytes.
    pub const MAX_BYTES: usize = 48;

    /// As it was stated, with single spaces.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// What the grammar read, with single spaces for whatever blanks there were. Nothing when it is too long.
    pub(super) fn new(read: &[u8]) -> Option<Self> {
        let mut stated = Self { bytes: [0; Self::MAX_BYTES], length: 0 };
        let mut blank = false;
        let mut rest = super::Cursor::new(read);
        loop {
            let before = rest.position();
            rest.skip_blanks();
            blank |= rest.position() > before;
            let Some(byte) = rest.peek() else { return (stated.length > 0).then_some(stated) };
            if !byte.is_ascii_graphic() {
                return None;
            }
            if blank && stated.length > 0 {
                stated.push(b' ')?;
            }
            blank = false;
            stated.push(byte)?;
            rest.one_of(&[byte]);
        }
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(usize::from(self.length))? = byte;
        self.length += 1;
        Some(())
    }
}

impl fmt::Debug for StatedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatedTime({:?})", self.as_str())
    }
}

impl fmt::Display for StatedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

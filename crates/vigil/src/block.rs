//! Short strings that are written over and over, kept in blocks of one size: copying one is a handful of moves of a
//! known size, and no call.

/// Up to `N` bytes.
pub(crate) struct Block<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Block<N> {
    /// `None` when `bytes` do not fit.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut block = [0; N];
        block.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: block, len: bytes.len() })
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends the bytes.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_with(out, |_| self.len);
    }

    /// Appends the whole block, lets `fill` change it there, and keeps as much of it as that says.
    #[inline]
    pub(crate) fn write_with(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut [u8; N]) -> usize) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        if let Some(block) = out.last_chunk_mut::<N>() {
            let len = fill(block);
            out.truncate(start + len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_appends_what_it_was_made_of_and_what_is_filled_in() {
        let mut out = b"before ".to_vec();
        let block = Block::<8>::new(b"block").unwrap();
        block.write(&mut out);
        block.write_with(&mut out, |block| {
            block[block.len() - 3] = b'!';
            6
        });
        assert_eq!((out.as_slice(), block.len()), (b"before blockblock!".as_slice(), 5));
        assert!(Block::<4>::new(b"block").is_none());
    }
}

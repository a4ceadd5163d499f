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

    /// Without bytes.
    pub(crate) const fn empty() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends the bytes.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.append(out);
        keep::<N>(out, self.len);
    }

    /// Appends the whole block and hands it out to be changed there. Afterwards [`keep`] cuts off what is too much.
    #[inline(always)]
    pub(crate) fn append<'o>(&self, out: &'o mut Vec<u8>) -> Option<&'o mut [u8; N]> {
        out.extend_from_slice(&self.bytes);
        out.last_chunk_mut()
    }
}

/// Appends `bytes`, lets `fill` change them there, and keeps as many of them as that says.
#[inline(always)]
pub(crate) fn write_with<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], fill: impl FnOnce(&mut [u8; N]) -> usize) {
    let start = out.len();
    out.extend_from_slice(bytes);
    if let Some(block) = out.last_chunk_mut::<N>() {
        let len = fill(block);
        out.truncate(start + len);
    }
}

/// Keeps `len` bytes of the `N` that were appended last.
#[inline(always)]
pub(crate) fn keep<const N: usize>(out: &mut Vec<u8>, len: usize) {
    out.truncate((out.len() + len).saturating_sub(N));
}

/// The longest text [`put_short`] takes.
pub(crate) const SHORT: usize = 32;

/// Puts `text`, of [`SHORT`] bytes at most, at the head of `to`: as one or two moves, which may overlap.
#[inline(always)]
pub(crate) fn put_short(to: &mut [u8], text: &[u8]) {
    let len = text.len();
    if let (Some(first), Some(last)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        to[..16].copy_from_slice(first);
        to[len - 16..len].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        to[..8].copy_from_slice(first);
        to[len - 8..len].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        to[..4].copy_from_slice(first);
        to[len - 4..len].copy_from_slice(last);
    } else {
        to.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_of_every_length_is_put_whole_and_nothing_else_is_touched() {
        let text: Vec<u8> = (1..=SHORT as u8).collect();
        for len in 0..=SHORT {
            let mut to = [0; SHORT + 2];
            put_short(&mut to[1..], &text[..len]);
            assert_eq!(to[1..=len], text[..len]);
            assert!(to[0] == 0 && to[len + 1..].iter().all(|byte| *byte == 0), "{len}");
        }
    }

    #[test]
    fn a_block_appends_what_it_was_made_of_and_what_is_filled_in() {
        let mut out = b"before ".to_vec();
        let block = Block::<8>::new(b"block").unwrap();
        block.write(&mut out);
        block.append(&mut out).unwrap()[5] = b'!';
        keep::<8>(&mut out, 6);
        assert_eq!((out.as_slice(), block.len()), (b"before blockblock!".as_slice(), 5));
        assert!(Block::<4>::new(b"block").is_none());
    }
}

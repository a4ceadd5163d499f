//! A batch in a file: a head of 32 bytes and the encoded request behind it. Pure bytes, no files.
//!
//! ```text
//!  0  "VGF1"      what this is, and in which version
//!  4  u32         bytes of the body, 64 MiB at most
//!  8  u32         records in it
//! 12  u32         CRC-32C of the body
//! 16  u64         when it was written, in nanoseconds since 1970
//! 24  u32         0
//! 28  u32         CRC-32C of the 28 bytes before
//! 32  …           the body: an `Export…ServiceRequest` of OTLP
//! ```
//!
//! Numbers are little-endian. The head has a checksum of its own, so that a damaged body costs its own records
//! alone, and how many those are is known.

use std::io;

/// The bytes before a body.
pub(super) const HEAD_BYTES: usize = 32;
/// The largest body; nothing larger is ever sent.
pub(super) const BODY_MAX: usize = 64 << 20;

const MAGIC: [u8; 4] = *b"VGF1";

/// What is known of a batch before its body is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) body_bytes: u32,
    pub(super) records: u32,
    pub(super) checksum: u32,
    pub(super) written_unix_ns: u64,
}

impl Head {
    /// The head of `body`.
    ///
    /// # Errors
    /// The body is larger than 64 MiB.
    pub(super) fn of(body: &[u8], records: u32, written_unix_ns: u64) -> io::Result<Self> {
        if body.len() > BODY_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self { body_bytes: body.len() as u32, records, checksum: crc32c::crc32c(body), written_unix_ns })
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let fields: [&[u8]; 5] = [
            &MAGIC,
            &self.body_bytes.to_le_bytes(),
            &self.records.to_le_bytes(),
            &self.checksum.to_le_bytes(),
            &self.written_unix_ns.to_le_bytes(),
        ];
        for (slot, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *slot = *byte;
        }
        let checksum = crc32c::crc32c(&bytes[..28]).to_le_bytes();
        bytes[28..].copy_from_slice(&checksum);
        bytes
    }

    /// Reads a head; `None` when it is none or damaged.
    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let u32_at = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let u64_at = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        if bytes[..4] != MAGIC || u32_at(28)? != crc32c::crc32c(&bytes[..28]) {
            return None;
        }
        let head =
            Self { body_bytes: u32_at(4)?, records: u32_at(8)?, checksum: u32_at(12)?, written_unix_ns: u64_at(16)? };
        (head.body_bytes as usize <= BODY_MAX).then_some(head)
    }

    /// The bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_as_it_was_written() {
        let head = Head::of(b"body", 7, 1_700_000_000_000_000_000).unwrap();
        assert_eq!(Head::decode(&head.encode()), Some(head));
        assert_eq!(head.frame_bytes(), 36);
    }

    #[test]
    fn the_bytes_of_a_head_are_pinned() {
        // Files outlive the version that wrote them.
        let bytes = Head::of(b"body", 7, 1).unwrap().encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, PINNED);
    }

    #[test]
    fn any_bit_that_turned_is_noticed() {
        let bytes = Head::of(b"body", 7, 1).unwrap().encode();
        for bit in 0..HEAD_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&damaged), None, "bit {bit}");
        }
    }

    const PINNED: &str = "56474631040000000700000050c93f2601000000000000000000000089df5164";
}

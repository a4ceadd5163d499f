//! The bytes of a journal: its header, and the frame of a record. Pure; the layout is in the module's documentation.

use super::chain::{Hash, Head};
use super::error::KindError;
use std::ops::Range;
use vigil_core::fact::UnixNanos;
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::{MAX_WORD_BYTES, is_word};

/// The largest payload: 16 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// The longest kind.
pub const KIND_BYTES_MAX: usize = MAX_WORD_BYTES;
/// The longest stream id.
pub const STREAM_BYTES_MAX: usize = 100;

/// The version of what is written.
pub(super) const VERSION: u16 = 1;
/// The length of a file's header, in every version.
pub(super) const FILE_HEADER_BYTES: usize = 128;
/// The length of a frame's header.
pub(super) const FRAME_HEADER_BYTES: usize = 16;
/// The first byte of a frame. It occurs in no UTF-8 text.
pub(super) const MARKER_FIRST: u8 = MARKER[0];

/// A byte that is not ASCII, line ends of both kinds and an end of file: a transfer as text damages it at once.
const MAGIC: [u8; 8] = *b"\x89VJL\r\n\x1a\n";
const MARKER: [u8; 4] = *b"\xf5VJ1";
const CRC_BYTES: usize = 4;
/// Time, trace id, span id and hash: what of a body is not hashed.
const UNHASHED_BYTES: usize = 8 + 16 + 8 + 32;
/// Previous hash, sequence and length of the kind.
const HASHED_FIXED_BYTES: usize = 32 + 8 + 1;
const BODY_BYTES_MIN: usize = UNHASHED_BYTES + HASHED_FIXED_BYTES;
const BODY_BYTES_MAX: usize = BODY_BYTES_MIN + KIND_BYTES_MAX + PAYLOAD_BYTES_MAX;

/// A record of a journal: an event and its place in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope<'a> {
    /// Its number, from 1 on.
    pub sequence: u64,
    /// When it was appended, by the machine's calendar. Not hashed.
    pub time: UnixNanos,
    /// What kind of event it is.
    pub kind: &'a str,
    /// The event.
    pub payload: &'a [u8],
    /// The span it was appended in, where there was one. Not hashed.
    pub context: Option<SpanContext>,
    /// The hash of the record before; zeros in the first.
    pub previous: Hash,
    /// The record's own hash, as it is written there; [`computed_hash`](Self::computed_hash) is what it should be.
    pub hash: Hash,
    hashed: &'a [u8],
}

impl Envelope<'_> {
    /// The hash over sequence, kind, payload and previous hash.
    pub fn computed_hash(&self) -> Hash {
        Hash::of(self.hashed)
    }

    /// When it was appended, as text: `2026-11-21T01:15:09.084000000Z`.
    pub fn time_rfc3339(&self) -> String {
        String::from_utf8_lossy(&crate::time::rfc3339(self.time)).into_owned()
    }

    /// The record as the end of a chain.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }
}

/// Whether a journal takes events of this kind: a word, since it goes onto spans (`life.event_kind`).
pub(super) fn check_kind(kind: &str) -> Result<(), KindError> {
    if !kind.is_empty() && is_word(kind) { Ok(()) } else { Err(KindError) }
}

/// Whether a stream may be called so: 1 to 100 bytes without control characters.
pub(super) fn is_stream_id(stream: &str) -> bool {
    (1..=STREAM_BYTES_MAX).contains(&stream.len()) && !stream.chars().any(char::is_control)
}

/// What the first bytes of a file say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FileHeader {
    /// A journal that can be read.
    Journal { stream: String },
    /// A journal of a version that cannot.
    Version(u16),
    /// The beginning of a header, or nothing: a journal whose creation was cut short.
    Torn,
    /// Something else, or a header that is damaged.
    Unknown,
}

/// The header of a journal of `stream`, which is a stream id.
pub(super) fn encode_file_header(stream: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FILE_HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(stream.len() as u8);
    bytes.extend_from_slice(stream.as_bytes());
    bytes.resize(FILE_HEADER_BYTES - CRC_BYTES, 0);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads the first bytes of a file: [`FILE_HEADER_BYTES`], or all there are.
pub(super) fn parse_file_header(bytes: &[u8]) -> FileHeader {
    if bytes.len() < FILE_HEADER_BYTES {
        let common = bytes.len().min(MAGIC.len());
        return if bytes[..common] == MAGIC[..common] { FileHeader::Torn } else { FileHeader::Unknown };
    }
    let parsed = || {
        let (told, crc) = bytes[..FILE_HEADER_BYTES].split_last_chunk::<CRC_BYTES>()?;
        let rest = told.strip_prefix(&MAGIC)?;
        if crc32c::crc32c(told) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Some(FileHeader::Version(version));
        }
        let (length, rest) = rest.split_first()?;
        let stream = str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
        Some(FileHeader::Journal { stream: stream.to_owned() })
    };
    parsed().unwrap_or(FileHeader::Unknown)
}

/// Appends to `out` the frame of a record that follows `head` and begins at `offset` of the file; gives the new
/// head. `kind` and the size of `payload` were checked.
pub(super) fn encode(
    head: Head,
    offset: u64,
    time: UnixNanos,
    context: Option<SpanContext>,
    kind: &str,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Head {
    let start = out.len();
    out.reserve(FRAME_HEADER_BYTES + BODY_BYTES_MIN + kind.len() + payload.len());
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    out.extend_from_slice(&time.0.to_le_bytes());
    let (trace, span) = context.map_or(([0; 16], [0; 8]), |context| (context.trace_id.0, context.span_id.0));
    out.extend_from_slice(&trace);
    out.extend_from_slice(&span);
    let hash_at = out.len();
    out.extend_from_slice(&[0; 32]);
    let hashed_at = out.len();
    // Only a forged journal gets there.
    let sequence = head.sequence.saturating_add(1);
    encode_hashed(head.hash, sequence, kind, payload, out);
    let hash = Hash::of(&out[hashed_at..]);
    out[hash_at..hashed_at].copy_from_slice(&hash.0);
    let body = &out[start + FRAME_HEADER_BYTES..];
    let header = encode_frame_header(body.len() as u32, crc32c::crc32c(body), offset);
    out[start..start + FRAME_HEADER_BYTES].copy_from_slice(&header);
    Head { sequence, hash }
}

/// Appends to `out` what of a record is hashed.
pub(super) fn encode_hashed(previous: Hash, sequence: u64, kind: &str, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&previous.0);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.push(kind.len() as u8);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(payload);
}

/// The header of the frame at `offset`.
pub(super) fn encode_frame_header(length: u32, body_crc: u32, offset: u64) -> [u8; FRAME_HEADER_BYTES] {
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&MARKER);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..12].copy_from_slice(&body_crc.to_le_bytes());
    let crc = frame_header_crc(&header[..12], offset);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn frame_header_crc(told: &[u8], offset: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&offset.to_le_bytes()), told)
}

/// The header of a frame, whose length can be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    body_bytes: usize,
    body_crc: u32,
}

impl FrameHeader {
    /// The length of the frame, its header included.
    pub(super) fn frame_bytes(self) -> usize {
        FRAME_HEADER_BYTES + self.body_bytes
    }
}

/// Reads the header of a frame at `offset` of the file; `None` when there is none.
pub(super) fn parse_frame_header(bytes: &[u8], offset: u64) -> Option<FrameHeader> {
    let header = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
    let (told, crc) = header.split_last_chunk::<CRC_BYTES>()?;
    let (length, body_crc) = told.strip_prefix(&MARKER)?.split_first_chunk::<4>()?;
    let body_bytes = u32::from_le_bytes(*length) as usize;
    let sane = (BODY_BYTES_MIN..=BODY_BYTES_MAX).contains(&body_bytes);
    let whole = frame_header_crc(told, offset) == u32::from_le_bytes(*crc);
    (sane && whole).then_some(FrameHeader { body_bytes, body_crc: u32::from_le_bytes(body_crc.try_into().ok()?) })
}

/// Reads a whole frame with this header; `None` when it is damaged.
pub(super) fn parse_frame(header: FrameHeader, frame: &[u8]) -> Option<Envelope<'_>> {
    let body = frame.get(FRAME_HEADER_BYTES..header.frame_bytes())?;
    (crc32c::crc32c(body) == header.body_crc).then(|| parse_body(body))?
}

/// Reads a body whose checksum was found right.
pub(super) fn parse_body(body: &[u8]) -> Option<Envelope<'_>> {
    let (time, rest) = body.split_first_chunk()?;
    let (trace, rest) = rest.split_first_chunk()?;
    let (span, rest) = rest.split_first_chunk()?;
    let (hash, hashed) = rest.split_first_chunk()?;
    let (previous, rest) = hashed.split_first_chunk()?;
    let (sequence, rest) = rest.split_first_chunk()?;
    let (kind_bytes, rest) = rest.split_first()?;
    let (kind, payload) = rest.split_at_checked(usize::from(*kind_bytes))?;
    let kind = str::from_utf8(kind).ok().filter(|kind| check_kind(kind).is_ok())?;
    let context = SpanContext { trace_id: TraceId(*trace), span_id: SpanId(*span) };
    Some(Envelope {
        sequence: u64::from_le_bytes(*sequence),
        time: UnixNanos(u64::from_le_bytes(*time)),
        kind,
        payload,
        context: (context.trace_id.0 != [0; 16]).then_some(context),
        previous: Hash(*previous),
        hash: Hash(*hash),
        hashed,
    })
}

/// Where the body of the frame in `frame` is.
pub(super) fn body_of(frame: &Range<usize>) -> Range<usize> {
    frame.start + FRAME_HEADER_BYTES..frame.end
}

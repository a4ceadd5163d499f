//! How far a destination got in one process's folder: a file of 512 bytes that is only ever overwritten in place.
//!
//! ```text
//!   0  "VGCUR1\0\0", the destination's id (u64), the length of its name (u16), its name (200 bytes), CRC-32C
//! 384  slot A: sequence number (u64), three places (segment u64, offset u64), CRC-32C
//! 448  slot B: the same
//! ```
//!
//! The slots are written in turn and the newer whole one counts, so a write that was cut short leaves the one
//! before it. Overwriting needs no new block: a full disk cannot keep segments from being given back.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

const MAGIC: [u8; 8] = *b"VGCUR1\0\0";
const FILE_BYTES: usize = 512;
const NAME_AT: usize = 18;
const NAME_MAX: usize = 200;
const HEAD_CHECKSUM_AT: usize = NAME_AT + NAME_MAX;
const SLOTS_AT: [usize; 2] = [384, 448];
const SLOT_BYTES: usize = 60;

/// A place in a stream of segments: the next byte to deliver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// Who a destination is, over restarts: derived from where it is and with which headers it is reached. Two
/// projects behind one address are two destinations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct DestinationId(pub(in crate::deliver) u64);

/// The cursor file of one destination.
#[derive(Debug)]
pub(super) struct Cursor {
    file: File,
    sequence: u64,
    pub(super) id: DestinationId,
    /// What people call the destination; cut to 200 bytes.
    pub(super) name: String,
    /// By signal index.
    pub(super) places: [Place; 3],
}

impl Cursor {
    /// `to-00c0ffee00c0ffee.cursor`.
    pub(super) fn file_name(id: DestinationId) -> String {
        format!("to-{:016x}.cursor", id.0)
    }

    pub(super) fn is_file_name(name: &str) -> bool {
        name.starts_with("to-") && name.ends_with(".cursor")
    }

    /// Makes the cursor of a destination that got nothing yet.
    pub(super) fn create(folder: &Path, id: DestinationId, name: &str) -> io::Result<Self> {
        let end = (0..=NAME_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
        let name = name.get(..end.unwrap_or(0)).unwrap_or_default();
        let mut bytes = [0; FILE_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&id.0.to_le_bytes());
        bytes[16..18].copy_from_slice(&(name.len() as u16).to_le_bytes());
        bytes[NAME_AT..NAME_AT + name.len()].copy_from_slice(name.as_bytes());
        let checksum = crc32c::crc32c(&bytes[..HEAD_CHECKSUM_AT]).to_le_bytes();
        bytes[HEAD_CHECKSUM_AT..HEAD_CHECKSUM_AT + 4].copy_from_slice(&checksum);
        for at in SLOTS_AT {
            bytes[at..at + SLOT_BYTES].copy_from_slice(&slot(0, &Default::default()));
        }
        let mut file = super::owner_only(OpenOptions::new().read(true).write(true).create_new(true))
            .open(folder.join(Self::file_name(id)))?;
        file.write_all(&bytes)?;
        Ok(Self { file, sequence: 0, id, name: name.to_owned(), places: Default::default() })
    }

    /// Opens a cursor a process left. `writable` when it is going to be moved.
    ///
    /// # Errors
    /// Besides the system's errors `InvalidData` when it cannot be told whose cursor it is. Where only its places
    /// are lost it stands at the beginning: rather twice than never.
    pub(super) fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(writable).open(path)?;
        let mut bytes = [0; FILE_BYTES];
        file.read_exact(&mut bytes)?;
        let checksum = crc32c::crc32c(&bytes[..HEAD_CHECKSUM_AT]).to_le_bytes();
        if bytes[..8] != MAGIC || bytes[HEAD_CHECKSUM_AT..HEAD_CHECKSUM_AT + 4] != checksum {
            return Err(ErrorKind::InvalidData.into());
        }
        let invalid = || io::Error::from(ErrorKind::InvalidData);
        let length = usize::from(u16::from_le_bytes([bytes[16], bytes[17]]));
        let name = bytes.get(NAME_AT..NAME_AT + length.min(NAME_MAX)).ok_or_else(invalid)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let id = DestinationId(u64_at(&bytes, 8).ok_or_else(invalid)?);
        let (sequence, places) = SLOTS_AT
            .into_iter()
            .filter_map(|at| read_slot(&bytes, at))
            .max_by_key(|(sequence, _)| *sequence)
            .unwrap_or_default();
        Ok(Self { file, sequence, id, name, places })
    }

    /// Writes where the cursor is. Survives the end of the process at once and a power cut after [`Self::sync`].
    pub(super) fn persist(&mut self) -> io::Result<()> {
        let sequence = self.sequence + 1;
        let at = SLOTS_AT[(sequence % 2) as usize];
        self.file.seek(SeekFrom::Start(at as u64))?;
        self.file.write_all(&slot(sequence, &self.places))?;
        self.sequence = sequence;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn slot(sequence: u64, places: &[Place; 3]) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    let numbers = places.iter().flat_map(|place| [place.segment, place.offset]);
    for (number, field) in std::iter::once(sequence).chain(numbers).zip(bytes.chunks_exact_mut(8)) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    let checksum = crc32c::crc32c(&bytes[..56]).to_le_bytes();
    bytes[56..].copy_from_slice(&checksum);
    bytes
}

fn read_slot(bytes: &[u8; FILE_BYTES], at: usize) -> Option<(u64, [Place; 3])> {
    let slot = bytes.get(at..at + SLOT_BYTES)?;
    if slot.get(56..)? != crc32c::crc32c(slot.get(..56)?).to_le_bytes() {
        return None;
    }
    let place = |at| Some(Place { segment: u64_at(slot, at)?, offset: u64_at(slot, at + 8)? });
    Some((u64_at(slot, 0)?, [place(8)?, place(24)?, place(40)?]))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

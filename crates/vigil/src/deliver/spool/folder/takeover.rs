//! Taking over the folder of a process that is gone: learning what is in it, and for whom.

use super::super::cursor::Cursor;
use super::super::segment::{self, START, Tally};
use super::{Folder, LOCK, NEVER, Party, Reader, Segment};
use crate::encode::Signal;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

impl Folder {
    /// Takes over the folder of a process that is gone; `None` when it is somebody else's.
    pub(in super::super) fn adopt(path: &Path) -> io::Result<Option<Self>> {
        let lock = match OpenOptions::new().write(true).open(path.join(LOCK)) {
            Ok(lock) => lock,
            // Being cleaned away.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Whoever had it before may have cleaned it away between our opening and locking.
        if fs4::FileExt::try_lock(&lock).is_err() || super::super::is_unlinked(&lock)? {
            return Ok(None);
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut folder = Self {
            path: path.to_owned(),
            name,
            is_of_this_process: false,
            lock,
            streams: Default::default(),
            readers: Vec::new(),
            unsynced: Vec::new(),
            folder_unsynced: false,
            set_aside: Vec::new(),
        };
        folder.look_through()?;
        Ok(Some(folder))
    }

    /// Learns what is in a folder that another process left.
    fn look_through(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if Cursor::is_file_name(&name) {
                // A cursor nobody can read has nobody it belongs to.
                self.readers.extend(Cursor::open(&entry.path(), true).ok().map(Reader::new));
            } else if let Some((signal, number)) = segment::parse_file_name(&name) {
                let segment = Segment { number, end: START, tally: Tally::default(), first_unix_ns: 0, damaged: false };
                self.streams[signal.index()].segments.push_back(segment);
            }
        }
        for signal in Signal::ALL {
            let stream = &mut self.streams[signal.index()];
            stream.segments.make_contiguous().sort_by_key(|segment| segment.number);
            for segment in &mut stream.segments {
                let path = self.path.join(segment::file_name(signal, segment.number));
                let scan = segment::scan(&path, signal, |at, head| {
                    let tally = Tally::batch(head.records);
                    segment.tally.add(tally);
                    let here = |reader: &&mut Reader| {
                        let place = reader.cursor.places[signal.index()];
                        place.segment == segment.number && at < place.offset
                    };
                    self.readers.iter_mut().filter(here).for_each(|reader| reader.passed[signal.index()].add(tally));
                })?;
                segment.end = scan.end;
                segment.damaged = scan.damaged;
                segment.first_unix_ns = scan.first_unix_ns.unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Makes everything that waits for anybody wait for `parties` instead, from where the slowest is.
    pub(in super::super) fn readdress(&mut self, parties: &[Party]) {
        let mut slowest = [NEVER; 3];
        for signal in Signal::ALL {
            let places = self.readers.iter().map(|reader| reader.cursor.places[signal.index()]);
            slowest[signal.index()] = places.min().unwrap_or_default();
        }
        let passed: [Tally; 3] = std::array::from_fn(|index| {
            let slow = self.readers.iter().find(|reader| reader.cursor.places[index] == slowest[index]);
            slow.map(|reader| reader.passed[index]).unwrap_or_default()
        });
        let mut readers = Vec::new();
        for party in parties {
            let path = self.path.join(Cursor::file_name(party.id));
            let cursor = match Cursor::open(&path, true) {
                Ok(cursor) => Ok(cursor),
                Err(_) => Cursor::create(&self.path, party.id, &party.name),
            };
            let Ok(mut cursor) = cursor else { continue };
            let fresh = !self.readers.iter().any(|reader| reader.cursor.id == party.id);
            let mut reader_passed =
                self.reader(party.id).and_then(|index| self.readers.get(index)).map(|one| one.passed);
            if fresh {
                for signal in Signal::ALL {
                    let takes = party.takes[signal.index()];
                    cursor.places[signal.index()] = if takes { slowest[signal.index()] } else { NEVER };
                }
                reader_passed = Some(passed);
            }
            if cursor.persist().is_ok() {
                let passed = reader_passed.unwrap_or_default();
                readers.push(Reader { cursor, passed, in_hand: Default::default() });
            }
        }
        if readers.is_empty() {
            return;
        }
        for reader in std::mem::replace(&mut self.readers, readers) {
            if !self.has(reader.cursor.id) {
                fs::remove_file(self.path.join(Cursor::file_name(reader.cursor.id))).ok();
            }
        }
    }
}

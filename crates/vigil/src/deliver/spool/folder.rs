//! The folder of one process in the spool: its segments, a cursor a destination, and the lock that says who has it.
//!
//! While the process lives it holds the lock and nobody else touches the folder. When it died, whoever gets the lock
//! delivers what is left. A folder comes into being under a name that nobody looks at and is renamed when its lock
//! is held, so that none is ever found without its owner.

mod reading;
mod takeover;

use super::cursor::{Cursor, DestinationId, Place};
use super::frame::Head;
use super::owner_only;
use super::segment::{self, START, Tally};
use crate::encode::{Batch, Signal};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const LOCK: &str = "lock";
/// Names that are being made or cleaned begin with this.
pub(super) const HIDDEN: char = '.';
/// Where a destination stands that does not take a signal: nothing waits for it.
const NEVER: Place = Place { segment: u64::MAX, offset: 0 };

/// One destination, as the spool knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Party {
    pub(in crate::deliver) id: DestinationId,
    pub(in crate::deliver) name: String,
    /// By signal index.
    pub(in crate::deliver) takes: [bool; 3],
}

#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The folder's own name; sorts by the time the process began.
    pub(super) name: String,
    /// Whether this process recorded what is in it.
    pub(super) is_of_this_process: bool,
    /// Locked as long as this lives.
    lock: File,
    streams: [Stream; 3],
    readers: Vec<Reader>,
    /// Files written to since the last sync.
    unsynced: Vec<Arc<File>>,
    /// Files appeared since the last sync.
    folder_unsynced: bool,
    set_aside: Vec<String>,
}

#[derive(Debug, Default)]
struct Stream {
    segments: VecDeque<Segment>,
    /// The last segment while it is written to.
    open: Option<Arc<File>>,
    next_number: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Where the last whole frame ends.
    end: u64,
    tally: Tally,
    first_unix_ns: u64,
    damaged: bool,
}

/// How far one destination is.
#[derive(Debug)]
struct Reader {
    cursor: Cursor,
    /// What of the segment at the cursor is behind it, by signal index.
    passed: [Tally; 3],
    /// The batch that is being delivered.
    in_hand: [Option<Hand>; 3],
}

#[derive(Clone, Copy, Debug)]
struct Hand {
    end: Place,
    tally: Tally,
}

/// Records a destination will not get any more.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) id: DestinationId,
    pub(super) destination: String,
    pub(super) signal: Signal,
    pub(super) tally: Tally,
}

impl Folder {
    /// Makes the folder of this process in `root`, for `parties`.
    pub(super) fn create(root: &Path, name: &str, parties: &[Party]) -> io::Result<Self> {
        Self::create_with(root, name, parties, |_| Ok(()))
    }

    /// Makes a folder in `root`, for `parties`, that has what `fill` puts into it as soon as anybody can see it.
    pub(super) fn create_with(
        root: &Path,
        name: &str,
        parties: &[Party],
        fill: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<Self> {
        super::make_folder(root)?;
        let hidden = root.join(format!("{HIDDEN}{name}"));
        super::make_folder(&hidden)?;
        let made = (|| {
            let lock = owner_only(OpenOptions::new().write(true).create_new(true)).open(hidden.join(LOCK))?;
            fs4::FileExt::try_lock(&lock)?;
            let mut readers = Vec::with_capacity(parties.len());
            for party in parties {
                let mut cursor = Cursor::create(&hidden, party.id, &party.name)?;
                for signal in Signal::ALL.into_iter().filter(|signal| !party.takes[signal.index()]) {
                    cursor.places[signal.index()] = NEVER;
                }
                cursor.persist()?;
                readers.push(Reader::new(cursor));
            }
            let mut folder = Self {
                path: hidden.clone(),
                name: name.to_owned(),
                is_of_this_process: true,
                lock,
                streams: Default::default(),
                readers,
                unsynced: Vec::new(),
                folder_unsynced: true,
                set_aside: Vec::new(),
            };
            fill(&mut folder)?;
            folder.path = root.join(name);
            fs::rename(&hidden, &folder.path)?;
            Ok(folder)
        })();
        if made.is_err() {
            fs::remove_dir_all(&hidden).ok();
        }
        made
    }

    // === Writing ===

    /// Appends a batch. After an error the folder is as it was before.
    pub(super) fn append(&mut self, batch: &Batch, head: &Head, segment_bytes: u64) -> io::Result<()> {
        let signal = batch.signal();
        let stream = &mut self.streams[signal.index()];
        let is_full = stream.segments.back().is_some_and(|last| last.end + head.frame_bytes() > segment_bytes);
        if is_full {
            stream.open = None;
        }
        let file = match &stream.open {
            Some(file) => Arc::clone(file),
            None => self.open_segment(signal, head.written_unix_ns)?,
        };
        let Some(segment) = self.streams[signal.index()].segments.back_mut() else {
            return Err(ErrorKind::NotFound.into());
        };
        let written = (&*file).write_all(&head.encode()).and_then(|()| (&*file).write_all(batch.body()));
        if let Err(error) = written {
            // What was written of it goes again. Where even that fails, nothing is appended behind it any more.
            if file.set_len(segment.end).is_err() {
                self.streams[signal.index()].open = None;
            }
            return Err(error);
        }
        segment.end += head.frame_bytes();
        segment.tally.add(Tally::batch(head.records));
        if !self.unsynced.iter().any(|other| Arc::ptr_eq(other, &file)) {
            self.unsynced.push(file);
        }
        Ok(())
    }

    fn open_segment(&mut self, signal: Signal, now_unix_ns: u64) -> io::Result<Arc<File>> {
        let stream = &mut self.streams[signal.index()];
        let number = stream.next_number + 1;
        let path = self.path.join(segment::file_name(signal, number));
        let mut file = owner_only(OpenOptions::new().append(true).create_new(true)).open(&path)?;
        if let Err(error) = file.write_all(&segment::file_head(signal)) {
            fs::remove_file(&path).ok();
            return Err(error);
        }
        let file = Arc::new(file);
        stream.next_number = number;
        stream.open = Some(Arc::clone(&file));
        let tally = Tally::default();
        stream.segments.push_back(Segment { number, end: START, tally, first_unix_ns: now_unix_ns, damaged: false });
        self.folder_unsynced = true;
        Ok(file)
    }

    /// Whether somebody deleted the folder behind our back.
    pub(super) fn is_gone(&self) -> bool {
        super::is_unlinked(&self.lock).unwrap_or(true)
    }

    /// What has to be synced so that everything appended so far survives a power cut.
    pub(super) fn take_unsynced(&mut self) -> (Vec<Arc<File>>, Option<PathBuf>) {
        let folder = std::mem::take(&mut self.folder_unsynced).then(|| self.path.clone());
        (std::mem::take(&mut self.unsynced), folder)
    }

    /// Deletes the segments every destination is past, after the cursors that say so are on the disk: the other
    /// way round a power cut would leave cursors that point to nowhere. A damaged one is set aside instead.
    fn release(&mut self, signal: Signal) -> io::Result<()> {
        let lowest = self.readers.iter().map(|reader| reader.cursor.places[signal.index()].segment).min();
        let Some(lowest) = lowest else { return Ok(()) };
        let needless = |segment: &Segment| segment.number < lowest;
        if !self.streams[signal.index()].segments.front().is_some_and(needless) {
            return Ok(());
        }
        for reader in &self.readers {
            reader.cursor.sync()?;
        }
        while self.streams[signal.index()].segments.front().is_some_and(needless) {
            if let Some(segment) = self.streams[signal.index()].segments.pop_front() {
                self.remove(signal, &segment);
            }
        }
        Ok(())
    }

    /// Where removing fails there is nothing to be done: the file counts no more, and the next look finds it.
    fn remove(&mut self, signal: Signal, segment: &Segment) {
        let path = self.path.join(segment::file_name(signal, segment.number));
        if segment.damaged {
            self.set_aside.extend(super::set_aside(&path, &self.name));
        } else {
            fs::remove_file(path).ok();
        }
    }

    /// The names of files that were set aside since this was asked last.
    pub(super) fn take_set_aside(&mut self) -> Vec<String> {
        std::mem::take(&mut self.set_aside)
    }

    /// Says what is missing because its file is, as when somebody deleted it. A batch in hand may still arrive, but
    /// not `at_the_end`.
    pub(super) fn find_missing(&mut self, at_the_end: bool) -> Vec<Gone> {
        let mut gone = Vec::new();
        for signal in Signal::ALL {
            let path = |segment: &Segment| self.path.join(segment::file_name(signal, segment.number));
            let (there, missing): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut self.streams[signal.index()].segments)
                    .into_iter()
                    .partition(|one| path(one).exists());
            let is_there = |number| there.iter().any(|segment| segment.number == number);
            for reader in &mut self.readers {
                gone.extend(missing.iter().map(|segment| reader.gone(signal, segment)));
                let hand = &mut reader.in_hand[signal.index()];
                if let Some(lost) = hand.take_if(|hand| at_the_end && !is_there(hand.end.segment)) {
                    let (id, destination) = (reader.cursor.id, reader.cursor.name.clone());
                    gone.push(Gone { id, destination, signal, tally: lost.tally });
                }
            }
            self.streams[signal.index()].segments = there;
        }
        gone.retain(|gone| !gone.tally.is_nothing());
        gone
    }

    // === Sizes ===

    /// The bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.streams.iter().flat_map(|stream| &stream.segments).map(|segment| segment.end).sum()
    }

    /// What waits for a destination, without the batch in hand.
    pub(super) fn waiting(&self, id: DestinationId, signal: Signal) -> Tally {
        let mut waiting = Tally::default();
        for reader in self.readers.iter().filter(|reader| reader.cursor.id == id) {
            for segment in &self.streams[signal.index()].segments {
                waiting.add(reader.unread(signal, segment));
            }
        }
        waiting
    }

    /// What a destination has not acknowledged, the batch in hand included.
    pub(super) fn outstanding(&self, id: DestinationId, signal: Signal) -> Tally {
        let mut outstanding = self.waiting(id, signal);
        let in_hand = self.readers.iter().filter(|reader| reader.cursor.id == id);
        in_hand.filter_map(|reader| reader.in_hand[signal.index()]).for_each(|hand| outstanding.add(hand.tally));
        outstanding
    }

    /// Whether nothing waits for anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.readers.iter().all(|reader| {
            reader.in_hand.iter().all(Option::is_none)
                && Signal::ALL.into_iter().all(|signal| self.waiting(reader.cursor.id, signal).is_nothing())
        })
    }

    /// When the oldest segment was begun, in nanoseconds since 1970.
    pub(super) fn oldest_unix_ns(&self) -> Option<u64> {
        self.streams.iter().filter_map(|stream| stream.segments.front()).map(|segment| segment.first_unix_ns).min()
    }

    /// Deletes the oldest segment and says who will miss what of it.
    pub(super) fn evict_oldest(&mut self) -> Vec<Gone> {
        let age = |signal: &Signal| self.streams[signal.index()].segments.front().map(|segment| segment.first_unix_ns);
        let oldest = Signal::ALL.into_iter().filter(|signal| age(signal).is_some()).min_by_key(age);
        let Some((signal, segment)) = oldest.and_then(|signal| {
            let segment = self.streams[signal.index()].segments.pop_front()?;
            Some((signal, segment))
        }) else {
            return Vec::new();
        };
        if self.streams[signal.index()].segments.is_empty() {
            self.streams[signal.index()].open = None;
        }
        let gone = self.readers.iter().map(|reader| reader.gone(signal, &segment));
        let gone = gone.filter(|gone| !gone.tally.is_nothing()).collect();
        self.remove(signal, &segment);
        for index in 0..self.readers.len() {
            self.advance(index, signal);
        }
        gone
    }

    /// Removes the folder when nothing in it waits for anybody.
    pub(super) fn remove_if_empty(&mut self) -> bool {
        if !self.is_empty() {
            return false;
        }
        for signal in Signal::ALL {
            for segment in std::mem::take(&mut self.streams[signal.index()].segments) {
                self.remove(signal, &segment);
            }
        }
        for reader in &self.readers {
            fs::remove_file(self.path.join(Cursor::file_name(reader.cursor.id))).ok();
        }
        fs::remove_file(self.path.join(LOCK)).ok();
        fs::remove_dir(&self.path).is_ok()
    }
}

impl Reader {
    fn new(cursor: Cursor) -> Self {
        Self { cursor, passed: Default::default(), in_hand: Default::default() }
    }

    /// What this reader misses when `segment` goes.
    fn gone(&self, signal: Signal, segment: &Segment) -> Gone {
        let (id, destination) = (self.cursor.id, self.cursor.name.clone());
        Gone { id, destination, signal, tally: self.unread(signal, segment) }
    }

    /// What of `segment` waits for this reader, without the batch in hand.
    fn unread(&self, signal: Signal, segment: &Segment) -> Tally {
        let place = self.cursor.places[signal.index()];
        let in_hand = self.in_hand[signal.index()].filter(|hand| hand.end.segment == segment.number);
        let in_hand = in_hand.map(|hand| hand.tally).unwrap_or_default();
        match segment.number.cmp(&place.segment) {
            std::cmp::Ordering::Less => Tally::default(),
            std::cmp::Ordering::Equal => segment.tally.minus(self.passed[signal.index()]).minus(in_hand),
            std::cmp::Ordering::Greater => segment.tally.minus(in_hand),
        }
    }
}

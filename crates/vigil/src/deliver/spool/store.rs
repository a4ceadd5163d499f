//! The spool of one process: its own folder, the folders of dead processes it took over, and who gets what next.
//!
//! Everything is behind one lock that is held across appending to a file (microseconds, as it goes to the system's
//! memory) but never across reading a batch or syncing.

use super::folder::{Folder, Gone, HIDDEN, Party};
use super::segment::{self, Found, Tally};
use super::{SpoolConfig, frame, ledger, survey};
use crate::clock::{monotonic, wall};
use crate::deliver::receipt::LossReason;
use crate::encode::{Batch, Signal};
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The bytes a segment has at most, 8 MiB, unless one batch alone has more: what is deleted at once.
const SEGMENT_BYTES: u64 = 8 << 20;
/// A smaller spool has smaller segments, so that it never loses more than an eighth of itself at once.
const SEGMENTS_MIN: u64 = 8;
/// How old the count of what other processes take may be, and how old when there is too little room.
const ELSEWHERE_AGE_MAX: Duration = Duration::from_secs(10);
const ELSEWHERE_AGE_MAX_IN_NEED: Duration = Duration::from_secs(1);

/// The bytes a segment has at most in a spool of `max_bytes`.
pub(super) fn segment_bytes(max_bytes: u64) -> u64 {
    SEGMENT_BYTES.min(max_bytes / SEGMENTS_MIN).max(1)
}

/// Records somebody will not get any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::deliver) struct Missing {
    /// Which of our destinations.
    pub(in crate::deliver) party: usize,
    /// Whether this process recorded them.
    pub(in crate::deliver) own: bool,
    pub(in crate::deliver) signal: Signal,
    pub(in crate::deliver) tally: Tally,
    pub(in crate::deliver) reason: LossReason,
}

/// What became of a call, beside its result.
#[derive(Debug, Default)]
pub(in crate::deliver) struct News {
    pub(in crate::deliver) missing: Vec<Missing>,
    /// Names of damaged files that were set aside.
    pub(in crate::deliver) set_aside: Vec<String>,
}

/// Where a batch came from, to settle it with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::deliver) struct Ticket {
    folder: String,
    /// Whether this process recorded it.
    pub(in crate::deliver) own: bool,
}

#[derive(Debug)]
pub(in crate::deliver) struct Spool {
    config: SpoolConfig,
    /// By the index of the destination; `None` for one that needs no spool.
    parties: Vec<Option<Party>>,
    state: Mutex<State>,
    dirty: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    own: Option<Folder>,
    /// The oldest first.
    left: Vec<Folder>,
    /// Folders of ours that somebody deleted, until the batches that were under way then have their verdict.
    gone: Vec<Folder>,
    /// The bytes in folders of others, and when they were counted.
    elsewhere: u64,
    elsewhere_at: Option<Instant>,
    /// Nothing of theirs can be deleted: they live.
    elsewhere_is_alive: bool,
    closed: bool,
}

impl Spool {
    /// A spool for `parties`. Nothing is touched before there is something to keep or to deliver.
    pub(in crate::deliver) fn new(config: SpoolConfig, parties: Vec<Option<Party>>) -> Self {
        Self { config, parties, state: Mutex::default(), dirty: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::deliver) fn directory(&self) -> &Path {
        &self.config.directory
    }

    fn segment_bytes(&self) -> u64 {
        segment_bytes(self.config.max_bytes)
    }

    /// Whether the destination at `party` is delivered to through the spool.
    pub(in crate::deliver) fn serves(&self, party: usize) -> bool {
        self.party(party).is_some()
    }

    fn party(&self, index: usize) -> Option<&Party> {
        self.parties.get(index)?.as_ref()
    }

    fn wants(&self, signal: Signal) -> bool {
        self.parties.iter().flatten().any(|party| party.takes[signal.index()])
    }

    // === Keeping ===

    /// Keeps `batch` for every destination that takes its signal. When this returns `Ok`, the batch outlives the
    /// process.
    pub(in crate::deliver) fn append(&self, batch: &Batch) -> (io::Result<()>, News) {
        let mut news = News::default();
        if !self.wants(batch.signal()) {
            return (Ok(()), news);
        }
        let mut state = self.state();
        let kept = self.append_to(&mut state, batch, &mut news);
        state.take_set_aside(&mut news);
        self.dirty.store(true, Ordering::Relaxed);
        (kept, news)
    }

    fn append_to(&self, state: &mut State, batch: &Batch, news: &mut News) -> io::Result<()> {
        if state.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if let Some(mut own) = state.own.take_if(|own| own.is_gone()) {
            let missing = own.find_missing(false);
            self.note(&missing, true, LossReason::SpoolDamaged, news);
            state.gone.push(own);
        }
        let now = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let head = frame::Head::of(batch.body(), batch.records(), now_ns)?;
        let own = match &mut state.own {
            Some(own) => own,
            None => {
                // The millisecond first, so that folders sort by age; then what no other process has at that moment.
                let nonce = RandomState::new().hash_one(0u8) as u16;
                let name = format!("{:013}-{}-{nonce:04x}", now.as_millis(), std::process::id());
                let parties: Vec<_> = self.parties.iter().flatten().cloned().collect();
                state.own.insert(Folder::create(&self.config.directory, &name, &parties)?)
            }
        };
        let held = own.bytes() + state.left.iter().map(Folder::bytes).sum::<u64>();
        let is_old = state.elsewhere_at.is_none_or(|at| at.elapsed() > ELSEWHERE_AGE_MAX);
        if is_old || held + state.elsewhere + head.frame_bytes() > self.config.max_bytes {
            self.make_room(state, head.frame_bytes(), news)?;
        }
        match &mut state.own {
            Some(own) => own.append(batch, &head, self.segment_bytes()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Deletes the oldest segments until `bytes` more fit under the limit.
    fn make_room(&self, state: &mut State, bytes: u64, news: &mut News) -> io::Result<()> {
        loop {
            let held: u64 = state.left.iter().chain(&state.own).map(Folder::bytes).sum();
            if state.elsewhere_at.is_none_or(|at| at.elapsed() > ELSEWHERE_AGE_MAX_IN_NEED) {
                state.elsewhere_at = Some(monotonic());
                state.elsewhere_is_alive = false;
                state.elsewhere = survey::bytes_in(&self.config.directory).saturating_sub(held);
            }
            if held.saturating_add(state.elsewhere).saturating_add(bytes) <= self.config.max_bytes {
                return Ok(());
            }
            // What nobody here delivers goes first, then the oldest of ours.
            if state.elsewhere > 0 && !state.elsewhere_is_alive {
                match self.evict_elsewhere(&state.held(), news) {
                    true => state.elsewhere_at = None,
                    false => state.elsewhere_is_alive = true,
                }
                continue;
            }
            let oldest = state.folders().filter(|folder| folder.oldest_unix_ns().is_some());
            let Some(folder) = oldest.min_by_key(|folder| folder.oldest_unix_ns()) else {
                return Err(ErrorKind::StorageFull.into());
            };
            let own = folder.is_of_this_process;
            let gone = folder.evict_oldest();
            self.note(&gone, own, LossReason::SpoolFull, news);
        }
    }

    /// Deletes the oldest segment of a dead process that none of the folders `held` is of.
    fn evict_elsewhere(&self, held: &[PathBuf], news: &mut News) -> bool {
        for path in folders_in(&self.config.directory) {
            if !held.contains(&path)
                && let Ok(Some(mut folder)) = Folder::adopt(&path)
                && folder.oldest_unix_ns().is_some()
            {
                let gone = folder.evict_oldest();
                self.note(&gone, false, LossReason::SpoolFull, news);
                folder.remove_if_empty();
                return true;
            }
        }
        false
    }

    /// Enters what is gone into the ledger, and into the news where it concerns a destination of ours.
    fn note(&self, gone: &[Gone], own: bool, reason: LossReason, news: &mut News) {
        let now = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        for gone in gone {
            let root = &self.config.directory;
            ledger::note(root, unix_ms, &gone.destination, gone.signal, reason, gone.tally.records);
            let party = self.parties.iter().position(|party| party.as_ref().is_some_and(|party| party.id == gone.id));
            let missing = |party| Missing { party, own, signal: gone.signal, tally: gone.tally, reason };
            news.missing.extend(party.map(missing));
        }
    }

    // === Delivering ===

    /// The next batch of `signal` for the destination at `party`: what dead processes left first, the oldest first.
    /// An error is one that may pass.
    pub(in crate::deliver) fn next(&self, party: usize, signal: Signal) -> (io::Result<Option<(Batch, Ticket)>>, News) {
        let mut news = News::default();
        let next = self.find(party, signal, &mut news);
        (next, news)
    }

    fn find(&self, party: usize, signal: Signal, news: &mut News) -> io::Result<Option<(Batch, Ticket)>> {
        let Some(id) = self.party(party).map(|party| party.id) else { return Ok(None) };
        loop {
            let (ticket, path, place) = {
                let mut state = self.state();
                if state.closed {
                    return Ok(None);
                }
                let found = state.folders().find_map(|folder| {
                    let (path, place) = folder.peek(id, signal)?;
                    Some((Ticket { folder: folder.name.clone(), own: folder.is_of_this_process }, path, place))
                });
                match found {
                    Some(found) => found,
                    None => return Ok(None),
                }
            };
            let found = match segment::read_at(&path, signal, place.offset) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                found => found.ok(),
            };
            let mut state = self.state();
            let Some(folder) = state.folder(&ticket) else { continue };
            let lost = match found {
                Some(Found::Batch(batch, head)) => {
                    if folder.take(id, signal, place, &head) {
                        return Ok(Some((batch, ticket)));
                    }
                    continue;
                }
                Some(Found::DamagedBody(head)) => folder.skip(id, signal, place, &head)?,
                Some(Found::DamagedHead | Found::End) => folder.skip_rest(id, signal, place, false)?,
                None => folder.skip_rest(id, signal, place, true)?,
            };
            if !lost.is_nothing() {
                let destination = self.party(party).map(|party| party.name.clone()).unwrap_or_default();
                let gone = Gone { id, destination, signal, tally: lost };
                self.note(&[gone], ticket.own, LossReason::SpoolDamaged, news);
            }
            state.take_set_aside(news);
            state.clean(&self.parties, news);
        }
    }

    /// The batch that was taken has its verdict. What nobody needs any more is deleted.
    pub(in crate::deliver) fn settle(&self, party: usize, signal: Signal, ticket: &Ticket) -> News {
        let mut news = News::default();
        let Some(id) = self.party(party).map(|party| party.id) else { return news };
        let mut state = self.state();
        if state.closed {
            return news;
        }
        if let Some(folder) = state.folder(ticket) {
            // What cannot be written down now goes again after a restart: rather twice than never.
            folder.settle(id, signal).ok();
        }
        state.take_set_aside(&mut news);
        state.clean(&self.parties, &mut news);
        state.gone.retain(Folder::has_anything_in_hand);
        news
    }

    /// The batch that was taken is not to come again, whichever it was.
    pub(in crate::deliver) fn give_up(&self, party: usize, signal: Signal) -> News {
        let Some(id) = self.party(party).map(|party| party.id) else { return News::default() };
        let holder = {
            let state = self.state();
            let mut all = state.left.iter().chain(&state.own).chain(&state.gone);
            let holder = all.find(|folder| folder.has_in_hand(id, signal));
            holder.map(|folder| Ticket { folder: folder.name.clone(), own: folder.is_of_this_process })
        };
        holder.map(|ticket| self.settle(party, signal, &ticket)).unwrap_or_default()
    }

    /// Looks for folders of dead processes that hold something for us. True when there are more than before.
    pub(in crate::deliver) fn look(&self) -> bool {
        let mut state = self.state();
        if state.closed || !self.parties.iter().any(Option::is_some) {
            return false;
        }
        sweep(&self.config.directory);
        let before = state.left.len();
        for path in folders_in(&self.config.directory) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if state.left.iter().chain(&state.own).any(|folder| folder.name == name) {
                continue;
            }
            // What cannot be read now may be readable at the next look.
            let Ok(Some(mut folder)) = Folder::adopt(&path) else { continue };
            if self.config.adopt_all {
                folder.readdress(&self.parties.iter().flatten().cloned().collect::<Vec<_>>());
            }
            if !folder.remove_if_empty() && concerns(&folder, &self.parties) {
                state.left.push(folder);
            }
        }
        state.left.sort_by(|a, b| a.name.cmp(&b.name));
        state.left.len() > before
    }

    /// What waits for the destination at `party`, the batches in hand included, of this process and of dead ones.
    pub(in crate::deliver) fn waiting(&self, party: usize) -> u64 {
        let Some(id) = self.party(party).map(|party| party.id) else { return 0 };
        let state = self.state();
        let folders = state.left.iter().chain(&state.own);
        folders.map(|folder| Signal::ALL.map(|signal| folder.outstanding(id, signal).records).iter().sum::<u64>()).sum()
    }

    /// Makes what was appended survive a power cut. Called every 100 ms at most.
    pub(in crate::deliver) fn sync(&self) {
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return;
        }
        let (files, folder) = match &mut self.state().own {
            Some(own) => own.take_unsynced(),
            None => return,
        };
        // A disk that cannot is heard of when it is written to.
        files.iter().for_each(|file| drop(file.sync_data()));
        if let Some(folder) = folder {
            drop(File::open(folder).and_then(|folder| folder.sync_all()));
        }
    }

    /// Ends it: nothing is kept or handed out from now on, and others may take over what is left. What is missing by
    /// then is said. Waits `within` at most for a disk that hangs; `None` when that was too short.
    pub(in crate::deliver) fn close(&self, within: Duration) -> Option<News> {
        let mut state = patiently(monotonic() + within, || self.state.try_lock())?;
        let mut news = News::default();
        if std::mem::replace(&mut state.closed, true) {
            return Some(news);
        }
        if let Some(mut own) = state.own.take() {
            let missing = own.find_missing(true);
            self.note(&missing, true, LossReason::SpoolDamaged, &mut news);
            own.remove_if_empty();
            news.set_aside.extend(own.take_set_aside());
        }
        for mut gone in std::mem::take(&mut state.gone) {
            let missing = gone.find_missing(true);
            self.note(&missing, true, LossReason::SpoolDamaged, &mut news);
        }
        // The locks go with them.
        state.left.clear();
        Some(news)
    }
}

impl State {
    /// The folders we have, what dead processes left first.
    fn folders(&mut self) -> impl Iterator<Item = &mut Folder> {
        self.left.iter_mut().chain(&mut self.own)
    }

    fn held(&self) -> Vec<PathBuf> {
        self.left.iter().chain(&self.own).map(|folder| folder.path.clone()).collect()
    }

    /// Deletes and lets go of what dead processes left, where nothing of it is for `parties` any more.
    fn clean(&mut self, parties: &[Option<Party>], news: &mut News) {
        self.left.retain_mut(|folder| {
            let done = folder.remove_if_empty() || !concerns(folder, parties);
            news.set_aside.extend(folder.take_set_aside());
            !done
        });
    }

    fn folder(&mut self, ticket: &Ticket) -> Option<&mut Folder> {
        self.left.iter_mut().chain(&mut self.own).chain(&mut self.gone).find(|folder| folder.name == ticket.folder)
    }

    fn take_set_aside(&mut self, news: &mut News) {
        for folder in self.folders() {
            news.set_aside.extend(folder.take_set_aside());
        }
    }
}

/// Tries to lock something until then; what a panic left is as good.
pub(in crate::deliver) fn patiently<L>(until: Instant, lock: impl Fn() -> TryLockResult<L>) -> Option<L> {
    loop {
        match lock() {
            Ok(locked) => return Some(locked),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if monotonic() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Whether anything in `folder` is for one of `parties`.
fn concerns(folder: &Folder, parties: &[Option<Party>]) -> bool {
    let ids = parties.iter().flatten().map(|party| party.id);
    ids.into_iter().any(|id| Signal::ALL.into_iter().any(|signal| !folder.outstanding(id, signal).is_nothing()))
}

/// Removes folders that were being made when their process died: hidden, and an hour old.
fn sweep(root: &Path) {
    const OLD: Duration = Duration::from_secs(3600);
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let age = || wall().duration_since(entry.metadata().ok()?.modified().ok()?).ok();
        let is_ours =
            entry.file_name().to_string_lossy().starts_with(HIDDEN) && entry.path().join(super::LOCK).exists();
        if is_ours && age().is_some_and(|age| age > OLD) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// The folders of processes in the spool, the oldest first.
pub(super) fn folders_in(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        !name.starts_with(HIDDEN) && name != super::SET_ASIDE && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    let mut folders: Vec<_> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

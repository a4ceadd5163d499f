//! Groups of records on their way to the disk.
//!
//! One mutex holds the state: the chain's end and the group. Groups are written when they have 1 MiB, by a thread
//! every 10 ms, or by `flush`. Syncs run outside of the mutex and on a thread of their own: nobody waits for the disk
//! who did not ask to, and a slow disk keeps no group from being written and no lock from being given up. Threads
//! that ask for a sync at the same time share one.

use super::chain::Head;
use super::error::AppendError;
use super::frame::{self, PAYLOAD_BYTES_MAX};
use super::journal::Recovery;
use super::options::Durability;
use super::state::{GROUP_BYTES, Point, State};
use std::fs::File;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vigil_core::id::SpanContext;

/// How long a record waits in a group.
const GROUP_TIME: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    durability: Durability,
    inner: Mutex<Inner>,
    /// The thread that writes waits here for a group to begin, or for the end.
    begun: Condvar,
    written: Mutex<Written>,
    /// The thread that syncs waits here for something to sync, or for the end.
    due: Condvar,
    synced: Mutex<Synced>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Something was appended that the thread that writes has not seen to.
    is_dirty: bool,
    is_closing: bool,
}

#[derive(Debug)]
struct Written {
    /// Up to here the file is written.
    to: Point,
    /// The thread that syncs has work.
    is_due: bool,
    is_closing: bool,
}

#[derive(Debug)]
struct Synced {
    /// Up to here the file is on the disk.
    to: Point,
    /// After a failed sync, what was not on the disk may never be, and a later sync would not say so.
    failed: Option<String>,
}

impl Writer {
    pub(super) fn new(file: File, durability: Durability, state: State) -> Self {
        let to = state.written();
        Self {
            file,
            durability,
            inner: Mutex::new(Inner { state, is_dirty: false, is_closing: false }),
            begun: Condvar::new(),
            written: Mutex::new(Written { to, is_due: false, is_closing: false }),
            due: Condvar::new(),
            synced: Mutex::new(Synced { to, failed: None }),
        }
    }

    pub(super) fn head(&self) -> Head {
        locked(&self.inner).state.head()
    }

    pub(super) fn recovery(&self) -> Recovery {
        locked(&self.inner).state.recovery().clone()
    }

    pub(super) fn append(&self, context: Option<SpanContext>, kind: &str, payload: &[u8]) -> Result<Head, AppendError> {
        frame::check_kind(kind)?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(AppendError::TooLarge(payload.len()));
        }
        let mut inner = locked(&self.inner);
        let head = inner.state.push(&self.file, context, kind, payload)?;
        if self.durability == Durability::EachWrite {
            let written = self.write(&mut inner.state)?;
            drop(inner);
            self.sync(written)?;
            return Ok(head);
        }
        if !inner.is_dirty {
            inner.is_dirty = true;
            self.begun.notify_one();
        }
        if inner.state.group_bytes() >= GROUP_BYTES {
            self.write(&mut inner.state)?;
        }
        Ok(head)
    }

    pub(super) fn flush(&self) -> Result<Head, AppendError> {
        let mut inner = locked(&self.inner);
        inner.state.check()?;
        let written = self.write(&mut inner.state)?;
        drop(inner);
        self.sync(written)?;
        Ok(written.head)
    }

    /// Ends the threads, after what is left was written and synced.
    pub(super) fn close(&self) {
        locked(&self.inner).is_closing = true;
        self.begun.notify_all();
    }

    /// Writes the group; says up to where the file is written.
    fn write(&self, state: &mut State) -> Result<Point, AppendError> {
        state.write_group(&self.file)?;
        locked(&self.written).to = state.written();
        Ok(state.written())
    }

    /// Waits until the file is on the disk up to there.
    fn sync(&self, wanted: Point) -> Result<(), AppendError> {
        if self.durability == Durability::None {
            return Ok(());
        }
        let mut synced = locked(&self.synced);
        if synced.failed.is_none() && synced.to.end < wanted.end {
            // Read before the sync: what is written meanwhile may not be part of it.
            let written = locked(&self.written).to;
            match self.file.sync_data() {
                Ok(()) => synced.to = written,
                Err(error) => synced.failed = Some(error.to_string()),
            }
        }
        let Some(cause) = synced.failed.clone() else { return Ok(()) };
        let kept = synced.to.head;
        drop(synced);
        Err(locked(&self.inner).state.break_off(kept, cause))
    }

    /// The work of the thread that writes. Failures are kept in the state, for whoever appends or flushes next.
    pub(super) fn write_groups(&self) {
        loop {
            let inner = locked(&self.inner);
            let inner = self.begun.wait_while(inner, |inner| !inner.is_dirty && !inner.is_closing);
            let inner = inner.unwrap_or_else(PoisonError::into_inner);
            let waited = self.begun.wait_timeout_while(inner, GROUP_TIME, |inner| !inner.is_closing);
            let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
            inner.is_dirty = false;
            let is_closing = inner.is_closing;
            drop(self.write(&mut inner.state));
            drop(inner);
            let mut written = locked(&self.written);
            written.is_due = true;
            written.is_closing = is_closing;
            drop(written);
            self.due.notify_all();
            if is_closing {
                return;
            }
        }
    }

    /// The work of the thread that syncs.
    pub(super) fn sync_groups(&self) {
        loop {
            let written = self.due.wait_while(locked(&self.written), |written| !written.is_due);
            let mut written = written.unwrap_or_else(PoisonError::into_inner);
            written.is_due = false;
            let (to, is_closing) = (written.to, written.is_closing);
            drop(written);
            drop(self.sync(to));
            if is_closing {
                return;
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What handles hold: the lanes, the clock, the ids, the content gate and the counts of what did not fit.

use super::file::RecordFile;
use super::file::RecordFileAt;
use super::format::{
    AttrRef, End, EndedAs, Event, FLAG_SAMPLED, Set, SetCustom, SetNumbers, Start, StartFields, ValueRef, Write,
};
use super::lane::Appended;
use super::lanes::{Lanes, Reader};
use crate::clock::{Clock, Ticks};
use crate::host::HostContext;
use crate::ids::IdSource;
use crate::settings::Carrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use vigil_core::contract::{EventKind, Key};
use vigil_core::fact::Fact;
use vigil_core::id::{SpanId, TraceId};
use vigil_core::vocab::Severity;

/// Facts of adapters that wait for the assembler. At a few hundred bytes each this is some tens of MiB.
const FACTS_MAX: usize = 65_536;

/// The recording side of one telemetry value.
#[derive(Debug)]
pub(crate) struct Recorder {
    id: u64,
    lanes: Lanes,
    facts: Mutex<Vec<Fact>>,
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    /// Whether free text may be recorded at all.
    pub(crate) content: bool,
    /// Whether everything recorded is of work that was done before.
    pub(crate) replay: bool,
    pub(crate) sampler: Sampler,
    /// What child processes are handed beside their parent.
    pub(crate) carrier: Carrier,
    assembler: OnceLock<Thread>,
    closed: AtomicBool,
    pub(crate) refused: Refused,
    /// What else has a notion of the current span, where it is shared.
    pub(crate) host_context: OnceLock<&'static dyn HostContext>,
}

/// What a recorder is made with.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Clock,
    pub(crate) ids: IdSource,
    pub(crate) content: bool,
    pub(crate) replay: bool,
    pub(crate) sampler: Sampler,
    pub(crate) carrier: Carrier,
    pub(crate) lane_bytes: usize,
    /// Where what the lanes hold outlives the process, if it is to.
    pub(crate) file: Option<Arc<RecordFileAt>>,
}

/// The lane a span began in, and whether others know of it.
///
/// A span whose records are all in one lane, and whose children begin in that lane too, can be finished as soon as
/// its end is read; any other waits until all lanes were read.
#[derive(Debug)]
pub(crate) struct Home {
    /// The lane's number; 0 for that of a span that is not recorded.
    pub(crate) lane: u64,
    /// Records about the span, or starts below it, may be in other lanes.
    shared: AtomicBool,
}

impl Home {
    #[inline(always)]
    pub(crate) const fn of(lane: u64) -> Self {
        Self { lane, shared: AtomicBool::new(false) }
    }

    /// Says that there is a record about the span, or a start below it, in `lane`.
    #[inline(always)]
    pub(crate) fn touched_from(&self, lane: u64) {
        if self.lane != lane {
            self.share();
        }
    }

    /// Says that records about the span, or starts below it, may be in other lanes.
    #[inline(always)]
    pub(crate) fn share(&self) {
        // Read first: spans that many threads start others below are told so by each of them, every time.
        if !self.is_shared() {
            self.shared.store(true, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }
}

/// Records that did not fit, by kind.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    pub(crate) spans: AtomicU64,
    pub(crate) sets: AtomicU64,
    pub(crate) events: AtomicU64,
}

impl Refused {
    /// All of them. Each is exact; they are not read at one moment.
    pub(crate) fn total(&self) -> u64 {
        [&self.spans, &self.sets, &self.events].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Which traces are exported. Metrics and logs are made of all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampler {
    /// Whether a parent's decision counts.
    pub(crate) parent_based: bool,
    /// The share of traces kept, of 2^56.
    pub(crate) threshold: u64,
}

impl Sampler {
    const RANGE: u64 = 1 << 56;

    /// Keeps `ratio` of all traces.
    pub(crate) fn ratio(ratio: f64, parent_based: bool) -> Self {
        Self { parent_based, threshold: (ratio.clamp(0.0, 1.0) * Self::RANGE as f64) as u64 }
    }

    /// The decision: by the low 56 bits of the trace id, as W3C trace context level 2 has it, so that every
    /// process that sees the trace decides alike.
    #[inline]
    pub(crate) fn keep(&self, trace: TraceId, parent: Option<bool>) -> bool {
        match parent {
            Some(kept) if self.parent_based => kept,
            _ => {
                let mut low = [0; 8];
                low.copy_from_slice(&trace.0[8..]);
                (u64::from_be_bytes(low) & (Self::RANGE - 1)) >= Self::RANGE - self.threshold
            }
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Recorder {
    pub(crate) fn new(terms: Terms) -> &'static Self {
        // Never freed: a handle then holds a plain reference, and eight threads do not fight over a count. It is
        // some hundred bytes a telemetry value; the lanes themselves are let go at the end.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let usual = terms.clock.is_usual() && terms.ids.is_random();
        Box::leak(Box::new(Self {
            id,
            lanes: Lanes::new(id, usual, terms.lane_bytes, terms.file),
            facts: Mutex::default(),
            clock: terms.clock,
            ids: terms.ids,
            content: terms.content,
            replay: terms.replay,
            sampler: terms.sampler,
            carrier: terms.carrier,
            assembler: OnceLock::new(),
            closed: AtomicBool::new(false),
            refused: Refused::default(),
            host_context: OnceLock::new(),
        }))
    }

    /// What tells this recorder from the others of the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Tells whom to wake.
    pub(crate) fn attach(&self, assembler: Thread) {
        // Set once by the telemetry value that starts the thread.
        drop(self.assembler.set(assembler));
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.assembler.get() {
            thread.unpark();
        }
    }

    /// From here on the account is being made: no root is taken any more, and nothing that does not fit where its thread is.
    /// What a thread still writes into the room it has is read while the account is made, and by nobody after.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Frees what the lanes hold.
    pub(crate) fn abandon(&self) {
        self.lanes.abandon();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The lane this thread recorded to last, if it is of this recorder and may be started in by a short cut.
    #[inline(always)]
    pub(crate) fn usual_lane(&self) -> Option<u64> {
        self.lanes.usual()
    }

    /// Appends a record. Answers with the number of the calling thread's lane, or `None` when the record did not fit.
    fn append(&self, refused: &AtomicU64, always: bool, record: &impl Write) -> Option<u64> {
        match self.lanes.append(record, always) {
            Ok((lane, appended)) => {
                if appended == Appended::Pressing {
                    self.wake();
                }
                Some(lane)
            }
            Err(_) => {
                if !self.closed.load(Ordering::Relaxed) {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// Records a start and answers with its lane; 0 when it did not fit: then the span is lost, and its handle must
    /// record nothing more.
    #[inline(never)]
    pub(crate) fn start(&self, fields: StartFields<'_>, attributes: &[AttrRef<'_>]) -> u64 {
        if self.closed.load(Ordering::Relaxed) {
            return 0;
        }
        self.append(&self.refused.spans, false, &Start(fields, attributes)).unwrap_or(0)
    }

    /// Records attributes. Answers with the lane they are in.
    #[inline(never)]
    pub(crate) fn set(&self, span: SpanId, attributes: &[AttrRef<'_>]) -> Option<u64> {
        self.append(&self.refused.sets, false, &Set(span, attributes))
    }

    /// Records those of the numbers that are known. Answers with the lane they are in.
    #[inline(never)]
    pub(crate) fn set_numbers<const N: usize>(&self, span: SpanId, keys: [Key; N], numbers: [u64; N]) -> Option<u64> {
        self.append(&self.refused.sets, false, &SetNumbers(span, keys, numbers))
    }

    /// Records an attribute of the user's own. Answers with the lane it is in.
    #[inline(never)]
    pub(crate) fn set_custom(&self, span: SpanId, name: &str, value: ValueRef<'_>) -> Option<u64> {
        self.append(&self.refused.sets, false, &SetCustom(span, name, value))
    }

    /// Records an event; `home` is that of the span it happened in, where its handle is at hand.
    #[inline(never)]
    pub(crate) fn event(
        &self,
        event: EventKind,
        span: Option<(TraceId, SpanId)>,
        home: Option<&Home>,
        severity: Severity,
        attributes: &[AttrRef<'_>],
    ) {
        self.event_at(self.clock.ticks(), event, span, home, severity, attributes);
    }

    /// Records an event that happened at `time`.
    #[inline]
    pub(crate) fn event_at(
        &self,
        time: Ticks,
        event: EventKind,
        span: Option<(TraceId, SpanId)>,
        home: Option<&Home>,
        severity: Severity,
        attributes: &[AttrRef<'_>],
    ) {
        let lane = self.append(&self.refused.events, false, &Event { event, span, severity, time, attributes });
        if let (Some(lane), Some(home)) = (lane, home) {
            home.touched_from(lane);
        }
    }

    /// Records an end. Always fits while the recorder is open: its start did.
    #[inline(never)]
    pub(crate) fn end(&self, span: SpanId, lane: u64, shared: bool, ended: EndedAs<'_>) {
        let time = self.clock.ticks();
        let alone = !shared && self.lanes.number() == lane;
        self.append(&self.refused.sets, true, &End { span, time, ended, alone });
    }

    /// Records an end at `time`, of a span that others know of.
    #[inline(never)]
    pub(crate) fn end_at(&self, time: Ticks, span: SpanId, ended: EndedAs<'_>) {
        self.append(&self.refused.sets, true, &End { span, time, ended, alone: false });
    }

    /// Takes a fact an adapter made.
    pub(crate) fn fact(&self, fact: Fact) {
        let refused = match &fact {
            Fact::Started(_) => &self.refused.sets,
            Fact::Ended(_) => &self.refused.spans,
            Fact::Event(_) => &self.refused.events,
        };
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.len() >= FACTS_MAX {
            refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        facts.push(fact);
        let pressing = facts.len() == FACTS_MAX / 4;
        drop(facts);
        if pressing {
            self.wake();
        }
    }

    pub(crate) fn drain(&self, reader: &mut impl Reader) {
        self.lanes.drain(reader);
    }

    /// Says that everything that was drained is safe elsewhere.
    pub(crate) fn settle_drained(&self) {
        self.lanes.settle();
    }

    /// Where what the lanes hold outlives the process, once something was recorded.
    pub(crate) fn file(&self) -> Option<Arc<RecordFile>> {
        self.lanes.file()?.get()
    }

    /// Whether what the lanes hold is to outlive the process.
    pub(crate) fn keeps(&self) -> bool {
        self.lanes.file().is_some()
    }

    /// Whether records were to outlive the process and there is no room, or no place any more, for some of them.
    pub(crate) fn is_not_kept(&self) -> bool {
        let Some(at) = self.lanes.file() else { return false };
        at.failed() || at.get().is_some_and(|file| file.unkept_bytes() > 0 || file.is_gone())
    }

    /// Ends the file: what was recorded is safe elsewhere, or was given up.
    pub(crate) fn end_file(&self) {
        self.lanes.file().into_iter().for_each(RecordFileAt::end);
    }

    /// What one lane may hold, in bytes.
    pub(crate) fn lane_bytes(&self) -> usize {
        self.lanes.limit()
    }

    pub(crate) fn take_facts(&self) -> Vec<Fact> {
        std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline(never)]
    pub(crate) fn sampled_flag(&self, trace: TraceId, parent: Option<bool>) -> u8 {
        if self.sampler.keep(trace, parent) { FLAG_SAMPLED } else { 0 }
    }
}

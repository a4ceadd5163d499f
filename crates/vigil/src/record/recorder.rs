//! What handles hold: the lanes, the clock, the ids, the content gate and the counts of what did not fit.

use super::file::RecordFile;
use super::file::RecordFileAt;
use super::format::{
    AttrRef, End, EndedAs, Event, FLAG_SAMPLED, Set, SetCustom, SetInts, Start, StartFields, ValueRef, Write,
};
use super::lane::{Appended, Full};
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
pub(crate) struct Home(AtomicU64);

const LANE: u64 = 0xffff_ffff;
const SHARED: u64 = 1 << 32;

impl Home {
    /// Of a span that is not recorded.
    #[inline(always)]
    pub(crate) const fn nowhere() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Says that a span below this one's has begun.
    #[inline(always)]
    pub(crate) fn begun_below(&self, child: &Home) {
        self.touched_from((child.0.load(Ordering::Relaxed) & LANE) as u32);
    }

    #[inline(always)]
    fn touched_from(&self, lane: u32) {
        if self.0.load(Ordering::Relaxed) & LANE != u64::from(lane) {
            self.share();
        }
    }

    /// Says that records about the span, or starts below it, may be in other lanes.
    #[inline]
    pub(crate) fn share(&self) {
        self.0.fetch_or(SHARED, Ordering::Relaxed);
    }

    #[inline(always)]
    fn is_alone(&self, lane: u32) -> bool {
        self.0.load(Ordering::Relaxed) & (LANE | SHARED) == u64::from(lane)
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
        Box::leak(Box::new(Self {
            id,
            lanes: Lanes::new(id, terms.lane_bytes, terms.file),
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

    /// From here on nothing is taken any more: the account is being made.
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

    /// Appends a record made by `record` for the calling thread's lane, whose number it is handed. Answers with that
    /// number, or `None` when the record did not fit.
    ///
    /// No closure does the writing: a closure of several callers is a function of its own, and keys and lengths are
    /// no constants there.
    #[inline(always)]
    fn append<W: Write>(&self, refused: &AtomicU64, always: bool, record: impl FnOnce(u32) -> W) -> Option<u32> {
        let producer = self.lanes.mine();
        let lane = producer.number();
        let record = record(lane);
        let size = record.size();
        let appended = match producer.reserve(size, always) {
            Ok((space, appended)) => {
                record.write(space);
                producer.commit(size);
                Ok(appended)
            }
            Err(full) => Err(full),
        };
        Lanes::keep(producer);
        match appended {
            Ok(Appended::Here) => Some(lane),
            outcome => self.settle(outcome, refused).then_some(lane),
        }
    }

    #[cold]
    fn settle(&self, outcome: Result<Appended, Full>, refused: &AtomicU64) -> bool {
        match outcome {
            Ok(_) => self.wake(),
            Err(Full) if !self.closed.load(Ordering::Relaxed) => {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(Full) => {}
        }
        outcome.is_ok()
    }

    /// Records a start. When it does not fit the span is lost, and its handle must record nothing more.
    #[inline(always)]
    pub(crate) fn start(&self, fields: StartFields<'_>, attributes: &[AttrRef<'_>]) -> Option<Home> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let lane = self.append(&self.refused.spans, false, |_| Start(fields, attributes))?;
        Some(Home(AtomicU64::new(u64::from(lane))))
    }

    /// Records attributes.
    #[inline(always)]
    pub(crate) fn set(&self, span: SpanId, home: &Home, attributes: &[AttrRef<'_>]) {
        if let Some(lane) = self.append(&self.refused.sets, false, |_| Set(span, attributes)) {
            home.touched_from(lane);
        }
    }

    /// Records whole numbers.
    #[inline(always)]
    pub(crate) fn set_ints(&self, span: SpanId, home: &Home, attributes: &[(Key, i64)]) {
        if let Some(lane) = self.append(&self.refused.sets, false, |_| SetInts(span, attributes)) {
            home.touched_from(lane);
        }
    }

    #[inline(never)]
    pub(crate) fn set_custom(&self, span: SpanId, home: &Home, name: &str, value: ValueRef<'_>) {
        if let Some(lane) = self.append(&self.refused.sets, false, |_| SetCustom(span, name, value)) {
            home.touched_from(lane);
        }
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
        let lane = self.append(&self.refused.events, false, |_| Event { event, span, severity, time, attributes });
        if let (Some(lane), Some(home)) = (lane, home) {
            home.touched_from(lane);
        }
    }

    /// Records an end. Always fits while the recorder is open: its start did.
    #[inline(always)]
    pub(crate) fn end(&self, span: SpanId, home: &Home, ended: EndedAs<'_>) {
        let time = self.clock.ticks();
        self.append(&self.refused.sets, true, |lane| End { span, time, ended, alone: home.is_alone(lane) });
    }

    /// Records an end at `time`.
    #[inline(never)]
    pub(crate) fn end_at(&self, time: Ticks, span: SpanId, home: &Home, ended: EndedAs<'_>) {
        self.append(&self.refused.sets, true, |lane| End { span, time, ended, alone: home.is_alone(lane) });
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
    pub(crate) fn file(&self) -> Option<&Arc<RecordFile>> {
        self.lanes.file()?.get()
    }

    /// Whether what the lanes hold is to outlive the process.
    pub(crate) fn keeps(&self) -> bool {
        self.lanes.file().is_some()
    }

    /// Whether records were to outlive the process and the disk had no room for some of them.
    pub(crate) fn is_not_kept(&self) -> bool {
        self.lanes.file().is_some_and(|at| at.failed() || at.get().is_some_and(|file| file.unkept_bytes() > 0))
    }

    pub(crate) fn take_facts(&self) -> Vec<Fact> {
        std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline(never)]
    pub(crate) fn sampled_flag(&self, trace: TraceId, parent: Option<bool>) -> u8 {
        if self.sampler.keep(trace, parent) { FLAG_SAMPLED } else { 0 }
    }

    /// The flags of a span below one of this recorder's.
    #[inline(always)]
    pub(crate) fn flags_below(&self, trace: TraceId, parent: bool) -> u8 {
        if self.sampler.parent_based { u8::from(parent) * FLAG_SAMPLED } else { self.sampled_flag(trace, Some(parent)) }
    }
}

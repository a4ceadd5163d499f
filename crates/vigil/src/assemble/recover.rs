//! Bringing home what a dead process recorded and did not hand to the spool.
//!
//! Its [record file](crate::record::file) holds the records as they were made, and beside it are the spans that were open
//! ([`carry`](super::carry)). They are joined, completed, gated and encoded as that process would have done: with its
//! resource, its limits, and its gate for free text. Spans that were open when it died end as errors of the type
//! `process_lost`, at the time it was last seen alive (it says so every 100 ms). What comes of it lies in the spool
//! as if that process had put it there, for the destinations it had; from there on it is delivered like anything else.
//!
//! **Promise.** Every record whose call had returned is in a span or event. What was handed to the spool before is known
//! by its key and left out, so that a span comes twice only where the process died within the microseconds between the
//! two; ids are the same then.
//!
//! **What is lost** with a process are the data points of metrics since they were collected last (60 seconds by default):
//! they are sums in its memory.

use super::assembler::{event_key, span_key};
use super::carry;
use super::complete;
use super::join::{Applied, Joiner, Open, Pieces};
use super::privacy::{self, Gate};
use super::rollup::Rates;
use crate::deliver::{DEFAULT_SPOOL_BYTES, SpoolParty, leave_in_spool, set_aside_in_spool};
use crate::encode::{AttributeLimits, Batch, BatchBuilder, EncodeOptions, Resource, Signal};
use crate::record::format::{Record, read};
use crate::record::left::{Left, record_files_in};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::str::FromStr;
use vigil_core::contract::{EventKind, Key, SpanKind, attr};
use vigil_core::fact::{EventData, Outcome};
use vigil_core::id::{SpanContext, SpanId};
use vigil_core::vocab::{ErrorType, Originator};

/// The records in a batch, and the bytes from which one is ended.
const BATCH_RECORDS: u32 = 512;
const BATCH_BYTES: usize = 512 << 10;

/// Who recorded, and for whom: what another process needs to make spans of the records.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    version: u32,
    /// Of the tables whose places stand in records for names.
    tables: u32,
    parties: Vec<SpoolParty>,
    spool_bytes: u64,
    resource: Vec<u8>,
    originator: String,
    replay: bool,
    compat: bool,
    langsmith: bool,
    span_limits: (Option<usize>, Option<usize>),
    event_limits: (Option<usize>, Option<usize>),
    gate: Gate,
}

/// Of the records and of what is here: another with every change that a build of before would read wrongly. In 1 there
/// were no unsigned numbers.
const VERSION: u32 = 2;

/// What tells the tables of this build from those of another: a record says which key or kind it is of by its place in
/// them.
fn fingerprint() -> u32 {
    let keys = Key::all().map(|key| format!("{}{:?}", key.name(), key.def().class));
    let kinds = SpanKind::all().map(|kind| kind.id().to_owned());
    let events = EventKind::all().map(|kind| kind.def().name.to_owned());
    keys.chain(kinds).chain(events).fold(0, |sum, name| crc32c::crc32c_append(sum, name.as_bytes()))
}

impl Terms {
    pub(crate) fn new(
        settings: &Settings,
        resource: &Resource,
        parties: Vec<SpoolParty>,
        originator: Originator,
        replay: bool,
    ) -> Self {
        let limits = |limits: AttributeLimits| (limits.count, limits.value_chars);
        Self {
            version: VERSION,
            tables: fingerprint(),
            parties,
            spool_bytes: settings.spool.as_ref().map_or(DEFAULT_SPOOL_BYTES, |spool| spool.max_bytes),
            resource: resource.to_bytes(),
            originator: originator.as_str().to_owned(),
            replay,
            compat: settings.compat,
            langsmith: settings.langsmith,
            span_limits: limits(settings.span_limits),
            event_limits: limits(settings.log_limits),
            gate: Gate::new(settings),
        }
    }

    /// As they stand in a record file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes)
            .ok()
            .filter(|terms| (1..=VERSION).contains(&terms.version) && terms.tables == fingerprint())
    }

    fn options(&self) -> EncodeOptions {
        let limits = |(count, value_chars)| AttributeLimits { count, value_chars };
        EncodeOptions {
            compat: self.compat,
            langsmith: self.langsmith,
            span_limits: limits(self.span_limits),
            event_limits: limits(self.event_limits),
        }
    }
}

/// Brings what dead processes recorded, and did not live to hand on, into the spool in `directory`, as they would have
/// done. Answers with how many left something. Any telemetry with that spool does so every 10 seconds; this is for
/// programs that look after a spool.
///
/// A file that cannot be read now is tried again by whoever looks next.
pub fn recover_spool(directory: &Path) -> usize {
    record_files_in(directory).iter().filter(|path| matches!(one(directory, path), Ok(true))).count()
}

fn one(directory: &Path, path: &Path) -> io::Result<bool> {
    let Some(left) = Left::open(path)? else { return Ok(false) };
    let open = left.sibling(carry::EXTENSION);
    let Some(terms) = Terms::read(&left.terms) else {
        // Of another version, or damaged: somebody may know better.
        set_aside_in_spool(directory, &[path, &open]);
        return Ok(false);
    };
    let batches = Recovery::of(&left, &terms, &open)?;
    if !batches.is_empty() {
        leave_in_spool(directory, &left.name(), &terms.parties, &batches, terms.spool_bytes)?;
    }
    std::fs::remove_file(open.with_extension(carry::NEW_EXTENSION)).ok();
    std::fs::remove_file(&open).ok();
    left.remove();
    Ok(!batches.is_empty())
}

struct Recovery<'a> {
    left: &'a Left,
    terms: &'a Terms,
    originator: Originator,
    joiner: Joiner,
    /// The keys with a lower number are of spans that are in the sums which were carried over.
    summed: u64,
    rates: Rates,
    builders: [BatchBuilder; 2],
    batches: Vec<Batch>,
}

impl<'a> Recovery<'a> {
    fn of(left: &'a Left, terms: &'a Terms, open: &Path) -> io::Result<Vec<Batch>> {
        let resource = Resource::from_bytes(&terms.resource).unwrap_or_else(|| Resource::new([]));
        let builder = |signal| BatchBuilder::new(signal, resource.clone(), terms.options());
        let mut recovery = Self {
            left,
            terms,
            originator: Originator::from_str(&terms.originator).unwrap_or(Originator::Sdk),
            joiner: Joiner::default(),
            summed: 0,
            rates: Rates::default(),
            builders: [Signal::Traces, Signal::Logs].map(builder),
            batches: Vec::new(),
        };
        recovery.summed = carry::restore(open, &mut recovery.joiner)?;
        left.records(|bytes| recovery.read(bytes))?;
        // All there is was read, so what ended has ended.
        for _ in 0..2 {
            for span in recovery.joiner.end_round() {
                recovery.finish(span);
            }
        }
        let lost = Outcome::Error(ErrorType::PROCESS_LOST);
        for span in recovery.joiner.close_open(left.alive, &lost) {
            recovery.finish(span);
        }
        recovery.batches.extend(recovery.builders.iter_mut().filter_map(BatchBuilder::take));
        Ok(recovery.batches)
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while let Some((record, len)) = read(bytes) {
            // A span that was carried over when its records were not yet given back.
            if matches!(&record, Record::Start { span, .. } if self.joiner.is_open(*span)) {
                bytes = bytes.get(len..).unwrap_or_default();
                continue;
            }
            let Some((applied, passed)) = self.joiner.apply(bytes) else { return };
            match applied {
                Applied::Noted => {}
                Applied::Finished(span) => self.finish(span),
                Applied::Whole(open, pieces) => self.finished(&open, &pieces),
                Applied::Event(record) => self.happening(&record, bytes.get(..len).unwrap_or_default()),
            }
            bytes = bytes.get(passed..).unwrap_or_default();
        }
    }

    fn happening(&mut self, record: &Record<'_>, raw: &[u8]) {
        let Record::Event { event, span, severity, time, attributes } = record else { return };
        let mut data = EventData {
            kind: *event,
            span: span.map(|(trace_id, span_id)| SpanContext { trace_id, span_id }),
            time: self.left.anchor.unix(*time),
            severity: *severity,
            attributes: Default::default(),
        };
        attributes.apply("", &mut data.attributes);
        if let Some(span) = data.span {
            self.joiner.note_event(span.span_id, data.kind, &mut data.attributes);
        }
        if !self.left.keys.contains_key(&event_key(raw)) && data.kind != EventKind::Headroom {
            self.event(data);
        }
    }

    fn event(&mut self, mut event: EventData<'_>) {
        event.attributes.set_absent(attr::VIGIL_ORIGINATOR, Some(self.originator.as_str()));
        if self.terms.replay {
            event.attributes.set(attr::VIGIL_REPLAY, true);
        }
        privacy::event(&mut event, self.terms.gate);
        // What is too large for the wire was too large for the process that recorded it.
        self.builders[1].push_event(&event).ok();
        self.end_batches();
    }

    fn finish(&mut self, span: SpanId) {
        if let Some(open) = self.joiner.take(span) {
            self.finished(&open, &open.pieces());
        }
    }

    fn finished(&mut self, open: &Open, pieces: &Pieces<'_>) {
        let mut span = open.untold(pieces, self.left.anchor);
        open.tell(pieces, self.left.anchor, &mut span);
        if self.terms.replay {
            span.attributes.set(attr::VIGIL_REPLAY, true);
        }
        let below = open.rollup.as_deref();
        let call = complete::joined(&mut span, below, &mut self.rates, self.originator);
        let handed_on = self.left.keys.get(&span_key(span.context.span_id));
        if handed_on.is_none_or(|number| *number >= self.summed) {
            self.joiner.roll_up(&span, open.counted, below, call.as_ref());
        }
        if handed_on.is_some() {
            return;
        }
        let exception = complete::exception_of(&span);
        let details = privacy::span(&mut span, self.terms.gate);
        if open.sampled {
            self.builders[0].push_span(&span).ok();
        }
        details.into_iter().chain(exception).for_each(|event| self.event(*event));
        self.end_batches();
    }

    fn end_batches(&mut self) {
        for builder in &mut self.builders {
            if builder.records() >= BATCH_RECORDS || builder.len_bytes() >= BATCH_BYTES {
                self.batches.extend(builder.take());
            }
        }
    }
}

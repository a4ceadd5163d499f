//! Joining records to spans.
//!
//! Records of one span may sit in the buffers of several threads, and buffers are drained one after the
//! other, so an end can be seen before a set that was made earlier. The rule: a record that was made before
//! another is drained at most one round later. A span whose end was seen in one round is therefore finished
//! after the next, and a set or end without its start waits one round before it counts as lost. A span waits
//! another round for those below it that ended before it did, so that its sums hold them all.

use super::rollup::{CallCost, Rollup};
use crate::clock::{Clock, Ticks};
use crate::record::format::{EndedAs, FLAG_SAMPLED, Record, read};
use std::collections::{HashMap, HashSet};
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{EventRecord, Outcome, SpanRecord, SpanStart, Text, UnixNanos};
use vigil_core::id::{SpanContext, SpanId};
use vigil_core::vocab::ErrorType;

/// How far up parents are followed.
const DEPTH_MAX: usize = 256;

/// A span that has started and not been finished.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) record: SpanRecord,
    start: Ticks,
    end: Ticks,
    pub(crate) sampled: bool,
    /// How many open spans are above it.
    pub(crate) depth: u16,
    /// Whether its start was told.
    pub(crate) announced: bool,
    pub(crate) rollup: Rollup,
    /// What children inherit.
    agent: Option<Text>,
    session: Option<Text>,
    conversation: Option<Text>,
    ended: bool,
}

/// A span that is finished, before it is completed.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) span: SpanRecord,
    pub(crate) sampled: bool,
    pub(crate) depth: u16,
    pub(crate) rollup: Rollup,
}

/// Spans in the making.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    open: HashMap<SpanId, Open>,
    ended_now: Vec<SpanId>,
    ended_before: Vec<SpanId>,
    /// Sets and ends whose start was not seen yet, as records.
    waiting_now: Vec<Vec<u8>>,
    waiting_before: Vec<Vec<u8>>,
    /// Sets and ends whose start never came.
    pub(crate) without_start: u64,
}

impl Joiner {
    /// Takes in one buffer's records, in order; events are handed to `event`.
    pub(crate) fn read(&mut self, mut bytes: &[u8], clock: &Clock, event: &mut impl FnMut(&mut Self, EventRecord)) {
        while let Some((record, len)) = read(bytes) {
            if let Some(happened) = self.apply(record, &bytes[..len], clock) {
                event(self, happened);
            }
            bytes = &bytes[len..];
        }
        debug_assert!(bytes.is_empty(), "the recorder wrote a record the assembler can't read");
    }

    fn apply(&mut self, record: Record<'_>, raw: &[u8], clock: &Clock) -> Option<EventRecord> {
        match record {
            Record::Start { trace, span, parent, kind, flags, time, target, attributes } => {
                let mut record = SpanRecord {
                    context: SpanContext { trace_id: trace, span_id: span },
                    parent,
                    kind,
                    target: target.to_owned().into(),
                    start: Default::default(),
                    end: Default::default(),
                    outcome: Outcome::Ok,
                    attributes: Default::default(),
                    links: Vec::new(),
                };
                attributes.apply(&mut record.attributes);
                let above = parent.and_then(|parent| self.open.get(&parent));
                let own = |key| record.attributes.str(key).map(|text| Text::from(text.to_owned()));
                let open = Open {
                    sampled: flags & FLAG_SAMPLED != 0,
                    depth: above.map_or(0, |above| above.depth.saturating_add(1)),
                    announced: false,
                    rollup: Rollup::default(),
                    agent: own(attr::GEN_AI_AGENT_NAME).or_else(|| above?.agent.clone()),
                    session: own(attr::LIFE_SESSION_ID).or_else(|| above?.session.clone()),
                    conversation: own(attr::GEN_AI_CONVERSATION_ID).or_else(|| above?.conversation.clone()),
                    ended: false,
                    start: time,
                    end: time,
                    record,
                };
                self.open.insert(span, open);
            }
            Record::Set { span, attributes } => match self.open.get_mut(&span) {
                Some(open) => attributes.apply(&mut open.record.attributes),
                None => self.waiting_now.push(raw.to_owned()),
            },
            Record::End { span, time, ended, attributes } => match self.open.get_mut(&span) {
                Some(open) => {
                    attributes.apply(&mut open.record.attributes);
                    open.end = time;
                    open.record.outcome = match ended {
                        EndedAs::Ok => Outcome::Ok,
                        EndedAs::Error(error) => Outcome::Error(ErrorType::from_code(error)),
                        EndedAs::Cancelled => Outcome::Cancelled,
                    };
                    open.ended = true;
                    self.ended_now.push(span);
                }
                None => self.waiting_now.push(raw.to_owned()),
            },
            Record::Event { event, span, severity, time, attributes } => {
                let mut happened = EventRecord {
                    kind: event,
                    span: span.map(|(trace_id, span_id)| SpanContext { trace_id, span_id }),
                    time: clock.unix(time),
                    severity,
                    attributes: Default::default(),
                };
                attributes.apply(&mut happened.attributes);
                return Some(happened);
            }
        }
        None
    }

    /// Every buffer has been read once more: tries what was waiting again and names the spans whose end was
    /// seen a round ago, children before their parents. [`take`](Self::take) them one after the other.
    pub(crate) fn end_round(&mut self, clock: &Clock) -> Vec<SpanId> {
        let before = std::mem::take(&mut self.waiting_before);
        let now = std::mem::take(&mut self.waiting_now);
        for raw in before {
            if let Some((record, _)) = read(&raw) {
                self.apply(record, &raw, clock);
            }
        }
        self.without_start += self.waiting_now.len() as u64;
        self.waiting_now.clear();
        for raw in now {
            if let Some((record, _)) = read(&raw) {
                self.apply(record, &raw, clock);
            }
        }
        self.waiting_before = std::mem::take(&mut self.waiting_now);

        let held = self.above_of_ended_now();
        let (held, mut ended) =
            std::mem::take(&mut self.ended_before).into_iter().partition::<Vec<_>, _>(|span| held.contains(span));
        self.ended_before = std::mem::take(&mut self.ended_now);
        self.ended_before.extend(held);
        // By end, and of equal ends the one that began later first: that is children first.
        ended.sort_by_key(|span| {
            self.open.get(span).map(|open| (open.end, std::cmp::Reverse(open.start), std::cmp::Reverse(open.depth)))
        });
        ended
    }

    /// Spans above those whose end was seen in this round, which ended no earlier: they must wait for them.
    fn above_of_ended_now(&self) -> HashSet<SpanId> {
        let mut held = HashSet::new();
        for span in &self.ended_now {
            let Some(ended) = self.open.get(span) else { continue };
            for (above, open) in self.above(ended.record.parent) {
                if open.end < ended.end || !held.insert(above) {
                    break;
                }
            }
        }
        held
    }

    /// The open spans from `parent` upwards. A record that makes a circle of parents is not followed for ever.
    fn above(&self, parent: Option<SpanId>) -> impl Iterator<Item = (SpanId, &Open)> {
        let step = move |span: Option<SpanId>| span.and_then(|span| Some((span, self.open.get(&span)?)));
        std::iter::successors(step(parent), move |(_, open)| step(open.record.parent)).take(DEPTH_MAX)
    }

    /// Ends every span that is still open as cancelled at `now` and names them, the deepest first.
    pub(crate) fn close_open(&mut self, now: Ticks) -> Vec<SpanId> {
        let depth = |open: &Open| self.above(open.record.parent).count();
        let mut open: Vec<_> = self.open.iter().map(|(span, open)| (std::cmp::Reverse(depth(open)), *span)).collect();
        open.sort();
        for open in self.open.values_mut().filter(|open| !open.ended) {
            open.end = now;
            open.record.outcome = Outcome::Cancelled;
        }
        open.into_iter().map(|(_, span)| span).collect()
    }

    /// When a span ended that has.
    pub(crate) fn end_of(&self, span: SpanId, clock: &Clock) -> UnixNanos {
        self.open.get(&span).map_or_else(UnixNanos::default, |open| clock.unix_range(open.start, open.end).1)
    }

    /// Hands out a span that has ended.
    pub(crate) fn take(&mut self, span: SpanId, clock: &Clock) -> Option<Joined> {
        let mut open = self.open.remove(&span)?;
        // Its start may have been drained before its parent's was: what could not be inherited then is now.
        for (above, (_, parent)) in self.above(open.record.parent).enumerate() {
            open.depth = open.depth.max(above as u16 + 1);
            let inherit = |own: &mut Option<Text>, theirs: &Option<Text>| {
                if own.is_none() {
                    own.clone_from(theirs);
                }
            };
            inherit(&mut open.agent, &parent.agent);
            inherit(&mut open.session, &parent.session);
            inherit(&mut open.conversation, &parent.conversation);
        }
        (open.record.start, open.record.end) = clock.unix_range(open.start, open.end);
        let set_absent = |open: &mut Open, key, value: Option<Text>| {
            if open.record.attributes.get(key).is_none() {
                open.record.attributes.set_some(key, value);
            }
        };
        let (agent, session, conversation) = (open.agent.take(), open.session.take(), open.conversation.take());
        set_absent(&mut open, attr::GEN_AI_AGENT_NAME, agent);
        set_absent(&mut open, attr::LIFE_SESSION_ID, session);
        set_absent(&mut open, attr::GEN_AI_CONVERSATION_ID, conversation);
        Some(Joined { span: open.record, sampled: open.sampled, depth: open.depth, rollup: open.rollup })
    }

    /// Adds what a finished span amounts to, itself and below, to its parent.
    pub(crate) fn roll_up(&mut self, joined: &Joined, call: Option<&CallCost>) {
        if let Some(above) = joined.span.parent.and_then(|parent| self.open.get_mut(&parent)) {
            above.rollup.add(&joined.rollup, joined.span.kind == SpanKind::Agent);
            above.rollup.add_span(&joined.span, call);
        }
    }

    /// Notes an event on the span it happened in.
    pub(crate) fn note_event(&mut self, event: &mut EventRecord) {
        let Some(open) = event.span.and_then(|span| self.open.get_mut(&span.span_id)) else { return };
        if event.kind == EventKind::Retry {
            open.rollup.add_retry();
            let count = open.record.attributes.int(attr::VIGIL_RETRY_COUNT).unwrap_or(0);
            open.record.attributes.set(attr::VIGIL_RETRY_COUNT, count + 1);
        }
        for (key, value) in [(attr::GEN_AI_AGENT_NAME, &open.agent), (attr::LIFE_SESSION_ID, &open.session)] {
            event.attributes.set_some(key, value.clone());
        }
    }

    /// Spans that should be told of before they end: work of the outer kinds at once, the rest when it has
    /// taken `after`. Each is handed out once.
    pub(crate) fn announce(&mut self, now: Ticks, clock: &Clock, after: std::time::Duration) -> Vec<(SpanStart, u16)> {
        let mut started: Vec<_> = self
            .open
            .values_mut()
            .filter(|open| !open.announced && !open.ended)
            .filter(|open| is_outer(open.record.kind) || clock.between(open.start, now) >= after)
            .map(|open| {
                open.announced = true;
                let record = &open.record;
                let start = SpanStart {
                    context: record.context,
                    parent: record.parent,
                    kind: record.kind,
                    target: record.target.clone(),
                    start: clock.unix(open.start),
                };
                (start, open.depth)
            })
            .collect();
        started.sort_by_key(|(start, depth)| (start.start, *depth));
        started
    }

    #[cfg(test)]
    fn open_count(&self) -> usize {
        self.open.len()
    }
}

/// Kinds that can run for hours and hold everything else.
pub(crate) fn is_outer(kind: SpanKind) -> bool {
    matches!(kind, SpanKind::Workflow | SpanKind::Agent)
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;

//! Joining records to spans.
//!
//! A span's records wait here as they are, one after the other, until it is finished; then they are read once. Those of
//! a span that began and ended without anything in between are read where they are.
//!
//! Most spans are *alone*: all their records, and the starts of all spans below them, are in one lane, in order. They
//! are finished when their end is read, if the starts of all above them were read before. Records of any other span may sit in the lanes of several threads, and lanes
//! are drained one after the other, so an end can be seen before a set that was made earlier. The rule there: a
//! record that was made before another is drained at most one round later. Such a span is therefore finished
//! after the round that follows the one its end was seen in, and a set or end without its start waits one round
//! before it counts as lost. A span waits another round for those below it that ended before it did, so that its
//! sums hold them all.

use super::rollup::{CallCost, Rollup};
use crate::clock::{Anchor, Ticks};
use crate::record::format::{Attrs, EndedAs, FLAG_REMOTE, FLAG_SAMPLED, Later, Record, read, read_later};
use crate::vitals::{Glance, SLOW_MAX, SlowCall};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{AnyValue, AttributeSet, Outcome, SpanData, SpanStart, Text};
use vigil_core::id::{SpanContext, SpanId};
use vigil_core::vocab::{ErrorType, Phase};

/// How far up parents are followed.
const DEPTH_MAX: usize = 256;
/// What a model call has, with what is added to it.
const USUAL_ATTRIBUTES: usize = 24;
/// Buffers kept for the records of spans to come, and the size up to which one is kept.
const SPARE_BUFFERS: usize = 256;
const SPARE_BYTES: usize = 4 << 10;

/// A span that has started and not been finished.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) kind: SpanKind,
    pub(crate) sampled: bool,
    /// Whether its start was told.
    announced: bool,
    ended: bool,
    /// How many open spans are above it.
    pub(crate) depth: u16,
    /// Counts starts as they are read.
    pub(crate) number: u64,
    /// Spans below it that have begun and not been finished.
    below: u32,
    /// Whether it is among those of its parent.
    pub(crate) counted: bool,
    /// Whether every span above it was open when its start was read. One that is not must wait for theirs.
    rooted: bool,
    retries: u32,
    /// Whether it is among [`Joiner::changed`].
    changed: bool,
    /// How much of the records was carried over.
    carried: usize,
    start: Ticks,
    end: Ticks,
    outcome: Outcome,
    /// The target, then the attributes of all records so far.
    records: Vec<u8>,
    target: usize,
    /// What it is called, and those below it with it.
    names: Option<Arc<Names>>,
    /// Made when something below it counts.
    pub(crate) rollup: Option<Box<Rollup>>,
}

/// An open span on its way into another process.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried<'a> {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) kind: SpanKind,
    pub(crate) sampled: bool,
    pub(crate) rooted: bool,
    pub(crate) retries: u32,
    pub(crate) start: Ticks,
    /// When and how, where its end was seen.
    pub(crate) ended: Option<(Ticks, Cow<'a, Outcome>)>,
    /// How much of the records was carried over before.
    pub(crate) from: usize,
    /// The target, then the attributes of all records so far; what comes after `from` of them.
    pub(crate) records: Cow<'a, [u8]>,
    pub(crate) target: usize,
    pub(crate) rollup: Option<Cow<'a, Rollup>>,
}

/// Where a span is that has started: what it takes from the one above it.
struct Place {
    number: u64,
    depth: u16,
    names: Option<Arc<Names>>,
    rooted: bool,
    counted: bool,
}

/// What spans inherit from the agent above them.
#[derive(Debug, Default)]
struct Names {
    agent: Option<Text>,
    session: Option<Text>,
    conversation: Option<Text>,
}

/// Span ids are random already.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Ids of tests count up from one: the multiplication spreads them.
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
    fn write_usize(&mut self, _: usize) {}
}

/// The most records a span may have to be read where they are.
const PIECES_MAX: usize = 8;

/// What came of a record.
#[expect(clippy::large_enum_variant, reason = "a box for every span is what is saved here; it is moved once")]
pub(crate) enum Applied<'a> {
    Noted,
    /// This span is finished: [`take`](Joiner::take) it now.
    Finished(SpanId),
    /// This span began and ended, and its records are these.
    Whole(Open, Pieces<'a>),
    Event(Record<'a>),
}

/// A span's target, and its attributes as they are in its records.
pub(crate) struct Pieces<'a> {
    target: &'a str,
    attributes: [Attrs<'a>; PIECES_MAX],
    len: usize,
}

impl<'a> Pieces<'a> {
    fn new(target: &'a str, attributes: Attrs<'a>) -> Self {
        let mut pieces = Self { target, attributes: [Attrs(&[]); PIECES_MAX], len: 0 };
        pieces.push(attributes);
        pieces
    }

    /// Answers whether there was room.
    fn push(&mut self, attributes: Attrs<'a>) -> bool {
        if attributes.is_empty() {
            return true;
        }
        let slot = self.attributes.get_mut(self.len);
        self.len += usize::from(slot.is_some());
        slot.map(|slot| *slot = attributes).is_some()
    }
}

/// The end of a span.
struct Ended<'a> {
    time: Ticks,
    ended: EndedAs<'a>,
}

impl Ended<'_> {
    fn outcome(&self) -> Outcome {
        match self.ended {
            EndedAs::Ok => Outcome::Ok,
            EndedAs::Error(error) => Outcome::Error(ErrorType::from_code(error)),
            EndedAs::Cancelled => Outcome::Cancelled,
        }
    }
}

/// Adds the records of `span` at the head of `rest`, up to its end where it ends alone, to `pieces`. Answers with the
/// end and how many bytes they have; `None` when a record of anything else comes before the end.
fn whole<'a>(span: SpanId, pieces: &mut Pieces<'a>, mut rest: &'a [u8]) -> Option<(Ended<'a>, usize)> {
    let all = rest.len();
    loop {
        let (record, len) = read_later(rest, span)?;
        rest = rest.get(len..)?;
        match record {
            Later::Set(attributes) if pieces.push(attributes) => {}
            Later::Ended { time, ended, attributes } if pieces.push(attributes) => {
                return Some((Ended { time, ended }, all - rest.len()));
            }
            _ => return None,
        }
    }
}

/// Spans in the making.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    open: HashMap<SpanId, Open, BuildHasherDefault<IdHasher>>,
    ended_now: Vec<SpanId>,
    ended_before: Vec<SpanId>,
    /// Sets and ends whose start was not seen yet, as records.
    waiting_now: Vec<Vec<u8>>,
    waiting_before: Vec<Vec<u8>>,
    /// Sets and ends whose start never came.
    pub(crate) without_start: u64,
    spare: Vec<Vec<u8>>,
    started: u64,
    /// Spans that are not as they were carried over last, where they are carried at all.
    changed: Option<Vec<SpanId>>,
}

impl Joiner {
    /// A joiner whose open spans are [carried](Self::carry).
    pub(crate) fn carrying() -> Self {
        Self { changed: Some(Vec::new()), ..Self::default() }
    }

    /// Takes in the record at the head of `bytes`, or all of a span's whose records follow one another, and says how
    /// many bytes that were; `None` where the bytes are no record.
    #[inline]
    pub(crate) fn apply<'a>(&mut self, bytes: &'a [u8]) -> Option<(Applied<'a>, usize)> {
        let (record, len) = read(bytes)?;
        let applied = match record {
            Record::Start { trace, span, parent, kind, flags, time, target, attributes } => {
                let context = SpanContext { trace_id: trace, span_id: span };
                let place = self.place_below(parent, flags);
                let mut pieces = Pieces::new(target, attributes);
                if place.rooted
                    && kind != SpanKind::Agent
                    && let Some((ended, more)) = whole(span, &mut pieces, bytes.get(len..).unwrap_or_default())
                {
                    // Made where it is handed out: it is large, and there are many.
                    let open = Open::new(context, parent, kind, flags, time, place, Some(ended));
                    return Some((Applied::Whole(open, pieces), len + more));
                }
                let mut open = Open::new(context, parent, kind, flags, time, place, None);
                open.records = self.spare.pop().unwrap_or_default();
                open.records.extend_from_slice(target.as_bytes());
                open.records.extend_from_slice(attributes.0);
                open.target = target.len();
                if kind == SpanKind::Agent {
                    open.names = Some(Names::own(target, attributes, open.names.take()));
                }
                mark(&mut self.changed, &mut open);
                self.open.insert(span, open);
                Applied::Noted
            }
            Record::Set { span, attributes } => {
                match self.open.get_mut(&span) {
                    Some(open) => {
                        open.records.extend_from_slice(attributes.0);
                        mark(&mut self.changed, open);
                    }
                    None => self.waiting_now.push(bytes.get(..len).unwrap_or_default().to_owned()),
                }
                Applied::Noted
            }
            Record::End { span, time, ended, alone, attributes } => match self.open.get_mut(&span) {
                Some(open) => {
                    open.records.extend_from_slice(attributes.0);
                    open.end = time;
                    open.outcome = Ended { time, ended }.outcome();
                    open.ended = true;
                    if alone && open.below == 0 && open.rooted {
                        Applied::Finished(span)
                    } else {
                        self.ended_now.push(span);
                        mark(&mut self.changed, open);
                        Applied::Noted
                    }
                }
                None => {
                    self.waiting_now.push(bytes.get(..len).unwrap_or_default().to_owned());
                    Applied::Noted
                }
            },
            event @ Record::Event { .. } => Applied::Event(event),
        };
        Some((applied, len))
    }

    /// Where a span that has started is. It is counted with its parent, where that is open.
    #[inline(always)]
    fn place_below(&mut self, parent: Option<SpanId>, flags: u8) -> Place {
        self.started += 1;
        let number = self.started;
        match parent.and_then(|parent| self.open.get_mut(&parent)) {
            Some(above) => {
                above.below += 1;
                let (depth, names) = (above.depth.saturating_add(1), above.names.clone());
                Place { number, depth, names, rooted: above.rooted, counted: true }
            }
            None => {
                let rooted = parent.is_none() || flags & FLAG_REMOTE != 0;
                Place { number, depth: 0, names: None, rooted, counted: false }
            }
        }
    }

    /// Every lane has been read once more: tries what was waiting again and names the spans whose end was
    /// seen a round ago, children before their parents. [`take`](Self::take) them one after the other.
    pub(crate) fn end_round(&mut self) -> Vec<SpanId> {
        let before = std::mem::take(&mut self.waiting_before);
        let now = std::mem::take(&mut self.waiting_now);
        let mut finished = Vec::new();
        let mut again = |joiner: &mut Self, records: Vec<Vec<u8>>| {
            for raw in records {
                if let Some((Applied::Finished(span), _)) = joiner.apply(&raw) {
                    finished.push(span);
                }
            }
        };
        again(self, before);
        self.without_start += self.waiting_now.len() as u64;
        self.waiting_now.clear();
        again(self, now);
        self.waiting_before = std::mem::take(&mut self.waiting_now);

        let held = self.above_of_ended_now();
        let (held, mut ended) =
            std::mem::take(&mut self.ended_before).into_iter().partition::<Vec<_>, _>(|span| held.contains(span));
        self.ended_before = std::mem::take(&mut self.ended_now);
        self.ended_before.extend(held);
        ended.extend(finished);
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
            for (above, open) in self.above(ended.parent) {
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
        std::iter::successors(step(parent), move |(_, open)| step(open.parent)).take(DEPTH_MAX)
    }

    /// Ends every span that is still open at `now` with `outcome` and names them, the deepest first.
    pub(crate) fn close_open(&mut self, now: Ticks, outcome: &Outcome) -> Vec<SpanId> {
        let depth = |open: &Open| self.above(open.parent).count();
        let mut open: Vec<_> = self.open.iter().map(|(span, open)| (std::cmp::Reverse(depth(open)), *span)).collect();
        open.sort();
        for open in self.open.values_mut().filter(|open| !open.ended) {
            open.end = now.max(open.start);
            open.outcome = outcome.clone();
        }
        open.into_iter().map(|(_, span)| span).collect()
    }

    /// Hands every open span that changed since the last time to `open`.
    pub(crate) fn carry(&mut self, mut open: impl FnMut(&Carried<'_>)) {
        let Some(changed) = &mut self.changed else { return };
        for span in changed.drain(..) {
            let Some(one) = self.open.get_mut(&span) else { continue };
            one.changed = false;
            let from = std::mem::replace(&mut one.carried, one.records.len());
            open(&Carried {
                context: one.context,
                parent: one.parent,
                kind: one.kind,
                sampled: one.sampled,
                rooted: one.rooted,
                retries: one.retries,
                start: one.start,
                ended: one.ended.then_some((one.end, Cow::Borrowed(&one.outcome))),
                from,
                records: Cow::Borrowed(one.records.get(from..).unwrap_or_default()),
                target: one.target,
                rollup: one.rollup.as_deref().map(Cow::Borrowed),
            });
        }
    }

    /// Hands every record that still waits for its start to `each`.
    pub(crate) fn waiting(&self, each: impl FnMut(&Vec<u8>)) {
        self.waiting_before.iter().chain(&self.waiting_now).for_each(each);
    }

    /// Makes every open span be carried over again.
    pub(crate) fn change_all(&mut self) {
        for open in self.open.values_mut() {
            open.carried = 0;
            mark(&mut self.changed, open);
        }
    }

    /// Takes in an open span as it was carried over; in the place of itself as it was before.
    pub(crate) fn restore(&mut self, carried: Carried<'_>) {
        let was_ended = self.open.get(&carried.context.span_id).is_some_and(|before| before.ended);
        let records = match self.open.get_mut(&carried.context.span_id) {
            Some(before) if carried.from > 0 && before.records.len() >= carried.from => {
                let mut records = std::mem::take(&mut before.records);
                records.truncate(carried.from);
                records.extend_from_slice(&carried.records);
                records
            }
            // What was carried before is not there: the file is damaged, and this says nothing by itself.
            _ if carried.from > 0 => return,
            _ => carried.records.into_owned(),
        };
        self.started += 1;
        let ended = carried.ended.is_some();
        let span = carried.context.span_id;
        let (end, outcome) = carried.ended.unwrap_or((carried.start, Cow::Owned(Outcome::Ok)));
        let mut open = Open {
            context: carried.context,
            parent: carried.parent,
            kind: carried.kind,
            sampled: carried.sampled,
            announced: true,
            ended,
            depth: 0,
            number: self.started,
            below: 0,
            counted: false,
            rooted: carried.rooted,
            retries: carried.retries,
            changed: false,
            start: carried.start,
            end,
            outcome: outcome.into_owned(),
            carried: 0,
            records,
            target: carried.target,
            names: None,
            rollup: carried.rollup.map(|rollup| Box::new(rollup.into_owned())),
        };
        if open.kind == SpanKind::Agent {
            let above = self.above(open.parent).find_map(|(_, above)| above.names.clone());
            open.names = Some(Names::own(open.target(), open.attributes(), above));
        }
        if ended && !was_ended {
            self.ended_now.push(span);
        }
        self.open.insert(span, open);
    }

    /// Forgets an open span: it was finished. Where its end was seen, it stays among those that wait for the next round,
    /// which has nothing to finish then.
    pub(crate) fn forget(&mut self, span: SpanId) {
        self.open.remove(&span);
    }

    /// Hands out a span that has ended.
    pub(crate) fn take(&mut self, span: SpanId) -> Option<Open> {
        let mut open = self.open.remove(&span)?;
        // Its start may have been drained before its parent's was: what could not be inherited then is now.
        if open.names.is_none() && open.parent.is_some() {
            let above = self.above(open.parent).enumerate();
            let found = above.fold((0, None), |(_, names): (usize, Option<Arc<Names>>), (up, (_, parent))| {
                (up + 1, names.or_else(|| parent.names.clone()))
            });
            open.depth = open.depth.max(u16::try_from(found.0).unwrap_or(u16::MAX));
            open.names = found.1;
        }
        Some(open)
    }

    /// Takes the memory of a span that was finished back.
    pub(crate) fn recycle(&mut self, mut records: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && records.capacity() <= SPARE_BYTES {
            records.clear();
            self.spare.push(records);
        }
    }

    /// Adds what a finished span amounts to, itself and below, to its parent.
    /// `counted` says whether the parent waited for it.
    pub(crate) fn roll_up(
        &mut self,
        span: &SpanData<'_>,
        counted: bool,
        below: Option<&Rollup>,
        call: Option<&CallCost<'_>>,
    ) {
        let Some(above) = span.parent.and_then(|parent| self.open.get_mut(&parent)) else { return };
        above.below = above.below.saturating_sub(u32::from(counted));
        if below.is_some() || Rollup::counts(span.kind) {
            let rollup = above.rollup.get_or_insert_default();
            if let Some(below) = below {
                rollup.add(below, span.kind == SpanKind::Agent);
            }
            rollup.add_span(span, call);
        }
        mark(&mut self.changed, above);
    }

    /// Whether a span has started and not been finished.
    pub(crate) fn is_open(&self, span: SpanId) -> bool {
        self.open.contains_key(&span)
    }

    /// Notes an event on the span it happened in: a try that is made again is counted there, and the event is told
    /// with the agent's name and session.
    pub(crate) fn note_event(&mut self, span: SpanId, kind: EventKind, attributes: &mut AttributeSet<'_>) {
        let Some(open) = self.open.get_mut(&span) else { return };
        if kind == EventKind::Retry {
            open.retries += 1;
            open.rollup.get_or_insert_default().add_retry();
            mark(&mut self.changed, open);
        }
        if kind == EventKind::DownstreamRateLimit {
            super::complete::operation_of_throttled(attributes, open.kind);
        }
        if let Some(names) = &open.names {
            attributes.set_some(attr::GEN_AI_AGENT_NAME, names.agent.clone());
            attributes.set_some(attr::LIFE_SESSION_ID, names.session.clone());
        }
    }

    /// Spans that should be told of before they end: work of the outer kinds at once, the rest when it has
    /// taken `after`. Each is handed out once.
    pub(crate) fn announce(&mut self, now: Ticks, anchor: Anchor, after: std::time::Duration) -> Vec<(SpanStart, u16)> {
        let mut started: Vec<_> = self
            .open
            .values_mut()
            .filter(|open| !open.announced && !open.ended)
            .filter(|open| is_outer(open.kind) || anchor.between(open.start, now) >= after)
            .map(|open| {
                open.announced = true;
                let start = SpanStart {
                    context: open.context,
                    parent: open.parent,
                    kind: open.kind,
                    target: open.target().to_owned().into(),
                    start: anchor.unix(open.start),
                };
                (start, open.depth)
            })
            .collect();
        started.sort_by_key(|(start, depth)| (start.start, *depth));
        started
    }

    /// What is under way: the phase that started last, and calls that have taken `slow_after`.
    pub(crate) fn glance(&self, now: Ticks, anchor: Anchor, slow_after: std::time::Duration) -> Glance {
        let mut phase: Option<&Open> = None;
        let mut slow: Vec<&Open> = Vec::new();
        for open in self.open.values().filter(|open| !open.ended) {
            match open.kind {
                SpanKind::Phase if phase.is_none_or(|other| other.start < open.start) => phase = Some(open),
                SpanKind::Chat
                | SpanKind::Embeddings
                | SpanKind::Tool
                | SpanKind::McpRequest
                | SpanKind::Capability
                    if anchor.between(open.start, now) >= slow_after =>
                {
                    slow.push(open);
                }
                _ => {}
            }
        }
        slow.sort_by_key(|open| open.start);
        let call = |open: &&Open| SlowCall {
            kind: open.kind,
            target: open.target().to_owned().into(),
            start: anchor.unix(open.start),
        };
        Glance {
            phase: phase.and_then(|open| Some((Phase::from_str(open.target()).ok()?, anchor.unix(open.start)))),
            slow: slow.iter().take(SLOW_MAX).map(call).collect(),
        }
    }

    /// Whom an open model call asks.
    pub(crate) fn provider_of(&self, span: SpanId) -> Option<String> {
        let open = self.open.get(&span)?;
        let mut set = AttributeSet::new();
        open.attributes().apply(open.target(), &mut set);
        set.str(attr::GEN_AI_PROVIDER_NAME).map(str::to_owned)
    }

    #[cfg(test)]
    fn open_count(&self) -> usize {
        self.open.len()
    }
}

/// Notes that `open` is not as it was carried over last.
#[inline]
fn mark(changed: &mut Option<Vec<SpanId>>, open: &mut Open) {
    if let Some(changed) = changed
        && !std::mem::replace(&mut open.changed, true)
    {
        changed.push(open.context.span_id);
    }
}

impl Names {
    /// Those of an agent: its own, else those from above.
    fn own(target: &str, attributes: Attrs<'_>, above: Option<Arc<Names>>) -> Arc<Names> {
        let mut set = AttributeSet::new();
        attributes.apply(target, &mut set);
        let own = |key| set.str(key).map(|text| Text::from(text.to_owned()));
        let above = above.unwrap_or_default();
        Arc::new(Names {
            agent: own(attr::GEN_AI_AGENT_NAME).or_else(|| above.agent.clone()),
            session: own(attr::LIFE_SESSION_ID).or_else(|| above.session.clone()),
            conversation: own(attr::GEN_AI_CONVERSATION_ID).or_else(|| above.conversation.clone()),
        })
    }
}

impl Open {
    /// A span without its records.
    #[inline(always)]
    fn new(
        context: SpanContext,
        parent: Option<SpanId>,
        kind: SpanKind,
        flags: u8,
        start: Ticks,
        place: Place,
        ended: Option<Ended<'_>>,
    ) -> Self {
        Self {
            context,
            parent,
            kind,
            sampled: flags & FLAG_SAMPLED != 0,
            announced: false,
            ended: ended.is_some(),
            depth: place.depth,
            number: place.number,
            below: 0,
            counted: place.counted,
            rooted: place.rooted,
            retries: 0,
            changed: false,
            carried: 0,
            start,
            end: ended.as_ref().map_or(start, |ended| ended.time),
            outcome: ended.as_ref().map_or(Outcome::Ok, Ended::outcome),
            records: Vec::new(),
            target: 0,
            names: place.names,
            rollup: None,
        }
    }

    fn target(&self) -> &str {
        self.records.get(..self.target).and_then(|target| std::str::from_utf8(target).ok()).unwrap_or_default()
    }

    fn attributes(&self) -> Attrs<'_> {
        Attrs(self.records.get(self.target..).unwrap_or_default())
    }

    /// What its records say, where they waited here.
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        Pieces::new(self.target(), self.attributes())
    }

    /// The span before its records are read. What [`tell`](Self::tell) makes of it is some hundred bytes that are not
    /// moved any more.
    #[inline(always)]
    pub(crate) fn untold<'a>(&self, pieces: &Pieces<'a>, anchor: Anchor) -> SpanData<'a> {
        let (start, end) = anchor.unix_range(self.start, self.end);
        SpanData {
            context: self.context,
            parent: self.parent,
            kind: self.kind,
            target: pieces.target.into(),
            start,
            end,
            outcome: self.outcome.clone(),
            attributes: AttributeSet::new(),
            links: Vec::new(),
        }
    }

    /// Adds to `span` what its records tell, and what it inherits.
    pub(crate) fn tell<'a>(&'a self, pieces: &Pieces<'a>, anchor: Anchor, span: &mut SpanData<'a>) {
        let set = &mut span.attributes;
        set.reserve(USUAL_ATTRIBUTES);
        pieces.attributes.iter().take(pieces.len).for_each(|attributes| attributes.apply(pieces.target, set));
        if let Some(AnyValue::Int(then)) = set.get(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK) {
            let then = Ticks(then.cast_unsigned());
            set.set(attr::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, anchor.between(self.start, then).as_secs_f64());
        }
        if self.retries > 0 {
            set.set(attr::VIGIL_RETRY_COUNT, self.retries);
        }
        if let Some(names) = &self.names {
            set.set_absent(attr::GEN_AI_AGENT_NAME, names.agent.as_deref());
            set.set_absent(attr::LIFE_SESSION_ID, names.session.as_deref());
            set.set_absent(attr::GEN_AI_CONVERSATION_ID, names.conversation.as_deref());
        }
        if span.kind == SpanKind::Host {
            crate::host::settle(span);
        }
    }

    pub(crate) fn into_records(self) -> Vec<u8> {
        self.records
    }
}

/// Kinds that can run for hours and hold everything else.
pub(crate) fn is_outer(kind: SpanKind) -> bool {
    matches!(kind, SpanKind::Workflow | SpanKind::Agent)
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;

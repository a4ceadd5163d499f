use super::*;
use crate::clock::Clock;
use crate::record::format::{AttrRef, End, Set, Start, StartFields, ValueRef, Write};
use crate::record::lanes::bytes_of;
use vigil_core::fact::{SpanRecord, UnixNanos};
use vigil_core::id::TraceId;

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, record: &impl Write) {
        self.0.extend(bytes_of(record));
    }
    fn set(&mut self, span: SpanId, attributes: &[AttrRef<'_>]) {
        self.put(&Set(span, attributes));
    }
    fn end(&mut self, span: SpanId, time: Ticks, ended: EndedAs<'_>) {
        self.put(&End { span, time, ended, alone: false });
    }
    fn end_alone(&mut self, span: u8, time: u64) {
        self.put(&End { span: SpanId([span; 8]), time: Ticks(time), ended: EndedAs::Ok, alone: true });
    }
}

fn buffer(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.0
}

fn start(writer: &mut Writer, span: u8, parent: Option<u8>, kind: SpanKind, time: u64) {
    put_start(writer, (span, parent), kind, FLAG_SAMPLED, time, &[]);
}

/// The start of the agent `a`, span 1, at 10.
fn start_agent(writer: &mut Writer, parent: Option<u8>, flags: u8, attributes: &[AttrRef<'_>]) {
    put_start(writer, (1, parent), SpanKind::Agent, flags, 10, attributes);
}

fn put_start(
    writer: &mut Writer,
    (span, parent): (u8, Option<u8>),
    kind: SpanKind,
    flags: u8,
    time: u64,
    attributes: &[AttrRef<'_>],
) {
    let fields = StartFields {
        trace: &TraceId([9; 16]),
        span: SpanId([span; 8]),
        parent: SpanId([parent.unwrap_or(0); 8]),
        kind,
        flags,
        time: Ticks(time),
        target: if kind == SpanKind::Agent { "a" } else { "" },
    };
    writer.put(&Start(fields, attributes));
}

fn anchor() -> Anchor {
    Clock::manual(UnixNanos(0)).0.anchor()
}

/// Reads one lane's records and names the spans that are finished at once.
fn drain(joiner: &mut Joiner, mut bytes: &[u8]) -> Vec<SpanId> {
    let mut finished = Vec::new();
    while let Some((applied, len)) = joiner.apply(bytes) {
        match applied {
            Applied::Noted => {}
            Applied::Finished(span) => finished.push(span),
            Applied::Whole(..) => panic!("nothing here begins and ends in one go"),
            Applied::Event(_) => panic!("no event was recorded"),
        }
        bytes = &bytes[len..];
    }
    finished
}

fn told<'a>(open: &'a Open, pieces: &Pieces<'a>) -> SpanData<'a> {
    let mut span = open.untold(pieces, anchor());
    open.tell(pieces, anchor(), &mut span);
    span
}

struct Done {
    span: SpanRecord,
    depth: u16,
}

fn take(joiner: &mut Joiner, ended: impl FnOnce(&mut Joiner) -> Vec<SpanId>) -> Vec<Done> {
    let taken = ended(joiner).into_iter().map(|span| {
        let open = joiner.take(span).unwrap();
        Done { span: told(&open, &open.pieces()).to_record(), depth: open.depth }
    });
    taken.collect()
}

#[test]
fn an_end_drained_before_an_earlier_set_still_gets_it() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| start(w, 1, None, SpanKind::Chat, 10)));
    drain(&mut joiner, &buffer(|w| w.end(SpanId([1; 8]), Ticks(20), EndedAs::Ok)));
    assert!(joiner.end_round().is_empty());
    let set = buffer(|w| w.set(SpanId([1; 8]), &[(attr::GEN_AI_USAGE_OUTPUT_TOKENS, ValueRef::Int(5))]));
    drain(&mut joiner, &set);
    let done = take(&mut joiner, |joiner| joiner.end_round());
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].span.attributes.int(attr::GEN_AI_USAGE_OUTPUT_TOKENS), Some(5));
    assert_eq!(joiner.open_count(), 0);
}

#[test]
fn an_end_drained_before_its_start_waits_for_it() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| w.end(SpanId([1; 8]), Ticks(20), EndedAs::Cancelled)));
    joiner.end_round();
    drain(&mut joiner, &buffer(|w| start(w, 1, None, SpanKind::Tool, 10)));
    joiner.end_round();
    let done = take(&mut joiner, |joiner| joiner.end_round());
    assert_eq!((done.len(), &done[0].span.outcome), (1, &Outcome::Cancelled));
    assert_eq!(joiner.without_start, 0);
}

#[test]
fn an_end_whose_start_never_comes_is_counted_and_forgotten() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| w.end(SpanId([1; 8]), Ticks(20), EndedAs::Ok)));
    (0..3).for_each(|_| drop(joiner.end_round()));
    assert_eq!((joiner.without_start, joiner.waiting_before.len()), (1, 0));
}

#[test]
fn children_come_out_before_their_parents_and_inherit_from_them() {
    let mut joiner = Joiner::default();
    let bytes = buffer(|w| {
        start(w, 1, None, SpanKind::Agent, 10);
        w.set(SpanId([1; 8]), &[]);
        start(w, 2, Some(1), SpanKind::Tool, 10);
        w.end(SpanId([1; 8]), Ticks(20), EndedAs::Ok);
        w.end(SpanId([2; 8]), Ticks(20), EndedAs::Ok);
    });
    drain(&mut joiner, &bytes);
    joiner.end_round();
    let done = take(&mut joiner, |joiner| joiner.end_round());
    assert_eq!(
        done.iter().map(|joined| joined.span.context.span_id).collect::<Vec<_>>(),
        [SpanId([2; 8]), SpanId([1; 8])]
    );
    assert_eq!((done[0].depth, done[1].depth), (1, 0));
}

#[test]
fn a_span_that_is_alone_is_finished_when_its_end_is_read() {
    let mut joiner = Joiner::default();
    let bytes = buffer(|w| {
        start(w, 1, None, SpanKind::Agent, 10);
        start(w, 2, Some(1), SpanKind::Tool, 11);
        start(w, 4, None, SpanKind::Tool, 11);
        w.set(SpanId([2; 8]), &[(attr::PROCESS_EXIT_CODE, ValueRef::Int(3))]);
        w.end_alone(2, 12);
    });
    assert_eq!(drain(&mut joiner, &bytes), [SpanId([2; 8])]);
    let done = take(&mut joiner, |_| vec![SpanId([2; 8])]);
    assert_eq!((done[0].span.attributes.int(attr::PROCESS_EXIT_CODE), done[0].span.end), (Some(3), UnixNanos(12)));
    joiner.roll_up(&done[0].span, true, None, None);
    assert_eq!(drain(&mut joiner, &buffer(|w| w.end_alone(1, 13))), [SpanId([1; 8])]);
}

#[test]
fn a_span_with_nothing_in_between_is_the_same_as_one_that_waited() {
    let agent = |w: &mut Writer| {
        start_agent(w, None, FLAG_SAMPLED, &[(attr::LIFE_SESSION_ID, ValueRef::Str("s"))]);
    };
    let chat = |w: &mut Writer, sets: usize, in_between: bool| {
        put_start(w, (2, Some(1)), SpanKind::Chat, 0, 11, &[(attr::GEN_AI_REQUEST_MODEL, ValueRef::Str("modèle"))]);
        if in_between {
            start(w, 3, None, SpanKind::Tool, 11);
        }
        for set in 0..sets {
            w.set(SpanId([2; 8]), &[(attr::GEN_AI_USAGE_OUTPUT_TOKENS, ValueRef::Int(set as i64))]);
        }
        w.put(&End { span: SpanId([2; 8]), time: Ticks(20), ended: EndedAs::Error("timeout"), alone: true });
    };
    for sets in [0, 1, PIECES_MAX - 1, PIECES_MAX, 100] {
        let mut waited = Joiner::default();
        let bytes = buffer(|w| {
            agent(w);
            chat(w, sets, true);
        });
        assert_eq!(drain(&mut waited, &bytes), [SpanId([2; 8])]);
        let waited = take(&mut waited, |_| vec![SpanId([2; 8])]);

        let mut joiner = Joiner::default();
        drain(&mut joiner, &buffer(agent));
        let bytes = buffer(|w| chat(w, sets, false));
        match joiner.apply(&bytes) {
            Some((Applied::Whole(open, pieces), len)) => {
                let span = told(&open, &pieces);
                assert_eq!((&span, open.depth, len), (&waited[0].span, 1, bytes.len()));
                joiner.roll_up(&span, open.counted, None, None);
            }
            Some((Applied::Noted, _)) => assert!(sets >= PIECES_MAX, "it waits where its records are many"),
            _ => panic!("neither"),
        }
        let open = joiner.open_count();
        assert_eq!(open, if sets < PIECES_MAX { 1 } else { 2 });
        if sets < PIECES_MAX {
            assert_eq!(drain(&mut joiner, &buffer(|w| w.end_alone(1, 21))), [SpanId([1; 8])], "nothing below is open");
        }
    }
}

#[test]
fn a_parent_that_is_alone_still_waits_for_a_child_that_ends_elsewhere() {
    let mut joiner = Joiner::default();
    let bytes = buffer(|w| {
        start(w, 1, None, SpanKind::Agent, 10);
        start(w, 2, Some(1), SpanKind::Tool, 11);
        w.end_alone(1, 13);
    });
    assert_eq!(drain(&mut joiner, &bytes), []);
    drain(&mut joiner, &buffer(|w| w.end(SpanId([2; 8]), Ticks(12), EndedAs::Ok)));
    assert_eq!(joiner.end_round(), []);
    assert_eq!(joiner.end_round(), [SpanId([2; 8]), SpanId([1; 8])]);
}

#[test]
fn what_is_open_at_the_end_is_closed_deepest_first() {
    let mut joiner = Joiner::default();
    let bytes = buffer(|w| {
        start(w, 1, None, SpanKind::Agent, 10);
        start(w, 2, Some(1), SpanKind::Phase, 11);
    });
    drain(&mut joiner, &bytes);
    assert_eq!(joiner.announce(Ticks(12), anchor(), std::time::Duration::from_secs(5)).len(), 1);
    let done = take(&mut joiner, |joiner| joiner.close_open(Ticks(50), &Outcome::Cancelled));
    assert_eq!(
        done.iter().map(|joined| joined.span.context.span_id).collect::<Vec<_>>(),
        [SpanId([2; 8]), SpanId([1; 8])]
    );
    assert!(done.iter().all(|joined| joined.span.outcome == Outcome::Cancelled && joined.span.end == UnixNanos(50)));
}

#[test]
fn a_parent_whose_end_is_drained_before_its_childs_waits_for_it() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| start(w, 1, None, SpanKind::Agent, 10)));
    drain(&mut joiner, &buffer(|w| start(w, 2, Some(1), SpanKind::Tool, 11)));
    // One round: the worker's lane was drained before the child ended, the agent's lane after both.
    drain(&mut joiner, &buffer(|w| w.end(SpanId([1; 8]), Ticks(20), EndedAs::Ok)));
    assert!(joiner.end_round().is_empty());
    drain(&mut joiner, &buffer(|w| w.end(SpanId([2; 8]), Ticks(19), EndedAs::Ok)));
    assert!(joiner.end_round().is_empty(), "the agent is held");
    let ended = joiner.end_round();
    assert_eq!(ended, [SpanId([2; 8]), SpanId([1; 8])]);
}

#[test]
fn a_parent_does_not_wait_for_those_that_outlive_it() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| start(w, 1, None, SpanKind::Agent, 10)));
    drain(&mut joiner, &buffer(|w| start(w, 2, Some(1), SpanKind::Tool, 11)));
    drain(&mut joiner, &buffer(|w| w.end(SpanId([1; 8]), Ticks(20), EndedAs::Ok)));
    joiner.end_round();
    drain(&mut joiner, &buffer(|w| w.end(SpanId([2; 8]), Ticks(25), EndedAs::Ok)));
    assert_eq!(joiner.end_round(), [SpanId([1; 8])]);
}

#[test]
fn a_child_whose_start_is_drained_first_inherits_all_the_same() {
    let mut joiner = Joiner::default();
    drain(&mut joiner, &buffer(|w| start(w, 2, Some(1), SpanKind::Tool, 11)));
    let agent = buffer(|w| {
        let name = [(attr::GEN_AI_AGENT_NAME, ValueRef::Str("a")), (attr::LIFE_SESSION_ID, ValueRef::Str("s"))];
        start_agent(w, None, FLAG_SAMPLED, &name);
    });
    drain(&mut joiner, &agent);
    drain(&mut joiner, &buffer(|w| w.end(SpanId([2; 8]), Ticks(12), EndedAs::Ok)));
    joiner.end_round();
    let done = take(&mut joiner, |joiner| joiner.end_round());
    assert_eq!(done[0].span.attributes.str(attr::LIFE_SESSION_ID), Some("s"));
    assert_eq!((done[0].span.attributes.str(attr::GEN_AI_AGENT_NAME), done[0].depth), (Some("a"), 1));
}

#[test]
fn a_child_that_is_alone_waits_for_the_start_of_a_parent_in_a_lane_not_read_yet() {
    let mut joiner = Joiner::default();
    let worker = buffer(|w| {
        start(w, 2, Some(1), SpanKind::Phase, 11);
        start(w, 3, Some(2), SpanKind::Tool, 12);
        w.end_alone(3, 13);
        w.end_alone(2, 14);
    });
    assert_eq!(drain(&mut joiner, &worker), [], "neither it nor what is below it");
    let agent = buffer(|w| {
        let session = [(attr::LIFE_SESSION_ID, ValueRef::Str("s"))];
        start_agent(w, None, FLAG_SAMPLED, &session);
    });
    drain(&mut joiner, &agent);
    joiner.end_round();
    let done = take(&mut joiner, Joiner::end_round);
    assert_eq!(done.iter().map(|done| done.depth).collect::<Vec<_>>(), [2, 1]);
    assert!(done.iter().all(|done| done.span.attributes.str(attr::LIFE_SESSION_ID) == Some("s")));
}

#[test]
fn a_span_below_one_of_another_process_does_not_wait_for_it() {
    let mut joiner = Joiner::default();
    let bytes = buffer(|w| {
        start_agent(w, Some(7), FLAG_SAMPLED | FLAG_REMOTE, &[]);
        w.end_alone(1, 12);
    });
    assert_eq!(drain(&mut joiner, &bytes), [SpanId([1; 8])]);
}

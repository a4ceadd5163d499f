use super::*;
use crate::assemble::join::Applied;
use crate::record::format::{AttrRef, EndedAs, FLAG_SAMPLED, Start, StartFields};
use vigil_core::contract::attr;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("vigil-carry-{name}-{}.records", std::process::id())))
    }

    fn open(&self) -> PathBuf {
        self.0.with_extension(EXTENSION)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(self.open()).ok();
    }
}

fn apply(joiner: &mut Joiner, record: &impl crate::record::format::Write) {
    let bytes: Vec<u8> = crate::record::lanes::bytes_of(record).collect();
    assert!(matches!(joiner.apply(&bytes), Some((Applied::Noted, _))));
}

fn start(joiner: &mut Joiner, span: u8, parent: u8, kind: SpanKind, attributes: &[AttrRef<'_>]) {
    let (trace, parent, flags) = (TraceId([1; 16]), SpanId([parent; 8]), FLAG_SAMPLED);
    let fields = StartFields {
        trace: &trace,
        span: SpanId([span; 8]),
        parent,
        kind,
        flags,
        time: Ticks(u64::from(span)),
        target: "name",
    };
    apply(joiner, &Start(fields, attributes));
}

fn everything(joiner: &mut Joiner) -> Vec<String> {
    let mut all = Vec::new();
    joiner.change_all();
    joiner.carry(|open| all.push(format!("{open:?}")));
    all.sort();
    all
}

#[test]
fn what_is_open_is_the_same_in_another_process() {
    let scratch = Scratch::new("same");
    let mut carry = Carry::beside(&scratch.0);
    let mut joiner = Joiner::carrying();
    start(&mut joiner, 1, 0, SpanKind::Agent, &[(attr::GEN_AI_AGENT_NAME, "researcher".into())]);
    start(&mut joiner, 2, 1, SpanKind::Chat, &[(attr::GEN_AI_REQUEST_MODEL, "m".into())]);
    carry.write(&mut joiner, 7).unwrap();
    apply(&mut joiner, &crate::record::format::Set(SpanId([2; 8]), &[(attr::GEN_AI_RESPONSE_ID, "r".into())]));
    let (span, time, ended) = (SpanId([2; 8]), Ticks(9), EndedAs::Error("timeout"));
    apply(&mut joiner, &crate::record::format::End { span, time, ended, alone: false });
    carry.write(&mut joiner, 8).unwrap();

    let mut other = Joiner::carrying();
    assert_eq!(restore(&scratch.open(), &mut other).unwrap(), 8);
    assert_eq!(everything(&mut other), everything(&mut joiner));
    assert!(everything(&mut other)[0].contains("timeout") || everything(&mut other)[1].contains("timeout"));
}

#[test]
fn a_span_that_was_finished_does_not_come_back() {
    let scratch = Scratch::new("gone");
    let mut carry = Carry::beside(&scratch.0);
    let mut joiner = Joiner::carrying();
    start(&mut joiner, 1, 0, SpanKind::Tool, &[]);
    carry.write(&mut joiner, 0).unwrap();
    joiner.forget(SpanId([1; 8]));
    carry.write(&mut joiner, 0).unwrap();
    let mut other = Joiner::carrying();
    restore(&scratch.open(), &mut other).unwrap();
    assert_eq!(everything(&mut other), Vec::<String>::new());
}

#[test]
fn a_file_cut_at_any_byte_gives_what_is_whole_of_it() {
    let scratch = Scratch::new("cut");
    let mut carry = Carry::beside(&scratch.0);
    let mut joiner = Joiner::carrying();
    let mut whole = Vec::new();
    for span in 1..=4 {
        start(&mut joiner, span, 0, SpanKind::Tool, &[]);
        carry.write(&mut joiner, 0).unwrap();
        whole.push(std::fs::metadata(scratch.open()).unwrap().len() as usize);
    }
    let bytes = std::fs::read(scratch.open()).unwrap();
    for end in 0..=bytes.len() {
        std::fs::write(scratch.open(), &bytes[..end]).unwrap();
        let mut other = Joiner::carrying();
        restore(&scratch.open(), &mut other).unwrap();
        let found = everything(&mut other).len();
        let least = whole.iter().filter(|length| **length <= end).count();
        assert!(found == least || found == least + 1, "{found} of {least} at {end}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        std::fs::write(scratch.open(), &damaged).unwrap();
        // Any bytes at all are survived.
        restore(&scratch.open(), &mut Joiner::carrying()).unwrap();
    }
}

#[test]
fn a_file_most_of_which_is_of_no_use_is_rewritten() {
    let scratch = Scratch::new("rewritten");
    let mut carry = Carry::beside(&scratch.0);
    let mut joiner = Joiner::carrying();
    let text = "x".repeat(32 << 10);
    for round in 0..200_u32 {
        let span = (round % 100 + 1) as u8;
        start(&mut joiner, span, 0, SpanKind::Tool, &[(attr::GEN_AI_TOOL_CALL_ID, text.as_str().into())]);
        carry.write(&mut joiner, 0).unwrap();
        if span != 7 {
            joiner.forget(SpanId([span; 8]));
        }
    }
    let length = std::fs::metadata(scratch.open()).unwrap().len();
    assert!(length < 2 * REWRITE_BYTES, "{length} bytes");
    let mut other = Joiner::carrying();
    restore(&scratch.open(), &mut other).unwrap();
    assert!(!everything(&mut other).is_empty());
}

//! Damage: named, skipped, and never taken for a record.

use super::*;
use crate::journal::frame::FILE_HEADER_BYTES;
use crate::journal::{Comparison, Damage, Finding, Journal, diff};

#[test]
fn every_single_flipped_bit_is_noticed_and_costs_one_record_at_most() {
    let whole = five();
    let starts = offsets(&whole);
    for at in FILE_HEADER_BYTES..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let verification = verified(&bytes);
        let record = starts.iter().rposition(|start| *start <= at).unwrap();
        assert_eq!(verification.records, 4, "byte {at}");
        let (offset, size) = (starts[record] as u64, (starts[record + 1] - starts[record]) as u64);
        let damage = Damage { offset, bytes: size, after: record as u64 };
        if record == 4 {
            assert_eq!((verification.torn, verification.findings_total), (Some(damage), 0), "byte {at}");
        } else {
            assert_eq!(verification.findings, [Finding::Damaged(damage, record as u64 + 2)], "byte {at}");
        }
    }
}

#[test]
fn a_journal_cut_anywhere_has_all_records_before_the_cut() {
    let whole = five();
    let starts = offsets(&whole);
    for length in FILE_HEADER_BYTES..whole.len() {
        let verification = verified(&whole[..length]);
        let records = starts[1..].iter().filter(|end| **end <= length).count();
        assert_eq!(verification.records, records as u64, "cut at {length}");
        assert!(verification.is_intact());
        let torn = length - starts[records];
        assert_eq!(verification.torn.map_or(0, |torn| torn.bytes), torn as u64);
    }
}

#[test]
fn a_damaged_header_costs_the_name_of_the_stream_and_no_record() {
    for at in 0..FILE_HEADER_BYTES {
        let mut bytes = five();
        bytes[at] ^= 0xff;
        assert_eq!(reader(&bytes).stream(), None);
        let verification = verified(&bytes);
        let damage = Damage { offset: 0, bytes: FILE_HEADER_BYTES as u64, after: 0 };
        assert_eq!((verification.records, &verification.findings[..]), (5, &[Finding::Damaged(damage, 1)][..]));
    }
}

#[test]
fn damage_that_goes_over_records_is_one_damage_and_says_which_are_missing() {
    let mut bytes = five();
    let starts = offsets(&bytes);
    bytes[starts[1] + 7..starts[3] + 3].fill(0);
    let verification = verified(&bytes);
    assert_eq!(verification.findings.len(), 1);
    let said = verification.findings[0].to_string();
    let (offset, size) = (starts[1], starts[4] - starts[1]);
    let expected = format!("damaged: {size} bytes at offset {offset} after record 1; records 2 to 4 are missing");
    assert_eq!(said, expected);
}

#[test]
fn a_journal_inside_a_payload_is_never_read_as_records() {
    let inner = five();
    let mut bytes = journal_of(&[("outer", &inner), ("after", b"")]);
    let starts = offsets(&bytes);
    assert_eq!(verified(&bytes).records, 2);
    // With the outer record's header gone, the frames inside lie open; each is at another offset than it was made for.
    bytes[starts[0]] ^= 1;
    let verification = verified(&bytes);
    assert_eq!((verification.records, verification.head.sequence), (1, 2));
}

#[test]
fn a_file_that_was_put_together_of_two_has_the_records_of_the_first_alone() {
    let mut bytes = five();
    bytes.extend_from_slice(&five());
    let verification = verified(&bytes);
    assert_eq!((verification.records, verification.torn.map(|torn| torn.after)), (5, Some(5)));
}

#[test]
fn a_writer_goes_on_behind_a_damaged_middle_and_leaves_it_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let mut bytes = five();
    let starts = offsets(&bytes);
    bytes[starts[1] + 30] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let journal = Journal::options("stream").open(&path).unwrap();
    let recovery = journal.recovery();
    assert_eq!((recovery.damaged_total, recovery.cut_bytes), (1, 0));
    assert_eq!((recovery.damaged[0].offset, recovery.damaged[0].after), (starts[1] as u64, 1));
    assert_eq!(journal.append_in(None, "f", b"six").unwrap().sequence, 6);
    drop(journal);

    let written = fs::read(&path).unwrap();
    assert_eq!(written[..bytes.len()], bytes);
    let verification = verified(&written);
    assert_eq!((verification.records, verification.findings_total), (5, 1), "the chain goes on from record 5");
}

#[test]
fn a_writer_goes_on_in_a_journal_whose_header_is_damaged() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let mut bytes = five();
    bytes[3] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let journal = Journal::options("any").open(&path).unwrap();
    assert_eq!(journal.recovery().damaged[0].bytes, FILE_HEADER_BYTES as u64);
    assert_eq!(journal.append_in(None, "f", b"six").unwrap().sequence, 6);
}

#[test]
fn a_torn_end_is_cut_once_and_told_and_the_chain_goes_on() {
    let whole = five();
    let starts = offsets(&whole);
    for length in [starts[4] + 1, starts[4] + 16, whole.len() - 1] {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        fs::write(&path, &whole[..length]).unwrap();
        let journal = Journal::options("stream").open(&path).unwrap();
        let recovery = journal.recovery();
        assert_eq!(recovery.cut_bytes, (length - starts[4]) as u64);
        assert_eq!(recovery.cut.map(|cut| (cut.offset, cut.after)), Some((starts[4] as u64, 4)));
        assert_eq!(fs::metadata(&path).unwrap().len(), starts[4] as u64);
        assert_eq!(journal.append_in(None, "e", &[0xf5; 40]).unwrap().sequence, 5);
        drop(journal);
        let verification = verified(&fs::read(&path).unwrap());
        assert_eq!((verification.records, verification.torn), (5, None));
        assert_eq!(verification.head, verified(&whole).head, "as if it had never been torn");
        let again = Journal::options("stream").open(&path).unwrap();
        assert_eq!(again.recovery(), crate::journal::Recovery::default());
    }
}

#[test]
fn a_journal_that_claims_the_last_sequence_there_is_can_be_read_and_written() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let mut bytes = frame::encode_file_header("stream");
    append_to(&mut bytes, Head { sequence: u64::MAX - 1, ..Head::default() }, &[("a", b"")]);
    fs::write(&path, &bytes).unwrap();
    let journal = Journal::options("stream").open(&path).unwrap();
    assert_eq!(journal.append_in(None, "b", b"").unwrap().sequence, u64::MAX);
    drop(journal);
    let verification = verified(&fs::read(&path).unwrap());
    assert_eq!((verification.records, verification.findings_total), (2, 1));
}

#[test]
fn two_journals_part_where_their_events_first_differ() {
    let one = journal_of(&[("a", b"same"), ("b", b"the answer is 42"), ("c", b"")]);
    let other = journal_of(&[("a", b"same"), ("b", b"the answer is 43"), ("c", b"")]);
    let Comparison::Parted(parting) = diff(&mut reader(&one), &mut reader(&other)).unwrap() else { panic!("parted") };
    assert_eq!((parting.sequence, parting.common.sequence, parting.payload_differs_at), (2, 1, Some(15)));
    assert_eq!(parting.right.unwrap().excerpt, b"the answer is 43");

    let shorter = journal_of(&[("a", b"same")]);
    let Comparison::Parted(parting) = diff(&mut reader(&shorter), &mut reader(&one)).unwrap() else { panic!("parted") };
    assert_eq!((parting.sequence, parting.left, parting.right.unwrap().kind), (2, None, "b".to_owned()));
}

#[test]
fn a_record_one_of_two_journals_has_lost_is_where_they_part() {
    let whole = five();
    let mut damaged = whole.clone();
    damaged[offsets(&whole)[2] + 20] ^= 1;
    let Comparison::Parted(parting) = diff(&mut reader(&whole), &mut reader(&damaged)).unwrap() else {
        panic!("parted")
    };
    assert_eq!((parting.sequence, parting.left.unwrap().kind, parting.right), (3, "c".to_owned(), None));
}

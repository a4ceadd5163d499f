//! Writing: promises, limits and failures. What needs other processes is in `tests/journal.rs`.

use super::*;
use crate::journal::{AppendError, Durability, Journal, OpenError, PAYLOAD_BYTES_MAX};
use std::time::{Duration, Instant};

const ALL: [Durability; 3] = [Durability::EachWrite, Durability::Group, Durability::None];

fn open(path: &Path, durability: Durability) -> Journal {
    Journal::options("stream").durability(durability).open(path).unwrap()
}

#[test]
fn a_record_is_in_the_file_when_its_durability_says_so() {
    for durability in ALL {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        let journal = open(&path, durability);
        let head = journal.append_in(None, "a", b"one").unwrap();
        if durability != Durability::EachWrite {
            assert_eq!(journal.flush().unwrap(), head);
        }
        assert_eq!(events(&path), [(1, "a".to_owned(), b"one".to_vec())], "{durability:?}");
    }
}

#[test]
fn a_group_reaches_the_file_by_itself() {
    for durability in [Durability::Group, Durability::None] {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        let journal = open(&path, durability);
        // Twice: the thread must be ready for the next group after one.
        for sequence in 1..=2 {
            journal.append_in(None, "a", b"").unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while events(&path).len() < sequence {
                assert!(Instant::now() < deadline, "{durability:?}: record {sequence} is not in the file");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

#[test]
fn dropping_a_journal_writes_what_is_left() {
    for durability in ALL {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        let journal = open(&path, durability);
        for _ in 0..100 {
            journal.append_in(None, "a", b"").unwrap();
        }
        drop(journal);
        assert_eq!(events(&path).len(), 100, "{durability:?}");
    }
}

#[test]
fn a_journal_that_is_opened_again_goes_on() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    for (opening, durability) in ALL.into_iter().enumerate() {
        let journal = open(&path, durability);
        assert_eq!(journal.head().sequence, 3 * opening as u64);
        for _ in 0..3 {
            journal.append_in(None, "a", b"x").unwrap();
        }
    }
    let verification = verified(&fs::read(&path).unwrap());
    assert_eq!((verification.records, verification.is_intact()), (9, true));
}

#[test]
fn ten_threads_and_two_values_never_interleave_a_record() {
    const EACH: usize = 300;
    for durability in [Durability::Group, Durability::None] {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        let journals = [open(&path, durability), open(&path, durability)];
        std::thread::scope(|scope| {
            for thread in 0..10 {
                let journal = &journals[thread % 2];
                scope.spawn(move || {
                    for number in 0..EACH {
                        let payload = format!("{thread} {number} ").repeat(1 + number % 50);
                        journal.append_in(None, "event", payload.as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(journals);
        let verification = verified(&fs::read(&path).unwrap());
        assert_eq!((verification.records, verification.is_intact()), (10 * EACH as u64, true));
        assert_eq!(verification.torn, None);
        // Each thread's own are there, once, and in its order.
        let mut next = [0; 10];
        for (_, _, payload) in events(&path) {
            let text = String::from_utf8(payload).unwrap();
            let mut words = text.split(' ').map(|word| word.parse::<usize>().unwrap_or(usize::MAX));
            let (thread, number) = (words.next().unwrap(), words.next().unwrap());
            assert_eq!(number, next[thread]);
            next[thread] += 1;
        }
        assert_eq!(next, [EACH; 10]);
    }
}

#[test]
fn threads_that_wait_for_the_disk_at_once_are_all_acknowledged() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let journal = open(&path, Durability::EachWrite);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                for _ in 0..20 {
                    journal.append_in(None, "event", b"x").unwrap();
                }
            });
        }
    });
    assert_eq!(verified(&fs::read(&path).unwrap()).records, 200);
}

#[test]
fn the_file_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    drop(open(&path, Durability::None));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn what_is_no_journal_or_anothers_is_left_alone() {
    let scratch = Scratch::new();
    let text = scratch.join("notes.txt");
    fs::write(&text, "notes").unwrap();
    assert!(matches!(Journal::options("stream").open(&text), Err(OpenError::NotAJournal)));
    assert_eq!(fs::read(&text).unwrap(), b"notes");

    let path = scratch.join("agent.journal");
    fs::write(&path, &five()[..200]).unwrap();
    let other = Journal::options("other").open(&path);
    assert!(matches!(other, Err(OpenError::OtherStream(stream)) if stream == "stream"));
    assert_eq!(fs::metadata(&path).unwrap().len(), 200, "not even a torn end was cut");

    for bad in ["", "line\nbreak", &"s".repeat(101)] {
        assert!(matches!(Journal::options(bad).open(scratch.join("new")), Err(OpenError::StreamId)));
    }
    assert!(!scratch.join("new").exists());
}

#[test]
fn a_record_out_of_bounds_is_refused_and_the_journal_goes_on() {
    let scratch = Scratch::new();
    let journal = open(&scratch.join("agent.journal"), Durability::Group);
    let too_large = vec![0; PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(journal.append_in(None, "a", &too_large), Err(AppendError::TooLarge(_))));
    assert!(matches!(journal.append_in(None, "two words", b""), Err(AppendError::Kind)));
    assert_eq!(journal.append_in(None, "a", &too_large[1..]).unwrap().sequence, 1);
    assert_eq!(journal.flush().unwrap().sequence, 1);
}

#[test]
fn a_journal_whose_file_was_deleted_or_cut_short_says_so_instead_of_writing_into_nothing() {
    for durability in ALL {
        let scratch = Scratch::new();
        let path = scratch.join("agent.journal");
        let journal = open(&path, durability);
        journal.append_in(None, "a", b"one").unwrap();
        journal.flush().unwrap();
        fs::remove_file(&path).unwrap();
        let refused = journal.append_in(None, "a", b"two").unwrap_err();
        assert!(matches!(&refused, AppendError::Broken { cause, .. } if cause.contains("deleted")), "{refused}");
        drop(journal);

        let journal = open(&path, durability);
        journal.append_in(None, "a", b"one").unwrap();
        journal.flush().unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(140).unwrap();
        let refused = journal.append_in(None, "a", b"two").unwrap_err();
        assert!(matches!(&refused, AppendError::Broken { cause, .. } if cause.contains("cut short")), "{refused}");
        drop(journal);
        assert_eq!(open(&path, durability).append_in(None, "a", b"three").unwrap().sequence, 1);
    }
}

#[test]
fn what_another_left_torn_is_cut_before_the_next_record() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let journal = open(&path, Durability::None);
    journal.append_in(None, "a", b"one").unwrap();
    journal.flush().unwrap();
    // As a process leaves it that is killed while it writes.
    let whole = fs::read(&path).unwrap();
    let torn = journal_of(&[("a", b"one"), ("b", b"two")]);
    fs::write(&path, [&whole[..], &torn[whole.len()..torn.len() - 1]].concat()).unwrap();
    assert_eq!(journal.append_in(None, "c", b"three").unwrap().sequence, 2);
    journal.flush().unwrap();
    let cut = journal.recovery().cut.unwrap();
    assert_eq!((cut.offset, cut.after), (whole.len() as u64, 1));
    let verification = verified(&fs::read(&path).unwrap());
    assert_eq!((verification.records, verification.is_intact()), (2, true));
}

#[test]
fn a_process_that_keeps_the_file_locked_is_waited_for_5_seconds() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let journal = open(&path, Durability::EachWrite);
    let other = fs::File::open(&path).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let started = Instant::now();
    assert!(matches!(journal.append_in(None, "a", b""), Err(AppendError::Busy(_))));
    assert!((5..7).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    drop(other);
    assert_eq!(journal.append_in(None, "a", b"").unwrap().sequence, 1);
}

#[test]
fn a_reader_follows_what_is_written_also_over_a_cut() {
    let scratch = Scratch::new();
    let path = scratch.join("agent.journal");
    let whole = five();
    let starts = offsets(&whole);
    fs::write(&path, &whole[..starts[2] + 10]).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let mut read = Vec::new();
    let mut drain = |reader: &mut Reader<fs::File>| {
        while let Some(envelope) = reader.next_record().unwrap() {
            read.push(envelope.kind.to_owned());
        }
        read.len()
    };
    assert_eq!(drain(&mut reader), 2);
    let journal = open(&path, Durability::None);
    journal.append_in(None, "new", b"").unwrap();
    journal.flush().unwrap();
    assert_eq!(drain(&mut reader), 2, "an end is an end until the reader is told to resume");
    reader.resume().unwrap();
    assert_eq!(drain(&mut reader), 3);
    reader.resume().unwrap();
    assert_eq!(drain(&mut reader), 3);
    assert_eq!(read, ["a", "b", "new"]);
}

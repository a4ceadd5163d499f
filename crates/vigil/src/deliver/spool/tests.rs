//! What the files of a spool promise, with processes that end in all the ways they do: dropping a [`Spool`] leaves what
//! a kill leaves, an open folder without an owner.

use super::segment::START;
use super::*;
use crate::deliver::LossReason;
use crate::deliver::tests::event;
use crate::encode::{Batch, BatchBuilder, EncodeOptions, Resource, Signal};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vigil_core::contract::{SpanKind, attr};
use vigil_core::fact::{Attributes, Outcome, SpanRecord, UnixNanos};
use vigil_core::id::{SpanContext, SpanId, TraceId};

/// A directory that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vigil-spool-{}-{number}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        Self(path)
    }

    fn config(&self) -> SpoolConfig {
        SpoolConfig::new(&self.0)
    }

    /// The files of all processes with this in their name.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let folders = store::folders_in(&self.0);
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().contains(part)).collect();
        files.sort();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn party(number: u64) -> Option<Party> {
    Some(Party { id: DestinationId(number), name: format!("backend {number}"), takes: [true; 3] })
}

fn one(scratch: &Scratch) -> Spool {
    Spool::new(scratch.config(), vec![party(1)])
}

/// A batch of spans that is known by its first span's target.
fn batch(name: &str, records: u32, padding: usize) -> Batch {
    let mut builder = BatchBuilder::new(Signal::Traces, Resource::new([]), EncodeOptions::default());
    for number in 0..records {
        let mut attributes = Attributes::new();
        attributes.set(attr::GEN_AI_RESPONSE_ID, "x".repeat(padding));
        let span_id = SpanId::derived(&[name, &number.to_string()]);
        builder
            .push_span(&SpanRecord {
                context: SpanContext { trace_id: TraceId::derived(&["run"]), span_id },
                parent: None,
                kind: SpanKind::Tool,
                target: name.to_owned().into(),
                start: UnixNanos(1),
                end: UnixNanos(2),
                outcome: Outcome::Ok,
                attributes,
                links: vec![],
            })
            .unwrap();
    }
    builder.take().unwrap()
}

fn keep(spool: &Spool, batch: &Batch) -> News {
    let (kept, news) = spool.append(batch);
    kept.unwrap();
    news
}

/// Takes and settles batches of spans for destination 0 until there is none; answers with their bodies.
fn drain(spool: &Spool) -> (Vec<bytes::Bytes>, News) {
    let (mut bodies, mut all) = (Vec::new(), News::default());
    loop {
        let (next, news) = spool.next(0, Signal::Traces);
        all.missing.extend(news.missing);
        all.set_aside.extend(news.set_aside);
        let Some((batch, ticket)) = next.unwrap() else { return (bodies, all) };
        bodies.push(batch.body().clone());
        let news = spool.settle(0, Signal::Traces, &ticket);
        all.set_aside.extend(news.set_aside);
    }
}

fn bodies(batches: &[Batch]) -> Vec<bytes::Bytes> {
    batches.iter().map(|batch| batch.body().clone()).collect()
}

#[test]
fn a_batch_comes_back_as_it_was_and_can_still_be_split() {
    let scratch = Scratch::new();
    let spool = one(&scratch);
    let batches = [batch("a", 3, 10), batch("b", 1, 0), batch("c", 8, 4000)];
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    for original in batches {
        let (next, _) = spool.next(0, Signal::Traces);
        let (read, ticket) = next.unwrap().unwrap();
        assert!(ticket.own);
        assert_eq!((read.body(), read.records()), (original.body(), original.records()));
        match (read.split(), original.split()) {
            (Ok(read), Ok(original)) => {
                assert_eq!((read.0.body(), read.1.body()), (original.0.body(), original.1.body()));
                assert_eq!((read.0.records(), read.1.records()), (original.0.records(), original.1.records()));
            }
            (Err(read), Err(original)) => assert_eq!(read.body(), original.body()),
            other => panic!("{other:?}"),
        }
        spool.settle(0, Signal::Traces, &ticket);
    }
    assert!(spool.next(0, Signal::Traces).0.unwrap().is_none());
    spool.close(Duration::ZERO).unwrap();
    assert_eq!(store::folders_in(&scratch.0), Vec::<PathBuf>::new(), "nothing is left of what is done");
}

#[test]
fn metrics_come_back_with_their_number_of_data_points() {
    use crate::encode::{MetricSeries, PointValue, Temporality};
    use vigil_core::contract::Metric;
    let mut builder = BatchBuilder::new(Signal::Metrics, Resource::new([]), EncodeOptions::default());
    let series: Vec<_> = (0..5)
        .map(|number| MetricSeries {
            metric: Metric::ToolExecutions,
            attributes: vec![],
            start: UnixNanos(1),
            time: UnixNanos(2),
            value: PointValue::Int(number),
        })
        .collect();
    builder.push_metrics(&series, Temporality::Cumulative).unwrap();
    let batch = builder.take().unwrap();
    assert_eq!(Batch::reread(Signal::Metrics, batch.body().clone()).unwrap().records(), 5);
}

#[test]
fn what_dead_processes_left_is_delivered_by_the_next_the_oldest_first() {
    let scratch = Scratch::new();
    let mut expected = Vec::new();
    for name in ["first", "second"] {
        let spool = one(&scratch);
        for number in 0..3 {
            let batch = batch(&format!("{name} {number}"), 1, 0);
            keep(&spool, &batch);
            expected.push(batch);
        }
        drop(spool);
        std::thread::sleep(Duration::from_millis(2));
    }
    let spool = one(&scratch);
    let own = batch("own", 2, 0);
    keep(&spool, &own);
    assert!(spool.look());
    assert!(!spool.look(), "there is no more of it at the second look");
    assert_eq!(spool.waiting(0), 8);
    expected.push(own);
    let (read, news) = drain(&spool);
    assert_eq!(read, bodies(&expected));
    assert!(news.missing.is_empty() && news.set_aside.is_empty());
    assert_eq!(store::folders_in(&scratch.0).len(), 1, "what was left and is delivered is gone");
}

#[test]
fn a_folder_of_a_living_process_is_left_alone() {
    let scratch = Scratch::new();
    let (one_process, another) = (one(&scratch), one(&scratch));
    keep(&one_process, &batch("a", 1, 0));
    keep(&another, &batch("b", 1, 0));
    assert!(!another.look());
    assert_eq!(drain(&another).0.len(), 1);
    assert_eq!(drain(&one_process).0.len(), 1);
}

#[test]
fn a_folder_that_was_never_finished_is_swept_away_when_it_is_old() {
    let scratch = Scratch::new();
    let hour = Duration::from_secs(3600);
    for (name, age) in [(".old", 2 * hour), (".new", Duration::ZERO)] {
        let folder = scratch.0.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(LOCK), b"").unwrap();
        File::open(&folder).unwrap().set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    one(&scratch).look();
    assert_eq!([".old", ".new"].map(|name| scratch.0.join(name).exists()), [false, true]);
}

#[test]
fn a_kill_while_a_batch_is_under_way_sends_that_one_batch_again() {
    let scratch = Scratch::new();
    let spool = one(&scratch);
    let batches: Vec<_> = (0..5).map(|number| batch(&number.to_string(), 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    for _ in 0..2 {
        let (_, ticket) = spool.next(0, Signal::Traces).0.unwrap().unwrap();
        spool.settle(0, Signal::Traces, &ticket);
    }
    spool.next(0, Signal::Traces).0.unwrap().unwrap();
    drop(spool);
    let spool = one(&scratch);
    spool.look();
    assert_eq!(drain(&spool).0, bodies(&batches[2..]));
}

#[test]
fn a_batch_that_was_given_up_does_not_come_again() {
    let scratch = Scratch::new();
    let spool = one(&scratch);
    let batches: Vec<_> = (0..3).map(|number| batch(&number.to_string(), 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    spool.next(0, Signal::Traces).0.unwrap().unwrap();
    spool.give_up(0, Signal::Traces);
    assert_eq!(drain(&spool).0, bodies(&batches[1..]));
}

#[test]
fn each_destination_has_its_own_cursor_and_the_slower_one_keeps_the_files() {
    let scratch = Scratch::new();
    let spool = Spool::new(scratch.config(), vec![party(1), None, party(2)]);
    assert_eq!([0, 1, 2, 3].map(|at| spool.serves(at)), [true, false, true, false]);
    let batches: Vec<_> = (0..4).map(|number| batch(&number.to_string(), 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    assert_eq!(drain(&spool).0.len(), 4);
    assert_eq!((spool.waiting(0), spool.waiting(1), spool.waiting(2)), (0, 0, 4));
    spool.close(Duration::ZERO).unwrap();
    drop(spool);

    // One that is not ours stays for whoever delivers there.
    let stranger = Spool::new(scratch.config(), vec![party(3)]);
    assert!(!stranger.look());
    let first = one(&scratch);
    assert!(!first.look(), "it has everything");
    let second = Spool::new(scratch.config(), vec![party(2)]);
    assert!(second.look());
    assert_eq!(drain(&second).0, bodies(&batches));
    assert_eq!(store::folders_in(&scratch.0), Vec::<PathBuf>::new());
}

#[test]
fn what_was_meant_for_anybody_can_be_readdressed() {
    let scratch = Scratch::new();
    let spool = Spool::new(scratch.config(), vec![party(1), party(2)]);
    let batches: Vec<_> = (0..4).map(|number| batch(&number.to_string(), 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    let (_, ticket) = spool.next(0, Signal::Traces).0.unwrap().unwrap();
    spool.settle(0, Signal::Traces, &ticket);
    drop(spool);
    let spool = Spool::new(SpoolConfig { adopt_all: true, ..scratch.config() }, vec![party(7)]);
    assert!(spool.look());
    assert_eq!(drain(&spool).0, bodies(&batches), "from where the slowest was");
    assert_eq!(store::folders_in(&scratch.0), Vec::<PathBuf>::new());
}

#[test]
fn a_destination_that_takes_no_events_keeps_none() {
    let scratch = Scratch::new();
    let takes_spans = Party { takes: [true, false, false], ..party(1).unwrap() };
    let spool = Spool::new(scratch.config(), vec![Some(takes_spans)]);
    keep(&spool, &event());
    assert!(scratch.files("logs").is_empty());
    keep(&spool, &batch("a", 1, 0));
    assert_eq!((drain(&spool).0.len(), spool.waiting(0)), (1, 0));
}

#[test]
fn files_cost_at_most_a_tenth_more_than_what_was_encoded_and_are_their_owners_alone() {
    let scratch = Scratch::new();
    let spool = Spool::new(scratch.config(), vec![party(1), party(2)]);
    let batches: Vec<_> = (0..200).map(|number| batch(&number.to_string(), 20, 100)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    let encoded: usize = batches.iter().map(|batch| batch.body().len()).sum();
    let on_disk = survey::bytes_in(&scratch.0);
    assert!(on_disk as f64 <= 1.01 * encoded as f64, "{on_disk} of {encoded}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&scratch.0), 0o700);
        for file in scratch.files("") {
            assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700), "{file:?}");
        }
    }
}

// === Damage ===

/// Three batches of a dead process, and where its segment is.
fn left_behind(scratch: &Scratch) -> (Vec<Batch>, PathBuf) {
    let spool = one(scratch);
    let batches: Vec<_> = (0..3).map(|number| batch(&number.to_string(), number + 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    drop(spool);
    (batches, scratch.files("traces").remove(0))
}

#[test]
fn a_segment_that_was_cut_anywhere_gives_its_whole_batches_and_no_alarm() {
    let scratch = Scratch::new();
    let (batches, path) = left_behind(&scratch);
    let whole = fs::read(&path).unwrap();
    let folder = path.parent().unwrap().to_owned();
    let cursor = fs::read(&scratch.files("cursor")[0]).unwrap();
    let cursor_path = scratch.files("cursor").remove(0);
    let mut ends = vec![START as usize];
    batches.iter().for_each(|batch| ends.push(ends.last().unwrap() + 32 + batch.body().len()));
    for length in 0..=whole.len() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(folder::LOCK), b"").unwrap();
        fs::write(&cursor_path, &cursor).unwrap();
        fs::write(&path, &whole[..length]).unwrap();
        let spool = one(&scratch);
        spool.look();
        let (read, news) = drain(&spool);
        let expected = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        assert_eq!(read, bodies(&batches[..expected]), "cut to {length}");
        assert!(news.missing.is_empty() && news.set_aside.is_empty(), "cut to {length}: {news:?}");
        spool.look();
        assert!(!folder.exists(), "cut to {length}");
    }
}

#[test]
fn any_byte_that_turned_costs_what_it_belongs_to_and_the_file_is_set_aside() {
    let scratch = Scratch::new();
    let (batches, path) = left_behind(&scratch);
    let whole = fs::read(&path).unwrap();
    let folder = path.parent().unwrap().to_owned();
    let cursor_path = scratch.files("cursor").remove(0);
    let cursor = fs::read(&cursor_path).unwrap();
    let second = START as usize + 32 + batches[0].body().len();
    for at in (0..whole.len()).step_by(3) {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(folder::LOCK), b"").unwrap();
        fs::write(&cursor_path, &cursor).unwrap();
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, damaged).unwrap();
        let spool = one(&scratch);
        spool.look();
        let (read, news) = drain(&spool);
        spool.look();
        let lost: u64 = news.missing.iter().map(|missing| missing.tally.records).sum();
        assert!(read.iter().all(|body| batches.iter().any(|batch| batch.body() == body)), "byte {at}");
        assert!(read.len() < 3, "byte {at} went unnoticed");
        if (START as usize + 32..second).contains(&at) {
            // A body: the others are read, and what it held is known.
            assert_eq!((read, lost), (bodies(&batches[1..]), 1), "byte {at}");
            assert!(news.missing.iter().all(|missing| missing.reason == LossReason::SpoolDamaged && !missing.own));
        }
        let status = spool_status(&scratch.0).unwrap();
        assert_eq!(status.set_aside.len(), 1, "byte {at}");
        assert!(!folder.exists(), "byte {at}");
        fs::remove_dir_all(scratch.0.join(SET_ASIDE)).unwrap();
    }
    let losses = spool_status(&scratch.0).unwrap().losses;
    assert!(losses.iter().all(|loss| loss.reason == "spool_damaged" && loss.destination == "backend 1"));
    assert!(!losses.is_empty());
}

#[test]
fn damage_under_way_is_counted_to_the_record() {
    let scratch = Scratch::new();
    let spool = one(&scratch);
    let batches: Vec<_> = (0..3).map(|number| batch(&number.to_string(), number + 1, 0)).collect();
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    let path = scratch.files("traces").remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let second = START as usize + 32 + batches[0].body().len();
    bytes[second] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (read, news) = drain(&spool);
    assert_eq!(read, bodies(&batches[..1]));
    assert_eq!(news.missing.len(), 1);
    let missing = news.missing[0];
    assert_eq!((missing.tally.records, missing.tally.batches, missing.own), (5, 2, true));
    let next = batch("next", 1, 0);
    keep(&spool, &next);
    assert_eq!(drain(&spool).0, bodies(&[next]), "what comes later goes into another file");
}

#[test]
fn a_cursor_whose_last_write_was_cut_short_stands_where_it_was_before() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    let path = scratch.0.join(cursor::Cursor::file_name(DestinationId(5)));
    let long_name = "ä".repeat(150);
    let mut cursor = cursor::Cursor::create(&scratch.0, DestinationId(5), &long_name).unwrap();
    let place = |offset| cursor::Place { segment: 1, offset };
    cursor.places = [place(10), place(20), place(30)];
    cursor.persist().unwrap();
    let before = fs::read(&path).unwrap();
    cursor.places = [place(11), place(21), place(31)];
    cursor.persist().unwrap();
    let after = fs::read(&path).unwrap();
    for written in 0..=before.len() {
        fs::write(&path, [&after[..written], &before[written..]].concat()).unwrap();
        let read = cursor::Cursor::open(&path, false).unwrap();
        let complete = written >= after.len() || after[written..] == before[written..];
        assert_eq!(read.places[0].offset, if complete { 11 } else { 10 }, "{written} bytes");
        assert_eq!((read.id, &*read.name), (DestinationId(5), &*"ä".repeat(100)));
    }
    fs::write(&path, &after[..511]).unwrap();
    assert!(cursor::Cursor::open(&path, false).is_err());
}

#[test]
fn a_folder_that_is_deleted_under_way_costs_what_was_in_it_and_comes_back() {
    let scratch = Scratch::new();
    let spool = one(&scratch);
    (0..3).for_each(|_| drop(keep(&spool, &batch("lost", 2, 0))));
    fs::remove_dir_all(&scratch.0).unwrap();
    let kept = batch("kept", 1, 0);
    let news = keep(&spool, &kept);
    assert_eq!(news.missing.len(), 1);
    let missing = news.missing[0];
    assert_eq!((missing.tally.records, missing.tally.batches, missing.own), (6, 3, true));
    assert_eq!(drain(&spool).0, bodies(&[kept]));
    keep(&spool, &batch("lost", 4, 0));
    fs::remove_dir_all(&scratch.0).unwrap();
    let news = spool.close(Duration::ZERO).unwrap();
    assert_eq!(news.missing.iter().map(|missing| missing.tally.records).sum::<u64>(), 4, "nobody claims it is there");
}

#[test]
fn a_spool_that_cannot_be_made_is_tried_again_with_every_batch() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, b"in the way").unwrap();
    let spool = one(&scratch);
    for _ in 0..3 {
        assert!(spool.append(&batch("a", 1, 0)).0.is_err());
    }
    fs::remove_file(&scratch.0).unwrap();
    keep(&spool, &batch("b", 1, 0));
    assert_eq!(drain(&spool).0.len(), 1);
}

// === Bounds ===

#[test]
fn a_full_spool_lets_the_oldest_go_counts_it_and_writes_it_down() {
    let scratch = Scratch::new();
    let size = 64 << 10;
    let spool = Spool::new(SpoolConfig { max_bytes: size, ..scratch.config() }, vec![party(1), party(2)]);
    let batches: Vec<_> = (0..100).map(|number| batch(&format!("{number:03}"), 2, 1000)).collect();
    let mut missing = [0u64; 2];
    for batch in &batches {
        for gone in keep(&spool, batch).missing {
            assert_eq!(gone.reason, LossReason::SpoolFull);
            missing[gone.party] += gone.tally.records;
        }
        assert!(survey::bytes_in(&scratch.0) <= size);
    }
    let waiting = spool.waiting(0);
    assert_eq!([waiting + missing[0], spool.waiting(1) + missing[1]], [200, 200]);
    assert!(waiting > 20, "{waiting}");
    let (read, _) = drain(&spool);
    assert_eq!(read, bodies(&batches[100 - read.len()..]), "the recent past is what is kept");
    let status = spool_status(&scratch.0).unwrap();
    let written: u64 =
        status.losses.iter().filter(|loss| loss.destination == "backend 1").map(|loss| loss.records).sum();
    assert_eq!(written, missing[0]);
}

#[test]
fn a_batch_under_way_survives_the_eviction_of_its_segment() {
    let scratch = Scratch::new();
    let spool = Spool::new(SpoolConfig { max_bytes: 40 << 10, ..scratch.config() }, vec![party(1)]);
    keep(&spool, &batch("in hand", 1, 1000));
    let (_, ticket) = spool.next(0, Signal::Traces).0.unwrap().unwrap();
    let mut gone = 0;
    let mut recorded = 1;
    while gone < 30 {
        let news = keep(&spool, &batch("more", 1, 1000));
        gone += news.missing.iter().map(|missing| missing.tally.records).sum::<u64>();
        recorded += 1;
    }
    spool.settle(0, Signal::Traces, &ticket);
    assert_eq!(1 + gone + spool.waiting(0), recorded, "delivered, evicted and waiting make up all of it");
    assert_eq!(drain(&spool).0.len() as u64, recorded - gone - 1);
}

#[test]
fn what_dead_processes_left_gives_way_first_whoever_it_was_for() {
    let scratch = Scratch::new();
    let config = SpoolConfig { max_bytes: 64 << 10, ..scratch.config() };
    let stranger = Spool::new(config.clone(), vec![party(9)]);
    (0..20).for_each(|_| drop(keep(&stranger, &batch("old", 1, 1500))));
    drop(stranger);
    let spool = Spool::new(config, vec![party(1)]);
    let mut own_gone = 0;
    for _ in 0..30 {
        own_gone += keep(&spool, &batch("new", 1, 1500)).missing.len();
    }
    assert_eq!(own_gone, 0);
    assert_eq!(spool.waiting(0), 30);
    let status = spool_status(&scratch.0).unwrap();
    assert!(status.bytes <= 64 << 10);
    assert!(status.losses.iter().all(|loss| loss.destination == "backend 9"), "{:?}", status.losses);
}

#[test]
fn delivered_segments_are_deleted_as_they_go() {
    let scratch = Scratch::new();
    let spool = Spool::new(SpoolConfig { max_bytes: 80 << 10, ..scratch.config() }, vec![party(1)]);
    for _ in 0..50 {
        assert!(keep(&spool, &batch("a", 1, 2000)).missing.is_empty());
        assert_eq!(drain(&spool).0.len(), 1);
    }
    assert!(scratch.files("traces").len() <= 2);
}

// === Looking from outside ===

#[test]
fn a_look_from_outside_says_what_waits_and_takes_nothing() {
    let scratch = Scratch::new();
    assert_eq!(spool_status(&scratch.0).unwrap(), SpoolStatus::default(), "none is an empty one");
    let spool = one(&scratch);
    let batches = [batch("a", 2, 0), batch("b", 3, 0)];
    batches.iter().for_each(|batch| drop(keep(&spool, batch)));
    keep(&spool, &event());
    let (_, ticket) = spool.next(0, Signal::Traces).0.unwrap().unwrap();
    spool.settle(0, Signal::Traces, &ticket);
    for live in [true, false] {
        if !live {
            spool.close(Duration::ZERO).unwrap();
        }
        let status = spool_status(&scratch.0).unwrap();
        assert_eq!((status.live_processes, status.dead_processes), (usize::from(live), usize::from(!live)));
        assert_eq!(status.waiting.len(), 1);
        assert_eq!((&*status.waiting[0].destination, status.waiting[0].records), ("backend 1", [3, 1, 0]));
        assert!(status.waiting[0].oldest_unix_ns.is_some());
        let mut seen = Vec::new();
        let unreadable = spool_batches(&scratch.0, |batch| {
            seen.push((batch.signal(), batch.records()));
            Ok(())
        });
        assert_eq!(unreadable.unwrap(), 0);
        assert_eq!(seen, [(Signal::Traces, 3), (Signal::Logs, 1)]);
    }
}

#[test]
fn losses_are_kept_in_two_files_of_bounded_size() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    for number in 0..20_000 {
        ledger::note(&scratch.0, number, "a\tbackend", Signal::Logs, LossReason::SpoolFull, 1);
    }
    let losses = ledger::read(&scratch.0);
    assert!(losses.len() > 4000 && losses.len() < 20_000, "{}", losses.len());
    assert_eq!(losses.last().unwrap().unix_ms, 19_999);
    assert_eq!(losses[0].destination, "a backend");
    let sizes: u64 = fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(sizes < 600 << 10, "{sizes}");
}

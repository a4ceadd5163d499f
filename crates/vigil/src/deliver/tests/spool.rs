//! Delivery through a spool: what outlives the process, and that nobody waits for it.

use super::*;
use crate::deliver::destination::Destination;
use crate::deliver::queue::Queue;
use crate::deliver::{SpoolConfig, spool_status};
use std::path::PathBuf;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-deliver-spool-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }

    fn start(&self, config: SignalConfig) -> (Delivery, Told) {
        self.start_with(vec![traces_only(config)])
    }

    fn start_with(&self, destinations: Vec<DestinationConfig>) -> (Delivery, Told) {
        let told = Told::default();
        (Delivery::start_with(destinations, Some(SpoolConfig::new(&self.0)), told.diagnostics()), told)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Waits until `done`.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_empty(scratch: &Scratch) -> bool {
    let status = spool_status(&scratch.0).unwrap();
    status.live_processes + status.dead_processes == 0
}

#[test]
fn a_collector_that_is_well_gets_everything_and_nothing_is_left() {
    let scratch = Scratch::new("well");
    let server = HttpServer::start(vec![], OK);
    let (delivery, told) = scratch.start(http(&server.url()));
    let batches = [spans(3, 10), spans(4, 10)];
    batches.iter().for_each(|batch| delivery.offer(batch.clone()));
    assert!(delivery.flush(LONG));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.spooled), ((7, 7, vec![]), 0));
    let received = server.received();
    assert_eq!(
        received.iter().map(|one| &one.body[..]).collect::<Vec<_>>(),
        batches.each_ref().map(|one| &one.body()[..])
    );
    assert_eq!(told.lines(), Vec::<String>::new());
    assert!(is_empty(&scratch));
}

#[test]
fn b6_exit_waits_for_nobody_and_the_next_process_delivers_what_was_left() {
    let dead = [Reply::Hang, Reply::Garbage, Reply::CloseWithoutAnswer, Reply::CloseMidBody, status(503)];
    let busy = Reply::Status(429, vec![("retry-after", "30")], vec![]);
    for (number, reply) in dead.into_iter().chain([busy]).enumerate() {
        let scratch = Scratch::new(&format!("exit-{number}"));
        // The same address for both: what was meant for one is delivered to no other.
        let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{vacant}");
        {
            let server = HttpServer::start_at(vacant, vec![], reply.clone());
            let (delivery, _) = scratch.start(http(&url));
            (0..3).for_each(|_| delivery.offer(spans(7, 10)));
            let before = Instant::now();
            let receipt = finish(&delivery, LONG);
            let took = before.elapsed();
            assert!(took < Duration::from_millis(60), "{reply:?} took {took:?}");
            assert_eq!((counts(&receipt), receipt.spooled), ((21, 0, vec![]), 21), "{reply:?}");
            assert!(receipt.is_kept() && receipt.pending() == 0);
            server.stop();
        }
        let server = HttpServer::start_at(vacant, vec![], OK);
        let (delivery, _) = scratch.start(http(&url));
        until("what was left arrives", || server.received().len() == 3);
        until("it is settled", || delivery.waiting_in_spool() == 0);
        let receipt = finish(&delivery, LONG);
        assert_eq!((receipt.recorded, receipt.left_behind.delivered), (0, 21));
        assert!(is_empty(&scratch));
        server.stop();
    }
}

#[test]
fn a_collector_that_comes_back_gets_everything_in_the_order_of_time() {
    let scratch = Scratch::new("back");
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = traces_only(http(&format!("http://{vacant}")));
    // The queue in memory could hold next to nothing of it.
    config.queue_bytes = 10_000;
    let (delivery, told) = scratch.start_with(vec![config]);
    let batches: Vec<_> = (1..=200).map(|number| spans(number % 7 + 1, 300)).collect();
    let recorded: u64 = batches.iter().map(|batch| u64::from(batch.records())).sum();
    batches.iter().for_each(|batch| delivery.offer(batch.clone()));
    until("the trouble is told", || !told.lines().is_empty());
    let server = HttpServer::start_at(vacant, vec![], OK);
    assert!(delivery.flush(LONG));
    let received = server.received();
    assert!(received.iter().map(|one| &one.body[..]).eq(batches.iter().map(|batch| &batch.body()[..])));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.spooled), ((recorded, recorded, vec![]), 0));
}

#[test]
fn what_is_refused_for_good_is_lost_and_does_not_come_again() {
    let scratch = Scratch::new("refused");
    let server = HttpServer::start(vec![status(400), OK, status(401)], OK);
    let (delivery, _) = scratch.start(http(&server.url()));
    for count in [1, 2, 4, 8] {
        delivery.offer(spans(count, 10));
        delivery.flush(LONG);
    }
    let lost = vec![(LossReason::Rejected, 1), (LossReason::Unauthorized, 4)];
    assert_eq!(counts(&finish(&delivery, LONG)), (15, 10, lost));
    assert!(is_empty(&scratch));
}

#[test]
fn half_of_a_split_batch_that_arrived_is_not_counted_twice() {
    let scratch = Scratch::new("split");
    let server = HttpServer::start(vec![status(413), OK, Reply::Hang], Reply::Hang);
    let (delivery, _) = scratch.start(http(&server.url()));
    delivery.offer(spans(8, 10));
    until("half of it is there", || server.received().len() == 3);
    let receipt = finish(&delivery, LONG);
    assert_eq!((receipt.recorded, receipt.delivered, receipt.spooled), (8, 4, 4));
}

#[test]
fn a_spool_that_cannot_be_written_leaves_delivery_as_it_is_without_one() {
    let scratch = Scratch::new("broken");
    std::fs::write(&scratch.0, b"in the way").unwrap();
    let server = HttpServer::start(vec![], OK);
    let (delivery, told) = scratch.start(http(&server.url()));
    delivery.offer(spans(2, 10));
    assert!(delivery.flush(LONG));
    std::fs::remove_file(&scratch.0).unwrap();
    delivery.offer(spans(3, 10));
    assert!(delivery.flush(LONG));
    assert_eq!(counts(&finish(&delivery, LONG)), (5, 5, vec![]));
    let told = told.lines();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("the spool cannot be written, records wait in memory: "), "{told:?}");
    assert_eq!(told[1], "the spool can be written again");
}

#[test]
fn what_waited_in_memory_goes_into_the_spool_when_it_can_be_written_again() {
    let scratch = Scratch::new("home");
    std::fs::write(&scratch.0, b"in the way").unwrap();
    let server = HttpServer::start(vec![], Reply::Hang);
    let (delivery, _) = scratch.start(http(&server.url()));
    (0..4).for_each(|_| delivery.offer(spans(2, 10)));
    until("one is under way", || server.received().len() == 1);
    std::fs::remove_file(&scratch.0).unwrap();
    delivery.offer(spans(3, 10));
    let receipt = finish(&delivery, LONG);
    // The one that was under way never was in the spool.
    assert_eq!((counts(&receipt), receipt.spooled), ((11, 0, vec![(LossReason::Deadline, 2)]), 9));
    assert_eq!(spool_status(&scratch.0).unwrap().waiting[0].records, [9, 0, 0]);
}

#[test]
fn a_folder_deleted_under_way_costs_what_was_under_way_too() {
    let scratch = Scratch::new("deleted-in-hand");
    let server = HttpServer::start(vec![], Reply::Hang);
    let (delivery, _) = scratch.start(http(&server.url()));
    (0..2).for_each(|_| delivery.offer(spans(2, 10)));
    until("one is under way", || server.received().len() == 1);
    std::fs::remove_dir_all(&scratch.0).unwrap();
    delivery.offer(spans(3, 10));
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.spooled), ((7, 0, vec![(LossReason::SpoolDamaged, 4)]), 3));
    assert_eq!(spool_status(&scratch.0).unwrap().waiting[0].records, [3, 0, 0]);
}

#[test]
fn a_folder_deleted_before_the_end_is_not_claimed_to_hold_anything() {
    let scratch = Scratch::new("deleted");
    let server = HttpServer::start(vec![], status(503));
    let (delivery, _) = scratch.start(http(&server.url()));
    (0..3).for_each(|_| delivery.offer(spans(1, 10)));
    until("it was tried", || !server.received().is_empty() && delivery.waiting_in_spool() == 3);
    std::fs::remove_dir_all(&scratch.0).unwrap();
    let receipt = finish(&delivery, LONG);
    // The batch under way is in nobody's file any more, nor delivered.
    assert_eq!((receipt.recorded, receipt.delivered, receipt.spooled), (3, 0, 0), "{receipt}");
}

#[test]
fn what_arrived_of_a_batch_is_not_lost_with_its_folder() {
    let scratch = Scratch::new("deleted-half");
    let server = HttpServer::start(vec![status(413), OK], Reply::Hang);
    let (delivery, _) = scratch.start(http(&server.url()));
    delivery.offer(spans(4, 10));
    until("half of it arrived", || server.received().len() == 3);
    std::fs::remove_dir_all(&scratch.0).unwrap();
    let receipt = finish(&delivery, LONG);
    assert_eq!((counts(&receipt), receipt.spooled), ((4, 2, vec![(LossReason::SpoolDamaged, 2)]), 0), "{receipt}");
}

#[test]
fn a_batch_on_its_way_into_the_spool_when_the_books_close_is_not_claimed_to_be_there() {
    let (queue, diagnostics) = (Queue::new(1 << 20, [None; 3]), Told::default().diagnostics());
    let progress = tokio::sync::watch::Sender::new(0);
    let destination = Destination::new("one".to_owned(), [true; 3], queue, diagnostics, progress, Default::default());
    destination.offer(spans(3, 10));
    let moved = destination.move_to_spool(|_| {
        destination.close(LossReason::Deadline, LossReason::Closed);
        false
    });
    let receipt = destination.receipt().receipt.traces;
    assert_eq!(
        (moved, counts(&receipt), receipt.spooled),
        (false, (3, 0, vec![(LossReason::Closed, 3)]), 0),
        "{receipt}"
    );
}

#[test]
fn what_comes_after_the_folder_was_deleted_is_claimed_where_it_is() {
    let scratch = Scratch::new("deleted-between");
    let server = HttpServer::start(vec![], status(503));
    let (delivery, _) = scratch.start(http(&server.url()));
    delivery.offer(spans(1, 10));
    until("it was tried", || !server.received().is_empty() && delivery.waiting_in_spool() == 1);
    std::fs::remove_dir_all(&scratch.0).unwrap();
    (0..20).for_each(|_| delivery.offer(spans(1, 10)));
    let receipt = finish(&delivery, LONG);
    let there: u64 = spool_status(&scratch.0).unwrap().waiting.iter().map(|one| one.records[0]).sum();
    assert_eq!((receipt.recorded, receipt.delivered, receipt.spooled), (21, 0, there), "{receipt}");
}

#[test]
fn several_destinations_have_each_their_own_fate() {
    let scratch = Scratch::new("several");
    let (alive, dead) = (HttpServer::start(vec![], OK), HttpServer::start(vec![], Reply::Hang));
    let memory = MemoryDestination::new();
    let named = |name: &str, url: &str| DestinationConfig { name: name.to_owned(), ..traces_only(http(url)) };
    let (delivery, _) = scratch.start_with(vec![
        named("alive", &alive.url()),
        DestinationConfig::new("memory", Target::Memory(memory.clone())),
        named("dead", &dead.url()),
    ]);
    (0..5).for_each(|_| delivery.offer(spans(2, 10)));
    until("the living have it", || alive.received().len() == 5 && memory.batches().len() == 5);
    until("it is settled", || delivery.waiting_in_spool() == 10);
    let receipts = delivery.shutdown(LONG);
    let all = receipts.iter().map(|one| (one.receipt.traces.delivered, one.receipt.traces.spooled));
    assert_eq!(all.collect::<Vec<_>>(), [(10, 0), (10, 0), (0, 10)]);
    let waiting = spool_status(&scratch.0).unwrap().waiting;
    let waiting: Vec<_> = waiting.iter().map(|one| (&*one.destination, one.records[0])).collect();
    assert_eq!(waiting, [("alive", 0), ("dead", 10)]);
}

#[test]
fn another_key_is_another_destination_and_no_key_is_on_the_disk() {
    let scratch = Scratch::new("keys");
    let server = HttpServer::start(vec![], status(503));
    let with_key = |key: &str| {
        let mut config = http(&server.url());
        config.headers.set("authorization", key).unwrap();
        config
    };
    let (delivery, _) = scratch.start(with_key("Bearer hidden-one"));
    delivery.offer(spans(1, 10));
    assert_eq!(finish(&delivery, LONG).spooled, 1);
    let (delivery, _) = scratch.start(with_key("Bearer hidden-two"));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(delivery.waiting_in_spool(), 0);
    drop(delivery);
    for entry in std::fs::read_dir(&scratch.0).unwrap().flatten() {
        for file in std::fs::read_dir(entry.path()).unwrap().flatten() {
            let bytes = std::fs::read(file.path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"hidden"), "{:?}", file.path());
        }
    }
    let (delivery, _) = scratch.start(with_key("Bearer hidden-one"));
    until("it is found again", || delivery.waiting_in_spool() == 1);
}

// === A process that is killed ===

const KILLED: &str = "VIGIL_TEST_KILLED_IN";

/// Not a test of its own: what the one below starts and kills. Says how many batches were offered, and goes on.
#[test]
fn in_a_process_that_is_killed() {
    let Some(directory) = std::env::var_os(KILLED) else { return };
    let config = traces_only(http(&format!("http://{}", vacant())));
    let delivery = Delivery::start_with(vec![config], Some(SpoolConfig::new(directory)), quiet());
    let batch = spans(5, 300);
    for offered in 1u32.. {
        delivery.offer(batch.clone());
        // One write of four bytes to a pipe is whole or not at all.
        std::io::Write::write_all(&mut std::io::stderr(), &offered.to_le_bytes()).unwrap();
    }
}

fn vacant() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_process_killed_at_any_moment_has_lost_no_batch_it_had_offered() {
    use std::io::Read;
    for round in 0..10u64 {
        let scratch = Scratch::new(&format!("killed-{round}"));
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "deliver::tests::spool::in_a_process_that_is_killed", "--nocapture"])
            .env(KILLED, &scratch.0)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stderr.take().unwrap();
        let mut offered = [0; 4];
        pipe.read_exact(&mut offered).unwrap();
        std::thread::sleep(Duration::from_micros(round * 3_700));
        child.kill().unwrap();
        while pipe.read_exact(&mut offered).is_ok() {}
        child.wait().unwrap();
        let offered = u64::from(u32::from_le_bytes(offered));
        let mut found = 0;
        let unreadable = crate::deliver::spool_batches(&scratch.0, |batch| {
            assert_eq!(batch.records(), 5);
            found += 1;
            Ok(())
        });
        assert_eq!(unreadable.unwrap(), 0);
        assert!(found == offered || found == offered + 1, "{found} of {offered} in round {round}");
        let status = spool_status(&scratch.0).unwrap();
        assert_eq!((status.live_processes, status.dead_processes), (0, 1));
    }
}

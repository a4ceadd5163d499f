//! The end: deadlines that hold, whatever runtime surrounds us and whatever the network does.

use super::*;

/// Shuts down within 300 ms, checks that it did, and hands back the receipt.
fn finish_in_time(delivery: &Delivery) -> SignalReceipt {
    let before = Instant::now();
    let receipt = finish(delivery, Duration::from_millis(300));
    let took = before.elapsed();
    assert!(took < Duration::from_millis(400), "took {took:?}");
    receipt
}

#[test]
fn the_deadline_holds_against_every_kind_of_bad_collector() {
    for reply in [Reply::Hang, Reply::Garbage, Reply::CloseWithoutAnswer, Reply::CloseMidBody, status(503)] {
        let server = HttpServer::start(vec![], reply.clone());
        let (delivery, told) = start(http(&server.url()));
        (0..3).for_each(|_| delivery.offer(spans(7, 10)));
        let receipt = finish_in_time(&delivery);
        assert_eq!(counts(&receipt), (21, 0, vec![(LossReason::Deadline, 21)]), "{reply:?}");
        let last = told.lines().pop().unwrap();
        assert!(last.starts_with("21 records of traces for backend are lost (deadline)"), "{last}");
    }
}

#[test]
fn nobody_waits_for_a_destination_that_asked_for_more_time_than_there_is() {
    let server = HttpServer::start(vec![], Reply::Status(429, vec![("retry-after", "30")], vec![]));
    let (delivery, _) = start(http(&server.url()));
    (0..5).for_each(|_| delivery.offer(spans(1, 10)));
    let before = Instant::now();
    let receipt = finish(&delivery, LONG);
    assert!(before.elapsed() < Duration::from_secs(2));
    assert_eq!(counts(&receipt), (5, 0, vec![(LossReason::Deadline, 5)]));
    assert_eq!(server.received().len(), 1, "and it is left alone");
}

#[test]
fn what_comes_after_the_shutdown_is_counted_too() {
    let server = HttpServer::start(vec![], OK);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    finish(&delivery, LONG);
    delivery.offer(spans(2, 10));
    delivery.lost(Signal::Traces, LossReason::BufferFull, 4);
    let before = Instant::now();
    let lost = vec![(LossReason::BufferFull, 4), (LossReason::Closed, 2)];
    assert_eq!(counts(&finish(&delivery, LONG)), (7, 1, lost));
    assert!(!delivery.flush(LONG));
    assert!(before.elapsed() < Duration::from_secs(1), "a second shutdown has nothing to wait for");
}

#[test]
fn dropping_without_a_shutdown_neither_hangs_nor_hides_the_loss() {
    let server = HttpServer::start(vec![], Reply::Hang);
    let (delivery, told) = start(http(&server.url()));
    delivery.offer(spans(3, 10));
    let before = Instant::now();
    drop(delivery);
    assert!(before.elapsed() < Duration::from_millis(100));
    assert_eq!(told.lines(), ["3 records of traces for backend are lost (deadline)"]);
}

#[test]
fn without_a_destination_there_is_nothing_to_do() {
    let delivery = Delivery::start(vec![], quiet());
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG));
    assert_eq!(delivery.shutdown(LONG), []);
}

#[test]
fn absurd_deadlines_are_fine() {
    let server = HttpServer::start(vec![], OK);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(Duration::MAX));
    delivery.offer(spans(1, 10));
    assert_eq!(finish(&delivery, Duration::MAX).delivered, 2);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    let receipt = finish(&delivery, Duration::ZERO);
    assert_eq!(receipt.recorded, 1);
}

#[test]
fn a_panic_costs_the_batch_in_hand_and_nothing_else() {
    let memory = MemoryDestination::new();
    let told = Told::default();
    let config = DestinationConfig::new("memory", Target::Memory(memory.clone()));
    let delivery = Delivery::start(vec![config], told.diagnostics());
    memory.panic_next();
    delivery.offer(spans(3, 10));
    assert!(!delivery.flush(LONG));
    delivery.offer(spans(5, 10));
    assert!(delivery.flush(LONG));
    assert_eq!(counts(&finish(&delivery, LONG)), (8, 5, vec![(LossReason::Internal, 3)]));
    let line = "3 records of traces for memory are lost (internal): a defect in delivery was caught";
    assert_eq!(told.lines(), [line]);
}

#[test]
fn a_diagnostic_callback_that_panics_harms_nobody() {
    let server = HttpServer::start(vec![status(400)], OK);
    let delivery = Delivery::start(vec![traces_only(http(&server.url()))], Arc::new(|_| panic!("in the callback")));
    delivery.offer(spans(1, 10));
    delivery.offer(spans(2, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (3, 2, vec![(LossReason::Rejected, 1)]));
}

#[test]
fn the_thread_that_delivers_knows_that_it_does() {
    let server = HttpServer::start(vec![status(400)], OK);
    let (sender, receiver) = std::sync::mpsc::channel();
    let diagnostics: Diagnostics = Arc::new(move |_| sender.send(is_delivery_thread()).unwrap());
    let delivery = Delivery::start(vec![traces_only(http(&server.url()))], diagnostics);
    delivery.offer(spans(1, 10));
    assert!(receiver.recv().unwrap());
    assert!(!is_delivery_thread());
}

// === Around us, any runtime or none ===

/// Delivers, flushes and stops with blocking calls.
fn whole_life() {
    let server = HttpServer::start(vec![status(503)], OK);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG));
    delivery.offer(spans(1, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (2, 2, vec![]));
}

#[test]
fn it_works_without_a_runtime() {
    whole_life();
}

#[tokio::test(flavor = "current_thread")]
async fn it_works_on_a_current_thread_runtime_even_blocking() {
    whole_life();
    tokio::spawn(async { whole_life() }).await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn flush_and_shutdown_can_be_awaited() {
    let server = HttpServer::start(vec![status(503)], OK);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert!(delivery.flush_async(LONG).await);
    delivery.offer(spans(1, 10));
    let receipts = tokio::spawn(delivery.shutdown_async(LONG)).await.unwrap();
    assert_eq!(counts(&receipts[0].receipt.traces), (2, 2, vec![]));

    let server = HttpServer::start(vec![], Reply::Hang);
    let (delivery, _) = start(http(&server.url()));
    delivery.offer(spans(1, 10));
    assert!(!delivery.flush_async(Duration::from_millis(50)).await);
    let before = Instant::now();
    let receipts = delivery.shutdown_async(Duration::from_millis(300)).await;
    assert!(before.elapsed() < Duration::from_millis(400));
    assert_eq!(counts(&receipts[0].receipt.traces), (1, 0, vec![(LossReason::Deadline, 1)]));
}

#[test]
fn a_runtime_that_ends_first_takes_nothing_along() {
    let server = HttpServer::start(vec![], OK);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (delivery, _) = runtime.block_on(async { start(http(&server.url())) });
    delivery.offer(spans(1, 10));
    drop(runtime);
    delivery.offer(spans(1, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (2, 2, vec![]));
}

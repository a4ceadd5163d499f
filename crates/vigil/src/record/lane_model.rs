use super::appending::appending;
use super::*;

fn explore(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(work);
}

#[test]
fn everything_appended_is_read_once_in_order_over_chunks_that_come_back() {
    explore(|| {
        let (mut producer, mut consumer) = appending(1, 1 << 20);
        let thread = loom::thread::spawn(move || {
            for byte in 0..4_u8 {
                producer.append(&[byte, byte], false).unwrap();
            }
        });
        let mut seen = Vec::new();
        consumer.drain(|bytes| seen.extend_from_slice(bytes));
        // The model's chunks come back when they are settled, as those of a record file do.
        consumer.settle();
        thread.join().unwrap();
        while consumer.drain(|bytes| seen.extend_from_slice(bytes)) {
            consumer.settle();
        }
        assert_eq!(seen, [0, 0, 1, 1, 2, 2, 3, 3]);
    });
}

#[test]
fn a_consumer_that_goes_first_leaves_nothing_behind() {
    explore(|| {
        let (mut producer, mut consumer) = appending(1, 1 << 20);
        let thread = loom::thread::spawn(move || {
            for byte in 0..3_u8 {
                // Refused once the consumer is gone and the chunk is full.
                producer.append(&[byte], false).ok();
            }
        });
        consumer.drain(|_| {});
        drop(consumer);
        thread.join().unwrap();
    });
}

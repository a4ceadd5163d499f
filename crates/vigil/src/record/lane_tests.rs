use super::appending::appending;
use super::*;

#[test]
fn records_of_two_threads_arrive_whole_and_in_order() {
    let (mut producer, mut consumer) = appending(1, 64 << 20);
    let count: u32 = if cfg!(miri) { 300 } else { 300_000 };
    let thread = std::thread::spawn(move || {
        for number in 0..count {
            let filler = [number as u8; 97];
            producer.append(&[&number.to_le_bytes()[..], &filler[..(number % 97) as usize]].concat(), false).unwrap();
        }
    });
    let mut expected = 0_u32;
    let mut open = true;
    while open {
        open = consumer.drain(|mut bytes| {
            while !bytes.is_empty() {
                let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
                let len = (number % 97) as usize;
                assert_eq!(number, expected);
                assert!(bytes[4..4 + len].iter().all(|byte| *byte == number as u8));
                bytes = &bytes[4 + len..];
                expected += 1;
            }
        });
    }
    thread.join().unwrap();
    assert_eq!(expected, count);
}

#[test]
fn a_full_lane_refuses_and_takes_again_once_it_was_read() {
    let (mut producer, mut consumer) = appending(1, 2 * CHUNK_BYTES);
    let record = vec![7; 1000];
    let mut taken = 0;
    while producer.append(&record, false).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 2 * (CHUNK_BYTES / 1000));
    assert_eq!(producer.append(&record, true), Ok(Appended::Here));
    let mut read = 0;
    consumer.drain(|bytes| read += bytes.len());
    assert_eq!(read, (taken + 1) * 1000);
    (0..100).for_each(|_| assert!(producer.append(&record, false).is_ok()));
}

#[test]
fn a_record_larger_than_a_chunk_gets_its_own_and_gives_it_back() {
    let (mut producer, mut consumer) = appending(1, 16 << 20);
    for _ in 0..50 {
        let record = vec![1; 3 * CHUNK_BYTES];
        producer.append(&record, false).unwrap();
        producer.append(&[2], false).unwrap();
        let mut read = 0;
        consumer.drain(|bytes| read += bytes.len());
        assert_eq!(read, 3 * CHUNK_BYTES + 1);
    }
    assert!(consumer.shared.held.load(Ordering::Relaxed) < 8 * CHUNK_BYTES);
}

#[test]
fn a_producer_that_keeps_ahead_does_not_keep_the_consumer() {
    let (mut producer, mut consumer) = appending(1, 64 << 20);
    let record = [7; 1000];
    producer.append(&record, false).unwrap();
    let mut read = 0;
    // Each reading makes the producer append more than was read.
    let open = consumer.drain(|bytes| {
        read += bytes.len();
        for _ in 0..=bytes.len() / record.len() + CHUNK_BYTES / record.len() {
            producer.append(&record, false).unwrap();
        }
    });
    assert!(open && read < 4 * CHUNK_BYTES, "{read}");
}

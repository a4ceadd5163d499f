//! Destinations without a network: a directory and memory.

use super::*;
use std::path::{Path, PathBuf};

/// A directory that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigil-deliver-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn directory(path: &Path) -> (Delivery, Told) {
    let told = Told::default();
    let config = DestinationConfig::new("files", Target::Directory(path.to_owned()));
    (Delivery::start(vec![config], told.diagnostics()), told)
}

#[test]
fn a_directory_gets_one_line_a_batch_in_a_file_a_signal() {
    let scratch = Scratch::new("lines");
    let path = scratch.0.join("made/when/needed");
    let (delivery, told) = directory(&path);
    assert!(!path.exists(), "not before something is written");
    let batches = [spans(2, 10), spans(3, 10)];
    batches.iter().for_each(|batch| delivery.offer(batch.clone()));
    delivery.offer(event());
    assert_eq!(counts(&finish(&delivery, LONG)), (5, 5, vec![]));
    let text = std::fs::read_to_string(path.join("traces.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    for (line, batch) in text.lines().zip(&batches) {
        let read: TracesData = serde_json::from_str(line).unwrap();
        assert_eq!(read, TracesData::decode(batch.body().clone()).unwrap());
    }
    assert_eq!(std::fs::read_to_string(path.join("logs.jsonl")).unwrap().lines().count(), 1);
    assert!(!path.join("metrics.jsonl").exists());
    assert_eq!(told.lines(), Vec::<String>::new());

    let (delivery, _) = directory(&path);
    delivery.offer(spans(1, 10));
    finish(&delivery, LONG);
    assert_eq!(std::fs::read_to_string(path.join("traces.jsonl")).unwrap().lines().count(), 3, "appended");
}

#[test]
fn a_directory_that_is_deleted_under_way_comes_back() {
    let scratch = Scratch::new("deleted");
    let (delivery, _) = directory(&scratch.0);
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG));
    std::fs::remove_dir_all(&scratch.0).unwrap();
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG));
    assert_eq!(std::fs::read_to_string(scratch.0.join("traces.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn what_cannot_be_written_is_lost_with_one_warning_and_writing_resumes() {
    let scratch = Scratch::new("blocked");
    std::fs::create_dir_all(&scratch.0).unwrap();
    let path = scratch.0.join("occupied");
    std::fs::write(&path, "a file where the directory should be").unwrap();
    let (delivery, told) = directory(&path);
    (0..3).for_each(|_| delivery.offer(spans(2, 10)));
    assert!(!delivery.flush(LONG));
    std::fs::remove_file(&path).unwrap();
    delivery.offer(spans(1, 10));
    assert!(delivery.flush(LONG));
    assert_eq!(counts(&finish(&delivery, LONG)), (7, 1, vec![(LossReason::Io, 6)]));
    let told = told.lines();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("2 records of traces for files are lost (io): writing failed: "), "{told:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_telemetry_only() {
    let scratch = Scratch::new("full");
    std::fs::create_dir_all(&scratch.0).unwrap();
    std::os::unix::fs::symlink("/dev/full", scratch.0.join("traces.jsonl")).unwrap();
    let (delivery, told) = directory(&scratch.0);
    delivery.offer(spans(2, 10));
    assert!(!delivery.flush(LONG));
    // The line may be torn, so the next one begins on its own.
    std::fs::remove_file(scratch.0.join("traces.jsonl")).unwrap();
    delivery.offer(spans(1, 10));
    assert_eq!(counts(&finish(&delivery, LONG)), (3, 1, vec![(LossReason::Io, 2)]));
    assert!(std::fs::read_to_string(scratch.0.join("traces.jsonl")).unwrap().starts_with("\n{"));
    assert_eq!(told.lines().len(), 1);
}

#[test]
fn memory_keeps_the_batches_themselves() {
    let memory = MemoryDestination::new();
    let config = DestinationConfig::new("memory", Target::Memory(memory.clone()));
    let delivery = Delivery::start(vec![config], quiet());
    let batch = spans(2, 10);
    delivery.offer(batch.clone());
    delivery.offer(event());
    assert!(delivery.flush(LONG));
    assert_eq!(memory.of(Signal::Traces)[0].body().as_ptr(), batch.body().as_ptr(), "the same bytes");
    assert_eq!(memory.take().len(), 2);
    assert!(memory.batches().is_empty());
}

//! `verify_contract()` holds for what `vigil run` and `vigil import` record: the adapters' facts after the SDK has
//! assembled them, from every recording of the corpus.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use vigil::Originator;
use vigil_adapters::{Observer, Options, RunEnd, TranscriptFile};
use vigil_core::fact::UnixNanos;

fn recordings() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vigil-adapters/tests/corpus/claude");
    let mut found = Vec::new();
    for version in fs::read_dir(corpus).unwrap() {
        found.extend(fs::read_dir(version.unwrap().path()).unwrap().map(|scenario| scenario.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn what_is_recorded_of_every_recording_keeps_the_contract() {
    let mut spans = 0;
    for folder in recordings() {
        let Ok(stream) = fs::read(folder.join("stdout.jsonl")) else { continue };
        let telemetry = vigil::testing::start(vigil::from_env("vigil").originator(Originator::Cli));
        let mut observer = Observer::new(Options::default());
        observer.stdout(&stream, UnixNanos(1_795_223_700_000_000_000));
        observer.drain().into_iter().for_each(|fact| telemetry.record_fact(fact));
        if let Ok(transcript) = fs::read(folder.join("transcript.jsonl")) {
            observer.transcript(TranscriptFile::Main, &transcript);
        }
        let (facts, _) = observer.finish(RunEnd { exit_code: Some(0), ..RunEnd::default() });
        facts.into_iter().for_each(|fact| telemetry.record_fact(fact));
        let recorded = telemetry.recorded();
        assert!(!recorded.spans.is_empty(), "{} gives no spans", folder.display());
        spans += recorded.spans.len();
        if let Err(violations) = recorded.verify_contract() {
            panic!("{}:\n{violations}", folder.display());
        }
    }
    assert!(spans > 100, "the corpus is there: {spans} spans");
}

#[test]
fn what_is_recorded_of_any_other_command_keeps_the_contract() {
    let telemetry = vigil::testing::start(vigil::from_env("vigil").originator(Originator::Cli));
    let mut observer = Observer::new(Options { program: Some("make".to_owned()), ..Options::default() });
    observer.process_started(UnixNanos(1_795_223_700_000_000_000));
    observer.stdout(b"cc -o main main.c\nmain.c:3: error\n", UnixNanos(1_795_223_700_500_000_000));
    let end = RunEnd { at: Some(UnixNanos(1_795_223_701_000_000_000)), exit_code: Some(2), ..RunEnd::default() };
    let (facts, _) = observer.finish(end);
    facts.into_iter().for_each(|fact| telemetry.record_fact(fact));
    let recorded = telemetry.recorded();
    assert_eq!(recorded.tree(), "invoke_agent make [error exit_status]\n");
    recorded.verify_contract().unwrap();
}

//! What the journal does in a second: appends of each durability, opening, verifying.
//!
//! ```text
//! cargo run --release -p vigil-sdk --example journal_throughput [FOLDER]
//! ```
//!
//! Records have a payload of 256 bytes. The file is made in FOLDER, by default the system's for temporary files, and
//! removed; the best of five rounds counts. Ends with status 1 when a figure is not met.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures time and prints the result")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vigil::journal::{Durability, Journal, Reader, verify};

const PAYLOAD: [u8; 256] = [b'x'; 256];
const RECORDS: u32 = 500_000;
const SYNCED_RECORDS: u32 = 200;
const ROUNDS: usize = 5;

const APPENDS_A_SECOND_MIN: f64 = 300_000.0;
const VERIFY_MB_A_SECOND_MIN: f64 = 500.0;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("vigil-journal-throughput-{}", std::process::id()));
    let measured = measure(&path);
    std::fs::remove_file(&path)?;
    Ok(if measured? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(path: &Path) -> Result<bool, Box<dyn Error>> {
    let seconds = append(path, Durability::EachWrite, SYNCED_RECORDS)?.as_secs_f64();
    println!("append, each write synced: {:.3} ms a record", 1000.0 * seconds / f64::from(SYNCED_RECORDS));
    let seconds = append(path, Durability::None, RECORDS)?.as_secs_f64();
    println!("append, never synced: {:.0} records a second", f64::from(RECORDS) / seconds);
    let grouped = f64::from(RECORDS) / append(path, Durability::Group, RECORDS)?.as_secs_f64();
    let mut met = figure("append in groups, records a second, the last one synced", grouped, APPENDS_A_SECOND_MIN);

    let megabytes = std::fs::metadata(path)?.len() as f64 / 1e6;
    let opening = best(|| {
        Journal::options("throughput").durability(Durability::None).open(path)?;
        Ok(())
    })?;
    println!("open a journal of {megabytes:.0} MB: {:.0} ms", 1000.0 * opening.as_secs_f64());
    let verifying = best(|| {
        let verification = verify(&mut Reader::open(path)?)?;
        if verification.records == u64::from(RECORDS) && verification.is_intact() {
            return Ok(());
        }
        Err(format!("the journal is not what was written: {verification:?}").into())
    })?;
    met &= figure("verify, MB a second", megabytes / verifying.as_secs_f64(), VERIFY_MB_A_SECOND_MIN);
    Ok(met)
}

/// Appends to a new journal, until all is as safe as it gets.
fn append(path: &Path, durability: Durability, records: u32) -> Result<Duration, Box<dyn Error>> {
    best(|| {
        if path.exists() {
            std::fs::remove_file(path)?;
        }
        let journal = Journal::options("throughput").durability(durability).open(path)?;
        for _ in 0..records {
            journal.append_in(None, "message.received", &PAYLOAD)?;
        }
        journal.flush()?;
        Ok(())
    })
}

fn best(mut work: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        work()?;
        best = best.min(started.elapsed());
    }
    Ok(best)
}

fn figure(what: &str, value: f64, at_least: f64) -> bool {
    let met = value >= at_least;
    println!("{} {what}: {value:.0} (≥ {at_least:.0})", if met { '✓' } else { '✗' });
    met
}

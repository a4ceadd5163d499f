//! How the spool is: what waits and since when, what was damaged or lost, whether it can be written and is private.

use super::finding::Finding;
use crate::output::{counted, duration, grouped};
use crate::system;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use vigil::deliver::{SpoolConfig, spool_status};

const TOPIC: &str = "spool";
/// What waits longer than this waits for nothing.
const WAITS_LONG: Duration = Duration::from_secs(3600);
/// A loss further back than this is history.
const LOSSES_WITHIN: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) fn examine(config: Option<&SpoolConfig>) -> Vec<Finding> {
    let Some(config) = config else {
        let why = "what a backend does not take before the end of the process is lost";
        return vec![Finding::advice(TOPIC, "there is none").because(why).mend("unset VIGIL_SPOOL")];
    };
    let directory = &config.directory;
    let mut findings = Vec::new();
    findings.extend(place(config));
    let status = match spool_status(directory) {
        Ok(status) => status,
        Err(error) => {
            let what = format!("{} cannot be read: {}", directory.display(), error.kind());
            findings.push(Finding::wrong(TOPIC, what).mend(format!("ls -ld {}", directory.display())));
            return findings;
        }
    };
    let now = system::now().0;
    let mut waits = false;
    for one in status.waiting.iter().filter(|one| one.records.iter().sum::<u64>() > 0) {
        waits = true;
        let age = Duration::from_nanos(now.saturating_sub(one.oldest_unix_ns.unwrap_or(now)));
        let records = one.records.iter().sum();
        let what = format!(
            "{} wait for {}, the oldest for {}",
            counted(records, "record", "records"),
            one.destination,
            duration(age)
        );
        let finding = match age > WAITS_LONG {
            true => Finding::advice(TOPIC, what).mend(
                "vigil spool drain delivers them to this address and key; with --any to another, vigil spool export writes them out",
            ),
            false => Finding::good(TOPIC, what),
        };
        findings.push(finding);
    }
    if !waits {
        findings.push(Finding::good(TOPIC, format!("nothing waits in {}", directory.display())));
    }
    if status.unrecovered_processes > 0 {
        let who = counted(status.unrecovered_processes as u64, "process", "processes");
        let what = format!("{who} died with records not handed on");
        let mend = "vigil spool drain brings them home, as does the next process with this spool";
        findings.push(Finding::good(TOPIC, what).mend(mend));
    }
    if status.bytes > config.max_bytes / 10 * 9 {
        let what = format!("{} of {} bytes are used", grouped(status.bytes), grouped(config.max_bytes));
        let why = "when it is full the oldest records are lost";
        findings.push(Finding::advice(TOPIC, what).because(why).mend("drain it, or raise VIGIL_SPOOL_MAX_BYTES"));
    }
    if !status.set_aside.is_empty() {
        let what =
            format!("{} set aside", counted(status.set_aside.len() as u64, "damaged file was", "damaged files were"));
        let why = "a disk that loses bytes, or somebody who wrote into them";
        let mend = format!("look at the system's log; then delete {}", directory.join("set-aside").display());
        findings.push(Finding::advice(TOPIC, what).because(why).mend(mend));
    }
    let since = (now / 1_000_000).saturating_sub(LOSSES_WITHIN.as_millis() as u64);
    let lost: u64 = status.losses.iter().filter(|loss| loss.unix_ms > since).map(|loss| loss.records).sum();
    if lost > 0 {
        let what = format!("{} lost within a week", counted(lost, "record was", "records were"));
        findings.push(Finding::advice(TOPIC, what).mend("vigil spool status says when, for whom and why"));
    }
    findings
}

/// Whether the folder, or the nearest above it that is there, can be written, is private and has room.
fn place(config: &SpoolConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    let there = config.directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let shown = there.display();
    if let Ok(metadata) = fs::metadata(&config.directory) {
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("{shown} is open to others (mode {mode:o})");
            let why = "what waits in it may be read by them";
            findings.push(Finding::wrong(TOPIC, what).because(why).mend(format!("chmod 700 {shown}")));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            let what = format!("{shown} belongs to another user");
            findings.push(Finding::wrong(TOPIC, what).mend("set VIGIL_SPOOL_DIR to a folder of your own"));
        }
    }
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let what = format!("{shown} cannot be written");
        let why = "records then wait in memory and are lost with the process";
        findings.push(Finding::wrong(TOPIC, what).because(why).mend("set VIGIL_SPOOL_DIR to a folder of your own"));
    }
    if let Ok(space) = rustix::fs::statvfs(there) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < config.max_bytes / 4 {
            let what = format!("{} bytes are free where the spool is", grouped(free));
            let why = "a full disk costs telemetry (counted), and whatever else lives there";
            findings.push(Finding::advice(TOPIC, what).because(why).mend("make room, or lower VIGIL_SPOOL_MAX_BYTES"));
        }
    }
    findings
}

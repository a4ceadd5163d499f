//! What a measurement is worthless without: the machine, the versions, the date and the command.

use serde::Serialize;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The crates that decide the figures.
const CRATES: [&str; 10] = [
    "fastrace",
    "hyper",
    "opentelemetry",
    "opentelemetry-otlp",
    "opentelemetry_sdk",
    "reqwest",
    "tracing",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "vigil-sdk",
];

/// Facts of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Of the day the run began, UTC.
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// What else the machine was doing when the run began.
    pub(crate) load_average: String,
    pub(crate) command: String,
    pub(crate) versions: BTreeMap<String, String>,
}

impl Machine {
    pub(crate) fn look(command: String) -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = read("/proc/loadavg");
        let rustc = Command::new("rustc").arg("--version").output().ok();
        Self {
            date: date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()),
            cpu: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease"),
            rustc: rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default(),
            load_average: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            command,
            versions: versions(include_str!("../../../Cargo.lock")),
        }
    }

    /// A name for files: the processor and its cores, as in `intel-xeon-2.50ghz-2-cores`.
    pub(crate) fn name(&self) -> String {
        // What makers say around the name.
        const NOISE: [&str; 5] = ["(R)", "(TM)", "Processor", "CPU", "@"];
        let model = NOISE.iter().fold(self.cpu.clone(), |model, noise| model.replace(noise, " ")).to_lowercase();
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '.';
        let words = model.split(|char| !is_part(char)).filter(|word| !word.is_empty());
        format!("{}-{}-cores", words.collect::<Vec<_>>().join("-"), self.cores)
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn versions(lock: &str) -> BTreeMap<String, String> {
    let value = |line: Option<&str>, key: &str| Some(line?.strip_prefix(key)?.trim_matches('"').to_owned());
    let mut versions = BTreeMap::new();
    for package in lock.split("[[package]]\n").skip(1) {
        let mut lines = package.lines();
        if let (Some(name), Some(version)) = (value(lines.next(), "name = "), value(lines.next(), "version = "))
            && CRATES.contains(&name.as_str())
        {
            versions.insert(name, version);
        }
    }
    versions
}

/// The date of a number of seconds since the epoch, as `2026-11-21`.
fn date(seconds: u64) -> String {
    // Years that begin in March have their odd day last; 400 of them have 146 097 days.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_over_leap_years() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_767_225_600), "2026-01-01");
        assert_eq!(date(1_795_219_200), "2026-11-21");
        assert_eq!(date(4_107_542_400), "2100-03-01");
    }

    #[test]
    fn versions_of_the_peers_are_found_in_the_lock_file() {
        let machine = Machine::look("test".to_owned());
        assert_eq!(machine.versions.len(), CRATES.len(), "{:?}", machine.versions);
        let named = |cpu: &str| Machine { cpu: cpu.to_owned(), cores: 2, ..machine.clone() }.name();
        assert_eq!(named("Intel(R) Xeon(R) Processor @ 2.50GHz"), "intel-xeon-2.50ghz-2-cores");
        assert_eq!(named("AMD EPYC 7763 64-Core Processor"), "amd-epyc-7763-64-core-2-cores");
    }
}

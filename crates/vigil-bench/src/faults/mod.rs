//! What becomes of records when the collector, the disk or the process fails: every situation is made to happen, to
//! a program of its own, and what it came to stands beside what was promised.
//!
//! ```text
//! cargo run --release -p vigil-bench -- faults [--short]
//! ```
//!
//! `--short` makes each situation shorter (the whole takes about a minute instead of a quarter of an hour) and
//! promises the same. What this machine does not allow (a file system of its own for a full disk) says so.

mod agent;
mod collector;
mod situations;

pub(crate) use agent::serve as serve_agent;

use std::error::Error;
use std::path::PathBuf;

/// One line of the table.
pub(crate) struct Row {
    situation: String,
    must: &'static str,
    measured: String,
    /// `None` when it could not be tried.
    met: Option<bool>,
}

impl Row {
    fn new(situation: impl Into<String>, must: &'static str, measured: String, met: bool) -> Self {
        Self { situation: situation.into(), must, measured, met: Some(met) }
    }

    fn not_tried(situation: impl Into<String>, must: &'static str, why: impl Into<String>) -> Self {
        Self { situation: situation.into(), must, measured: why.into(), met: None }
    }
}

/// How long things go on.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    /// How long the collector refuses.
    outage_s: u64,
    kills: u64,
    exits: usize,
}

impl Length {
    const FULL: Self = Self { outage_s: 600, kills: 200, exits: 41 };
    const SHORT: Self = Self { outage_s: 10, kills: 10, exits: 15 };
}

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let path = std::env::temp_dir().join(format!("vigil-faults-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Makes everything happen and prints the table.
///
/// # Errors
/// A situation could not be made, or a promise was not kept.
pub(crate) fn run(short: bool) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        eprintln!("vigil-bench: this is a build without optimization; its times mean little");
    }
    let length = if short { Length::SHORT } else { Length::FULL };
    let mut rows = Vec::new();
    for situation in situations::ALL {
        rows.extend(situation(length)?);
    }
    let width = |column: fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (first, second) = (width(|row| row.situation.len()), width(|row| row.must.len()));
    println!("{:first$}  {:second$}  {:4}  measured", "situation", "must", "");
    for row in &rows {
        let met = match row.met {
            Some(true) => "ok",
            Some(false) => "NOT",
            None => "-",
        };
        println!("{:first$}  {:second$}  {met:4}  {}", row.situation, row.must, row.measured);
    }
    match rows.iter().filter(|row| row.met == Some(false)).count() {
        0 => Ok(()),
        broken => Err(format!("{broken} promises were not kept").into()),
    }
}

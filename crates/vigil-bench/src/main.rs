//! Measures Vigil and its peers in one run: what a span costs the thread that records it, and what a program
//! under load pays end to end.
//!
//! ```text
//! cargo run --release -p vigil-bench -- [--quick] [--only NAME]... [--json FILE] [--save]
//! ```
//!
//! Every contender records the same spans with the same attributes ([`workload`]), in a process of its own
//! ([`worker`]), in slices that take turns ([`mod@measure`]). End to end, a program exports to a sink in yet
//! another process ([`load`], [`sink`]). [`gateway`] measures calls through the gateway. Figures are CPU time, medians over slices, and hold for this run on
//! this machine; what counts are the ratios ([`figures`]).
#![expect(clippy::disallowed_methods, reason = "a program that measures reads clocks and starts threads")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod alloc;
mod args;
mod contenders;
mod endtoend;
mod equality;
mod faults;
mod figures;
mod gateway;
mod load;
mod machine;
mod measure;
mod process;
mod recording;
mod report;
mod sink;
mod worker;
mod workload;

use args::{Args, Task};
use report::Report;
use std::error::Error;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match args::parse(&words) {
        Ok(Task::Measure(args)) => measure(&args, &words),
        Ok(Task::Worker(name)) => worker::serve(&name),
        Ok(Task::Sink) => sink::serve(),
        Ok(Task::Load) => load::serve(),
        Ok(Task::Faults { short }) => faults::run(short),
        Ok(Task::FaultsAgent(job)) => faults::serve_agent(&job),
        Ok(Task::Help) => {
            print!("{}", args::HELP);
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vigil-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args, words: &[String]) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        eprintln!("vigil-bench: this is a build without optimization; its figures mean nothing");
    }
    let command = ["cargo run --release -p vigil-bench --"].into_iter().chain(words.iter().map(String::as_str));
    let machine = machine::Machine::look(command.collect::<Vec<_>>().join(" "));
    let watched = std::io::stderr().is_terminal();
    let progress = |what: &str, round: usize, rounds: usize| {
        if watched {
            eprint!("\r{what}: round {round} of {rounds} ");
        }
    };
    let recording = recording::run(args.quick, |name| args.wants(name), |at, of| progress("recording", at, of))?;
    let runs = endtoend::run(args.quick, |name| args.wants(name), |at, of| progress("end to end", at, of))?;
    if watched {
        eprintln!();
    }
    let equality = if args.wants("equality") { equality::run()? } else { Vec::new() };
    let gateway = match args.wants("gateway") {
        true => gateway::run(args.quick, |at, of| progress("gateway", at, of)),
        false => Vec::new(),
    };
    if watched {
        eprintln!();
    }
    let report = Report::new(machine, recording, runs, equality, gateway);
    let text = report.text();
    print!("{text}");
    if let Some(file) = &args.json {
        std::fs::write(file, report.json()?)?;
    }
    if args.save {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench-results");
        std::fs::create_dir_all(&folder)?;
        let name = format!("{}-{}", report.machine.date, report.machine.name());
        std::fs::write(folder.join(format!("{name}.json")), report.json()?)?;
        std::fs::write(folder.join(format!("{name}.txt")), text)?;
    }
    Ok(())
}

//! The program `vigil`: an ordinary user of the crates beside it.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests read clocks and start threads as they need"))]

mod args;
mod classify;
mod demo;
mod doctor;
mod import;
mod journal;
mod output;
mod recording;
mod report;
mod run;
mod spool;
mod system;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(arguments) => run::run(arguments),
        Command::Import(arguments) => import::import(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Journal(arguments) => journal::run(arguments),
        Command::Spool { command } => spool::run(command),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "vigil", &mut script);
            output::to_stdout(&String::from_utf8_lossy(&script));
            ExitCode::SUCCESS
        }
        Command::PassOn => {
            run::pass_on_standard_input();
            ExitCode::SUCCESS
        }
    }
}

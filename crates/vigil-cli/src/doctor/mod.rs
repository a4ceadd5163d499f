//! `vigil doctor`: looks at settings, backend, spool and machine as a colleague would, and says of each what is there,
//! why it matters and how to mend it.

mod backend;
mod environment;
mod finding;
mod machine;
mod probe;
mod spool;

use crate::output::{Styles, to_stdout};
use clap::Args;
use finding::{Finding, Level};
use serde_json::json;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `vigil doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Print the findings as one JSON object
    #[arg(long)]
    json: bool,

    /// Send nothing to the backend; only connect to it
    #[arg(long)]
    no_send: bool,

    /// How long each attempt on the backend may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = crate::args::seconds)]
    within: Duration,
}

/// Examines everything and answers with status 1 when something is wrong.
pub(crate) fn run(arguments: DoctorArgs) -> ExitCode {
    let plan = vigil::from_env("vigil").spool_by_default(true).plan();
    let mut findings = environment::examine(&plan);
    for destination in &plan.destinations {
        findings.extend(backend::examine(destination, !arguments.no_send, arguments.within));
    }
    findings.extend(spool::examine(plan.spool.as_ref()));
    findings.extend(machine::examine());
    let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong).count();
    if arguments.json {
        let all: Vec<_> = findings.iter().map(Finding::json).collect();
        to_stdout(&format!("{}\n", json!({ "ok": wrong == 0, "findings": all })));
    } else {
        let styles = Styles::for_stream(&io::stdout());
        let mut text: String = findings.iter().map(|finding| finding.text(styles)).collect();
        text += match wrong {
            0 => "Nothing is wrong.\n",
            1 => "One thing is wrong.\n",
            _ => "Several things are wrong.\n",
        };
        to_stdout(&text);
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

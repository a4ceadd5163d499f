//! `vigil demo`.

use clap::Args;
use std::process::ExitCode;

/// Arguments of `vigil demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {}

/// Runs the demo.
pub(crate) fn run(_arguments: DemoArgs) -> ExitCode {
    crate::output::to_stderr("vigil: the demo is not part of this build\n");
    ExitCode::FAILURE
}

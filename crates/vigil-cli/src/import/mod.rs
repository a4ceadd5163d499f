//! `vigil import`.
use crate::args::ImportArgs;
use std::process::ExitCode;
pub(crate) fn import(_arguments: ImportArgs) -> ExitCode {
    ExitCode::FAILURE
}

//! How a run ended, from everything that says so: the agent's own result, the exit code, the signal.
//!
//! None of them suffices alone: a result with subtype `success` may be an error, an interrupted run exits with
//! 0, and a killed one leaves no result at all.

use vigil_core::fact::Outcome;
use vigil_core::vocab::ErrorType;

/// What is known of the end of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessEnd {
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
}

/// What the agent itself says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// It succeeded.
    Success,
    /// It failed.
    Failure(ErrorType),
    /// It should have said something and did not: the record ends before.
    Nothing,
    /// It has no way to say anything: a plain program.
    Mute,
}

/// The outcome, and a word or two on why it is not a good one.
pub(crate) fn of(said: &Said, end: ProcessEnd) -> (Outcome, Option<String>) {
    let killed = |signal: i32| (Outcome::Error(ErrorType::KILLED), Some(format!("killed by {}", signal_name(signal))));
    let exited = |code: i32| (Outcome::Error(ErrorType::EXIT_STATUS), Some(format!("exit status {code}")));
    match (said, end.signal, end.exit_code) {
        (Said::Failure(error), ..) => (Outcome::Error(error.clone()), Some(error.as_str().to_owned())),
        (_, Some(signal), _) => killed(signal),
        (Said::Success | Said::Mute, None, Some(0) | None) => (Outcome::Ok, None),
        // A program that catches its signal exits with 128 + n by convention, also after a result of its own.
        (Said::Nothing | Said::Success, None, Some(code @ 129..=159)) => killed(code - 128),
        (Said::Nothing, None, Some(0) | None) => {
            (Outcome::Error(ErrorType::TRUNCATED), Some("the record ends before the run".to_owned()))
        }
        (_, None, Some(code)) => exited(code),
    }
}

/// The name of a signal, as far as its number is the same everywhere that matters.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(said: Said, exit_code: Option<i32>, signal: Option<i32>) -> Outcome {
        of(&said, ProcessEnd { exit_code, signal }).0
    }

    #[test]
    fn the_agents_word_goes_before_the_exit_code_and_the_exit_code_before_silence() {
        let error = |error| Outcome::Error(error);
        for (said, exit_code, signal, expected) in [
            (Said::Success, Some(0), None, Outcome::Ok),
            (Said::Success, None, None, Outcome::Ok),
            (Said::Success, Some(1), None, error(ErrorType::EXIT_STATUS)),
            (Said::Failure(ErrorType::RATE_LIMIT), Some(1), None, error(ErrorType::RATE_LIMIT)),
            (Said::Failure(ErrorType::CANCELLED), Some(0), None, error(ErrorType::CANCELLED)),
            (Said::Nothing, Some(143), None, error(ErrorType::KILLED)),
            (Said::Success, Some(143), None, error(ErrorType::KILLED)),
            (Said::Mute, Some(143), None, error(ErrorType::EXIT_STATUS)),
            (Said::Nothing, None, Some(9), error(ErrorType::KILLED)),
            (Said::Nothing, Some(0), None, error(ErrorType::TRUNCATED)),
            (Said::Nothing, None, None, error(ErrorType::TRUNCATED)),
            (Said::Nothing, Some(1), None, error(ErrorType::EXIT_STATUS)),
            (Said::Mute, Some(0), None, Outcome::Ok),
            (Said::Mute, Some(3), None, error(ErrorType::EXIT_STATUS)),
            (Said::Mute, None, Some(15), error(ErrorType::KILLED)),
        ] {
            assert_eq!(outcome(said.clone(), exit_code, signal), expected, "{said:?} {exit_code:?} {signal:?}");
        }
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(
            of(&Said::Nothing, ProcessEnd { exit_code: Some(143), signal: None }).1.unwrap(),
            "killed by SIGTERM"
        );
        assert_eq!(signal_name(64), "signal 64");
    }
}

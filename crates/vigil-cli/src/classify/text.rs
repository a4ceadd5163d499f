//! One text of any length.

use super::ClassifyArgs;
use super::verdict;
use crate::output::{Styles, to_stderr};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use vigil_core::throttle::{Observation, Throttle, classify};

/// How much is classified at once.
const PIECE_BYTES: usize = 8 << 20;
/// How much of a piece is seen again with the next, so that no message is cut.
const OVERLAP_BYTES: usize = 64 << 10;

/// Classifies the text that comes from `input`.
pub(super) fn run(arguments: &ClassifyArgs, input: impl Read) -> ExitCode {
    let headers: Vec<(&str, &str)> =
        arguments.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let observation = Observation {
        channel: arguments.channel(),
        service: arguments.service.as_deref(),
        tool: arguments.tool.as_deref(),
        http_status: arguments.status,
        headers: &headers,
        now: arguments.now(),
        utc_offset_seconds: crate::system::utc_offset_seconds(),
        ..Observation::default()
    };
    let verdict = match read(&observation, input, PIECE_BYTES) {
        Ok(verdict) => verdict,
        Err(error) => {
            to_stderr(&format!("vigil: stdin could not be read: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let told = if arguments.json {
        told(&format!("{}\n", verdict::json(verdict.as_ref())))
    } else if arguments.quiet {
        Ok(())
    } else {
        told(&verdict::line(verdict.as_ref(), Styles::for_stream(&io::stdout())))
    };
    if let Err(error) = told {
        to_stderr(&format!("vigil: the verdict could not be written: {error}\n"));
        return ExitCode::FAILURE;
    }
    verdict::exit_status(verdict.as_ref())
}

/// Writes to stdout. A reader that has gone is none of our failures: the exit status tells the verdict too.
fn told(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// The strongest verdict of all pieces; of equal ones the last, for what is said last is what became of it.
fn read(observation: &Observation<'_>, mut input: impl Read, piece_bytes: usize) -> io::Result<Option<Throttle>> {
    let mut piece = Vec::new();
    let mut verdict: Option<Throttle> = None;
    loop {
        let missing = piece_bytes.saturating_sub(piece.len());
        let read = input.by_ref().take(missing as u64).read_to_end(&mut piece)?;
        let found = classify(&Observation { text: &piece, ..*observation });
        verdict = match (verdict, found) {
            (Some(known), Some(found)) if found.rule.evidence() > known.rule.evidence() => Some(known),
            (known, found) => found.or(known),
        };
        if read < missing {
            return Ok(verdict);
        }
        let keep_from = piece.len() - OVERLAP_BYTES.min(piece_bytes / 2);
        piece.drain(..keep_from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_on_the_seam_of_two_pieces_is_read_whole() {
        let message = "API Error: 529 Overloaded";
        for before in 0..400 {
            let text = format!("{}\n{message}\n{}", "x".repeat(before), "y".repeat(400 - before));
            let verdict = read(&Observation::default(), text.as_bytes(), 256).unwrap();
            assert!(verdict.is_some(), "{before}");
        }
    }

    #[test]
    fn the_strongest_evidence_of_all_pieces_counts() {
        let text = format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\"}}}}\n{}\nHTTP 429\n",
            "x".repeat(1000)
        );
        let verdict = read(&Observation::default(), text.as_bytes(), 256).unwrap().unwrap();
        assert_eq!(verdict.rule.as_str(), "code.anthropic");
    }
}

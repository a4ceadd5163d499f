//! What lies beside a recorded stream `stdoutN.jsonl`: `stdout_timingN.tsv` and `exit_codeN` (N is nothing, or
//! `.2`, `.3` for later processes of the session).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use vigil_adapters::parse_rfc3339;
use vigil_core::fact::UnixNanos;

/// The longest timing file that is read: 64 MiB.
const TIMING_BYTES: u64 = 64 << 20;
/// How many lines of a stream are searched for a time.
const LINES_TO_ANCHOR: usize = 1000;
/// How much of one line is searched for a time.
const LINE_BYTES: u64 = 1 << 20;

/// When each line of a stream arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// When the process started.
    pub(crate) started_at: UnixNanos,
    /// When each line arrived, and how many bytes it has.
    pub(crate) lines: Vec<(UnixNanos, u64)>,
}

/// The exit code that lies beside `stream`.
pub(crate) fn exit_code(stream: &Path) -> Option<i32> {
    let text = fs::read_to_string(sibling(stream, "exit_code", "")?).ok()?;
    text.trim().parse().ok()
}

/// The timing that lies beside `stream`, if it fits the stream byte for byte and the stream names a time to hang
/// it on.
pub(crate) fn timing(stream: &Path) -> Option<Timing> {
    let path = sibling(stream, "stdout_timing", ".tsv")?;
    let about = fs::metadata(&path).ok().filter(|about| about.is_file() && about.len() <= TIMING_BYTES)?;
    let mut text = String::with_capacity(usize::try_from(about.len()).ok()?);
    File::open(path).ok()?.take(TIMING_BYTES).read_to_string(&mut text).ok()?;
    let offsets = parse(&text)?;
    if offsets.iter().map(|(_, bytes)| bytes).sum::<u64>() != fs::metadata(stream).ok()?.len() {
        return None;
    }
    let started_at = anchor(stream, &offsets)?;
    let at = |offset_ms: u64| UnixNanos(started_at.0.saturating_add(offset_ms.saturating_mul(1_000_000)));
    Some(Timing { started_at, lines: offsets.iter().map(|(offset, bytes)| (at(*offset), *bytes)).collect() })
}

/// `line<TAB>offset_ms<TAB>bytes` as offsets and bytes.
fn parse(text: &str) -> Option<Vec<(u64, u64)>> {
    let rows = text.lines().skip_while(|row| !row.starts_with(|first: char| first.is_ascii_digit()));
    rows.map(|row| {
        let mut fields = row.split('\t');
        let (_line, offset, bytes) = (fields.next()?, fields.next()?, fields.next()?);
        Some((
            offset.trim().parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms >= 0.0)? as u64,
            bytes.trim().parse().ok()?,
        ))
    })
    .collect()
}

/// When the process started: the earliest that any line's own time and its offset allow, since a line arrives
/// after the time it names.
fn anchor(stream: &Path, offsets: &[(u64, u64)]) -> Option<UnixNanos> {
    let mut reader = BufReader::new(File::open(stream).ok()?);
    let mut latest: Option<u64> = None;
    for (offset_ms, bytes) in offsets.iter().take(LINES_TO_ANCHOR) {
        let mut line = Vec::new();
        reader.by_ref().take(LINE_BYTES.min(*bytes)).read_until(b'\n', &mut line).ok()?;
        let rest = bytes.saturating_sub(line.len() as u64);
        std::io::copy(&mut reader.by_ref().take(rest), &mut std::io::sink()).ok()?;
        if let Some(time) = own_time(&line) {
            let started = time.0.saturating_sub(offset_ms.saturating_mul(1_000_000));
            latest = Some(latest.map_or(started, |other| other.max(started)));
        }
    }
    latest.map(UnixNanos)
}

fn own_time(line: &[u8]) -> Option<UnixNanos> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    parse_rfc3339(value.get("timestamp")?.as_str()?)
}

/// `folder/stdout.2.jsonl` and `exit_code` give `folder/exit_code.2`.
fn sibling(stream: &Path, name: &str, end: &str) -> Option<PathBuf> {
    let stem = stream.file_stem().and_then(OsStr::to_str)?;
    let number = stem.strip_prefix("stdout")?;
    let is_number = number.is_empty() || number.strip_prefix('.').is_some_and(|digits| digits.parse::<u32>().is_ok());
    is_number.then(|| stream.with_file_name(format!("{name}{number}{end}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recorded_stdout_has_siblings() {
        let sibling = |path: &str| sibling(Path::new(path), "exit_code", "");
        assert_eq!(sibling("a/stdout.jsonl"), Some(PathBuf::from("a/exit_code")));
        assert_eq!(sibling("a/stdout.2.jsonl"), Some(PathBuf::from("a/exit_code.2")));
        assert_eq!(sibling("a/run.jsonl"), None);
        assert_eq!(sibling("a/stdout.x.jsonl"), None);
    }

    #[test]
    fn a_timing_is_hung_on_the_lines_own_times_and_must_fit_the_stream() {
        let folder = std::env::temp_dir().join(format!("vigil-timing-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let stream = folder.join("stdout.jsonl");
        let (first, second) = ("{\"type\":\"system\"}\n", "{\"timestamp\":\"1970-01-01T00:00:10.000Z\"}\n");
        fs::write(&stream, format!("{first}{second}")).unwrap();
        let rows = format!("line\toffset_ms\tbytes\n1\t250\t{}\n2\t1000\t{}\n", first.len(), second.len());
        fs::write(folder.join("stdout_timing.tsv"), &rows).unwrap();
        let timing = timing(&stream).unwrap();
        assert_eq!(timing.started_at, UnixNanos(9_000_000_000));
        assert_eq!(timing.lines[0], (UnixNanos(9_250_000_000), first.len() as u64));
        fs::write(folder.join("stdout_timing.tsv"), rows.replace("\t250\t", "\t250\t9")).unwrap();
        assert_eq!(super::timing(&stream), None);
        fs::write(folder.join("exit_code"), "143\n").unwrap();
        assert_eq!(exit_code(&stream), Some(143));
        fs::remove_dir_all(&folder).unwrap();
    }
}

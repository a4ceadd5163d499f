//! `vigil spool export`: what waits, as OTLP/JSON lines, a request a line and a signal a file.

use super::{ExportArgs, SignalChoice};
use crate::output::{counted, printable, to_stderr, to_stdout};
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use vigil::deliver::spool_batches;
use vigil::encode::json::to_json_line;
use vigil::encode::{Batch, Signal};

pub(super) fn export(arguments: &ExportArgs) -> Result<ExitCode, String> {
    let spool = super::directory(&arguments.place)?;
    // What a dead process recorded waits too.
    vigil::recover_spool(&spool);
    let signal = match arguments.signal {
        SignalChoice::Traces => Signal::Traces,
        SignalChoice::Logs => Signal::Logs,
        SignalChoice::Metrics => Signal::Metrics,
    };
    let mut out = match &arguments.directory {
        Some(directory) => Out::Files([const { None }; 3], directory),
        None => Out::Stdout(signal),
    };
    let (mut records, mut line) = ([0; 3], Vec::new());
    let unreadable = spool_batches(&spool, |batch| {
        line.clear();
        if to_json_line(batch.signal(), batch.body(), &mut line).is_ok() && out.write(batch, &line)? {
            records[batch.signal().index()] += u64::from(batch.records());
        }
        Ok(())
    });
    let unreadable = match unreadable {
        Ok(unreadable) => unreadable,
        // Whoever read it has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(format!("not all could be written: {error}")),
    };
    if unreadable > 0 {
        to_stderr(&format!("vigil: {} could not be read\n", counted(unreadable, "batch", "batches")));
    }
    if let Some(directory) = &arguments.directory {
        let [spans, events, points] = records;
        let what = [(spans, "span", "spans"), (events, "event", "events"), (points, "data point", "data points")];
        let what = what.map(|(count, singular, plural)| counted(count, singular, plural)).join(", ");
        to_stdout(&format!("{what} written to {}\n", printable(&directory.to_string_lossy())));
    }
    Ok(ExitCode::SUCCESS)
}

enum Out<'a> {
    /// One signal alone.
    Stdout(Signal),
    /// Files that are made when the first line for them comes.
    Files([Option<File>; 3], &'a Path),
}

impl Out<'_> {
    /// Whether the line was wanted.
    fn write(&mut self, batch: &Batch, line: &[u8]) -> io::Result<bool> {
        match self {
            Out::Stdout(signal) if *signal != batch.signal() => return Ok(false),
            Out::Stdout(_) => io::stdout().lock().write_all(line)?,
            Out::Files(files, directory) => {
                let slot = &mut files[batch.signal().index()];
                let file = match slot {
                    Some(file) => file,
                    None => {
                        create_dir_all(*directory)?;
                        let path = directory.join(format!("{}.jsonl", batch.signal()));
                        slot.insert(OpenOptions::new().create(true).append(true).open(path)?)
                    }
                };
                file.write_all(line)?;
            }
        }
        Ok(true)
    }
}

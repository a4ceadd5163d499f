//! This program again, as a child that is asked and answers in lines of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A child. Its stdin closes and it is waited for when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program with `arguments` and without any variable that would set up OpenTelemetry.
    pub(crate) fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"OTEL_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("a child without stdout"))?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, question: &impl Serialize) -> Result<T, Box<dyn Error>> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        self.stdin.as_mut().ok_or("the child was told to end")?.write_all(&line)?;
        self.answer()
    }

    /// Waits for a line.
    pub(crate) fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Box<dyn Error>> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(format!("the child ended early: {}", self.child.wait()?).into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Tells the child to end, and waits for its last word.
    pub(crate) fn end<T: DeserializeOwned>(&mut self) -> Result<T, Box<dyn Error>> {
        self.stdin = None;
        self.answer()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        self.child.wait().ok();
    }
}

/// The child's side: answers every line with what `reply` makes of it.
pub(crate) fn serve<Q: DeserializeOwned, A: Serialize>(
    mut reply: impl FnMut(Q) -> Result<A, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        say(&reply(serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}

/// The child's side: says a line.
pub(crate) fn say(answer: &impl Serialize) -> Result<(), Box<dyn Error>> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    Ok(stdout.flush()?)
}

//! At a terminal: interactive programs work, Ctrl-C reaches the command once, Ctrl-Z stops us with it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail and measure time"
)]

mod common;

use common::{DEADLINE, Scratch};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A shell at a terminal of its own, with job control.
struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    shell: Child,
}

impl Terminal {
    fn open(home: &Path) -> Self {
        let ours = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&ours).unwrap();
        rustix::pty::unlockpt(&ours).unwrap();
        let name = rustix::pty::ptsname(&ours, Vec::new()).unwrap();
        let theirs: OwnedFd = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        // `setsid --ctty` gives the shell a session with this terminal, as a terminal emulator would.
        let shell = Command::new("setsid")
            .args(["--ctty", "bash", "--norc", "--noprofile", "-i"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", home)
            .env("PS1", "> ")
            .env("TERM", "xterm")
            .env("VIGIL", env!("CARGO_BIN_EXE_vigil"))
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs)
            .spawn()
            .unwrap();
        let keyboard = File::from(ours);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, screen, seen: String::new(), shell }
    }

    fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the screen shows `text`, and forgets everything up to it.
    fn expect(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let Some(left) = DEADLINE.checked_sub(began.elapsed()) else {
                panic!("no {text:?} within {DEADLINE:?} in {:?}", self.seen);
            };
            if let Ok(bytes) = self.screen.recv_timeout(left) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}

fn terminal(home: &Path) -> Option<Terminal> {
    let tools = ["setsid", "bash"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok());
    if !tools {
        eprintln!("skipped: setsid or bash is not there");
        return None;
    }
    Some(Terminal::open(home))
}

#[test]
fn the_command_has_the_terminal_for_all_three_of_its_streams() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("$VIGIL run -q -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo all-three-$((40+2))'\n");
    terminal.expect("all-three-42");
    terminal.type_in("$VIGIL run -q -- sh -c 'read answer; echo got-$answer'\nhello\n");
    terminal.expect("got-hello");
}

#[test]
fn stderr_stays_on_the_terminal_when_stdout_goes_elsewhere_and_the_other_way_round() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("cd; $VIGIL run -q -- sh -c 'test -t 1 || test -t 2 && echo on-a-terminal-$((1+1)) >&2' > out\n");
    terminal.expect("on-a-terminal-2");
    terminal.type_in("$VIGIL run -q -- sh -c 'test -t 2 || echo elsewhere-$((1+1))' 2> errors\n");
    terminal.expect("elsewhere-2");
    terminal.type_in("$VIGIL run -q --stderr pipe -- sh -c 'test -t 2 || echo in-a-pipe-$((1+1)) >&2'\n");
    terminal.expect("in-a-pipe-2");
    terminal.type_in(
        "$VIGIL run -q --stderr inherit -- sh -c 'test -p /dev/stderr || echo inherited-$((1+1))' 2> errors\n",
    );
    terminal.expect("inherited-2");
}

#[test]
fn output_for_machines_is_observed_at_a_terminal_too() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    scratch.script(
        "claude",
        "#!/bin/sh\nif test -t 1; then echo on-a-terminal-$((1+1)); else echo in-a-pipe-$((1+1)); fi\n",
    );
    terminal.type_in("cd; $VIGIL run -q -- ./claude -p hello --output-format stream-json\n");
    terminal.expect("in-a-pipe-2");
    terminal.type_in("$VIGIL run -q -- ./claude\n");
    terminal.expect("on-a-terminal-2");
}

#[test]
fn ctrl_c_reaches_the_command_once_and_we_wait_for_it() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    scratch.script(
        "patient",
        "#!/bin/bash\ncount=0\ntrap 'count=$((count+1))' INT\necho ready-$((1+1))\n\
         while [ $count = 0 ]; do sleep 0.05; done\nsleep 0.3\necho interrupted-$count-times\nexit 9\n",
    );
    terminal.type_in("cd; $VIGIL run -- ./patient; echo status-$?\n");
    terminal.expect("ready-2");
    terminal.type_in("\u{3}");
    terminal.expect("interrupted-1-times");
    terminal.expect("failed: exit status 9");
    terminal.expect("status-9");
}

#[test]
fn ctrl_c_that_ends_the_command_still_gives_a_summary() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("$VIGIL run -- sh -c 'echo ready-$((1+1)); exec sleep 60'; echo \"status-$?\"\n");
    terminal.expect("ready-2");
    std::thread::sleep(Duration::from_millis(100));
    terminal.type_in("\u{3}");
    terminal.expect("failed: killed by SIGINT");
}

#[test]
fn ctrl_z_stops_us_with_the_command_and_fg_goes_on() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("$VIGIL run -q -- sh -c 'echo ready-$((1+1)); sleep 2; echo over-$((1+1))'\n");
    terminal.expect("ready-2");
    // A shell that is just starting `sleep` (vfork) cannot be stopped until that has begun, with us or without.
    std::thread::sleep(Duration::from_millis(300));
    terminal.type_in("\u{1a}");
    terminal.expect("Stopped");
    terminal.type_in("echo at-the-prompt-$((1+1))\n");
    terminal.expect("at-the-prompt-2");
    terminal.type_in("fg\n");
    terminal.expect("over-2");
}

#[test]
fn a_command_that_stops_itself_stops_us_too() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("$VIGIL run -q -- sh -c 'kill -STOP $$; echo continued-$((1+1))'\n");
    terminal.expect("Stopped");
    terminal.type_in("fg\n");
    terminal.expect("continued-2");
}

#[test]
fn colours_are_for_terminals_and_no_color_is_honoured() {
    let scratch = Scratch::new();
    let Some(mut terminal) = terminal(scratch.path()) else { return };
    terminal.type_in("$VIGIL run -- true; echo end-$((1+1))\n");
    assert!(terminal.expect("end-2").contains("\u{1b}[32mfinished"));
    terminal.type_in("NO_COLOR=1 $VIGIL run -- true; echo end-$((1+2))\n");
    let plain = terminal.expect("end-3");
    assert!(plain.contains("true finished") && !plain.contains("\u{1b}[32m"), "{plain:?}");
}

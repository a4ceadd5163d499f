//! The verdict by examples: every family of every service, every guard.

mod bounds;
mod innocent;
mod services;

use super::*;
use crate::fact::UnixNanos;

/// 2026-11-21T08:18:23Z.
const NOW: UnixNanos = UnixNanos(1_795_249_103_000_000_000);

fn http(status: u16, text: &str) -> Observation<'_> {
    Observation {
        channel: Channel::Http,
        http_status: Some(status),
        text: text.as_bytes(),
        now: NOW,
        ..Observation::default()
    }
}

fn terminal(text: &str) -> Observation<'_> {
    Observation { channel: Channel::CliText, text: text.as_bytes(), now: NOW, ..Observation::default() }
}

fn exception(text: &str) -> Observation<'_> {
    Observation { channel: Channel::SdkException, text: text.as_bytes(), now: NOW, ..Observation::default() }
}

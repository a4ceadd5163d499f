//! `vigil journal diff`.

use super::args::DiffArgs;
use super::{name, record, unreadable};
use crate::output::{Style, Styles, counted, grouped, to_stdout};
use serde_json::{Value, json};
use std::io;
use std::process::ExitCode;
use vigil::journal::{Comparison, Parting, Reader, Side};

/// They part.
const PARTED: u8 = 1;

/// Says where two journals part.
pub(super) fn diff(arguments: &DiffArgs) -> ExitCode {
    let files = [&arguments.left, &arguments.right];
    let [mut left, mut right] = match files.map(Reader::open) {
        [Ok(left), Ok(right)] => [left, right],
        [Err(error), _] => return unreadable(files[0], &error),
        [_, Err(error)] => return unreadable(files[1], &error),
    };
    let comparison = match vigil::journal::diff(&mut left, &mut right) {
        Ok(comparison) => comparison,
        Err(error) => return unreadable(files[0], &format_args!("or {}: {error}", name(files[1]))),
    };
    let said = match arguments.json {
        true => format!("{}\n", as_json(&comparison)),
        false => text(&comparison, files.map(|file| name(file)), Styles::for_stream(&io::stdout())),
    };
    to_stdout(&said);
    match comparison {
        Comparison::Same(_) => ExitCode::SUCCESS,
        Comparison::Parted(_) => ExitCode::from(PARTED),
    }
}

fn text(comparison: &Comparison, names: [String; 2], styles: Styles) -> String {
    let [left, right] = names;
    let parting = match comparison {
        Comparison::Same(head) if head.sequence == 0 => return format!("{left} and {right} hold no events\n"),
        Comparison::Same(head) => {
            let events = counted(head.sequence, "record", "records");
            let same = styles.paint(Style::Good, "the same events");
            return format!("{left} and {right} hold {same}: {events}, the last with hash {}\n", head.hash);
        }
        Comparison::Parted(parting) => parting,
    };
    let part = styles.paint(Style::Bad, &format!("part at record {}", parting.sequence));
    let mut text = format!("{left} and {right} {part}\n");
    let mut line = |name: &str, side: &Option<Side>| {
        text.push_str(&match side {
            Some(side) => {
                let (bytes, excerpt) = (grouped(side.payload_bytes), record::excerpt(&side.excerpt));
                format!("  {name}: {}, {bytes} bytes: {excerpt}\n", side.kind)
            }
            None => format!("  {name}: no such record\n"),
        });
    };
    line(&left, &parting.left);
    line(&right, &parting.right);
    text.push_str(&match parting.payload_differs_at {
        Some(offset) => format!("  the payloads differ from byte {offset} on\n"),
        None => String::new(),
    });
    text
}

fn as_json(comparison: &Comparison) -> Value {
    match comparison {
        Comparison::Same(head) => json!({
            "same": true,
            "sequence": head.sequence,
            "hash": head.hash.to_string(),
        }),
        Comparison::Parted(parting) => {
            let Parting { sequence, common, left, right, payload_differs_at } = &**parting;
            json!({
                "same": false,
                "sequence": sequence,
                "common": { "sequence": common.sequence, "hash": common.hash.to_string() },
                "left": left.as_ref().map(side),
                "right": right.as_ref().map(side),
                "payload_differs_at": payload_differs_at,
            })
        }
    }
}

fn side(side: &Side) -> Value {
    let mut value = json!({
        "kind": side.kind,
        "payload_bytes": side.payload_bytes,
        "hash": side.head.hash.to_string(),
    });
    record::put(&mut value, "excerpt", &side.excerpt);
    value
}

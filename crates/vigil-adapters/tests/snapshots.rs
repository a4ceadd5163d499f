//! Every committed recording as a tree of spans, compared with `expected.txt` beside it.
//!
//! `VIGIL_BLESS=1 cargo test -p vigil-adapters --test snapshots` writes the files anew; look at the difference.

mod support;

use std::fs;
use support::{Feed, Recording, corpus, recordings, tree};

#[test]
fn every_committed_recording_gives_the_expected_tree() {
    let recordings = recordings(&corpus());
    assert!(recordings.len() >= 20, "only {} recordings", recordings.len());
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let bless = std::env::var_os("VIGIL_BLESS").is_some();
    let mut different = Vec::new();
    for recording in recordings {
        let path = recording.folder.join("expected.txt");
        let text = picture(&recording);
        if bless {
            fs::write(&path, &text).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            different.push(format!("--- {} is now\n{text}", path.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn picture(recording: &Recording) -> String {
    let mut text = String::new();
    for index in 0..recording.streams.len() {
        for feed in [Feed::Both, Feed::Stream] {
            section(&mut text, recording, index, feed);
        }
    }
    if recording.main.is_some() {
        section(&mut text, recording, 0, Feed::Transcript);
    }
    text
}

fn section(text: &mut String, recording: &Recording, index: usize, feed: Feed) {
    let (facts, summary) = recording.import(index, feed);
    let title = match feed {
        Feed::Both => format!("process {} from stream and transcript", index + 1),
        Feed::Stream => format!("process {} from the stream alone", index + 1),
        Feed::Transcript => "from the transcript alone".to_owned(),
    };
    text.push_str(&format!("# {title}: {}\n", summary.reason.as_deref().unwrap_or("ok")));
    text.push_str(&tree::render(&facts));
    for note in &summary.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push('\n');
}

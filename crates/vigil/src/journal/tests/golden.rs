//! Every version's bytes stay readable.

use super::*;
use crate::CapabilityError;
use crate::journal::{CAPABILITY_CALL, Call, Outcome};

const V1: &[u8] = include_bytes!("../../../tests/fixtures/journal/v1.journal");

/// What is in every golden file. The last payload holds the beginning of a frame.
fn golden_events() -> Vec<(&'static str, Vec<u8>)> {
    let call =
        |number, outcome| Call { number, capability: "net.fetch", digest: [0x11; 32], outcome }.to_payload().unwrap();
    let denied = Outcome::Failed { kind: CapabilityError::Denied, error_type: "capability_denied" };
    vec![
        ("message.received", b"find me a paper".to_vec()),
        ("plan.made", b"{\"steps\":3}".to_vec()),
        (CAPABILITY_CALL, call(0, Outcome::Answered(b"<html>"))),
        (CAPABILITY_CALL, call(1, denied)),
        ("empty", Vec::new()),
        ("binary", b"\xf5VJ1\x00\xff".to_vec()),
    ]
}

fn golden() -> Vec<u8> {
    let events = golden_events();
    journal_of(&events.iter().map(|(kind, payload)| (*kind, payload.as_slice())).collect::<Vec<_>>())
}

/// Made anew only by hand, and only when a version is: `VIGIL_WRITE_GOLDEN=1 cargo test -p vigil-sdk golden`.
#[test]
fn what_is_written_today_is_version_1_to_the_byte() {
    if std::env::var_os("VIGIL_WRITE_GOLDEN").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal/v1.journal");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, golden()).unwrap();
        return;
    }
    assert!(golden() == V1, "the bytes have changed: that is a new version, with a golden file of its own");
}

#[test]
fn the_golden_file_of_version_1_reads_as_it_was_written() {
    let mut reader = reader(V1);
    assert_eq!(reader.stream(), Some("stream"));
    for (sequence, (kind, payload)) in (1..).zip(golden_events()) {
        let envelope = reader.next_record().unwrap().unwrap();
        assert_eq!((envelope.sequence, envelope.kind, envelope.payload), (sequence, kind, payload.as_slice()));
    }
    assert_eq!(reader.next_record().unwrap(), None);
    let verification = verified(V1);
    assert!(verification.is_intact());
    assert_eq!(verification.head.hash.to_string(), "da824164430eb0adbf30aa8009e5dedfbcbd78ec75c7b1d0e11fa04397e103bd");
}

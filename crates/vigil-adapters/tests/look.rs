//! scratch
mod support;
#[test]
fn look() {
    let Some(shared) = support::shared() else { return };
    let only = std::env::var("ONLY").ok();
    for recording in support::recordings(&shared) {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|o| o == recording.name)) { continue; }
        for index in 0..recording.streams.len() {
            for feed in [support::Feed::Both, support::Feed::Stream, support::Feed::Transcript] {
                let (facts, summary) = recording.import(index, feed);
                println!("===== {} #{index} {feed:?}\n{}", recording.name, support::tree::render(&facts));
                println!("  reason={:?} notes={:?} unknown={} bad={} reported={:?} cost={:?}", summary.reason, summary.notes, summary.unknown_events, summary.bad_lines, summary.reported_cost_usd, summary.cost_nano_usd);
                for fact in &facts { for v in vigil_core::contract::verify(fact, false) { println!("  VIOLATION {v}"); } }
            }
        }
    }
}

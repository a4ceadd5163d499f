//! Who is measured. Each contender runs in a process of its own ([`crate::worker`]), so that none pays for
//! another's subscriber, threads or heap.

mod bridge;
mod fastrace;
mod floor;
mod json_log;
mod sdk;
mod tracing_off;
mod tracing_spans;
mod vigil;

pub(crate) use self::sdk::{record_chats as record_sdk_chats, record_one_of_each as record_sdk_one_of_each};
pub(crate) use self::vigil::{record_chats as record_vigil_chats, record_one_of_each as record_vigil_one_of_each};

use crate::workload::Shape;
use std::sync::Arc;

/// Something that records spans.
pub(crate) trait Contender: Send + Sync {
    /// Records `spans` spans of one shape on the calling thread. This is what is timed.
    fn record(&self, shape: Shape, spans: u32);

    /// Waits until background work on what was recorded is done. Not timed, but its CPU is counted as the
    /// process's.
    fn settle(&self) {}

    /// Ends, and answers how many of the recorded spans arrived where they go; `None` where nothing counts them.
    fn finish(&self) -> Option<u64> {
        None
    }
}

/// A contender's name, what people read, and how it is set up.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) set_up: fn() -> Arc<dyn Contender>,
}

/// All of them, in the order of the table.
pub(crate) const ALL: &[Entry] = &[
    Entry { name: "floor", title: "floor: 2 clock reads, id, copying 256 bytes", set_up: floor::cheapest_clock },
    Entry { name: "floor-system", title: "floor, with the system's clock", set_up: floor::system_clock },
    Entry { name: "vigil-off", title: "vigil, off", set_up: vigil::off },
    Entry { name: "tracing-off", title: "tracing, no subscriber", set_up: tracing_off::set_up },
    Entry { name: "vigil", title: "vigil, on, to memory", set_up: vigil::on },
    Entry { name: "vigil-spool", title: "vigil, on, through a spool, kill-proof", set_up: vigil::spool },
    Entry { name: "fastrace", title: "fastrace, local span under a root", set_up: fastrace::set_up },
    Entry { name: "sdk", title: "OpenTelemetry SDK, batch, null exporter", set_up: sdk::set_up },
    Entry { name: "bridge-lean", title: "tracing-opentelemetry, extras off", set_up: bridge::lean },
    Entry { name: "bridge", title: "tracing-opentelemetry, defaults", set_up: bridge::default },
    Entry { name: "vigil-json", title: "vigil, JSON log alone, to a sink", set_up: vigil::json },
    Entry { name: "tracing-json", title: "tracing JSON on close, to a sink", set_up: json_log::set_up },
];

/// The contender of that name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

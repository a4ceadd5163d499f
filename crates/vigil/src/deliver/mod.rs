//! Takes encoded batches to where they are wanted, and keeps count of every record.
//!
//! ```text
//!                      ┌─ queue ─ lane traces ──► HTTP (protobuf, JSON) or gRPC
//! offer(batch) ─┬─► destination ─ queue ─ lane logs
//!  never blocks │      └─ queue ─ lane metrics
//!               └─► destination … (a directory, memory, one of your own)
//! ```
//!
//! With a [`SpoolConfig`] a batch is on the disk before it is sent, and lanes take it from there: what a destination
//! did not take outlives the process. Before a batch leaves it is made to fit what its destination takes ([`Limits`]).
//!
//! [`Delivery::start`] makes one thread with a runtime of its own; the host's runtime, if it has one, is
//! never touched, so delivery is the same without a runtime, on a single worker and inside a task. Each
//! destination has its own queue (bounded in bytes; the oldest batch of the fullest signal gives way) and
//! each of its signals a lane of its own: a slow or refused signal delays itself alone.
//!
//! A destination that cannot be reached is tried again for as long as the queue has room, with exponential
//! backoff and jitter, at the pace the destination asks for; one warning says so and one line says when it is
//! over. Delivery is at least once: an answer that was lost on its way makes the batch go twice, with the same
//! span ids.
//!
//! Nothing vanishes: when [`Delivery::shutdown`] returns, each destination's [`Receipt`] says for every signal
//! *recorded = delivered + spooled + lost*, the lost ones by [`LossReason`]. `shutdown` and `flush` end at their deadline
//! plus at most 100 ms, whatever the network does.

mod backend;
mod breaker;
mod config;
mod destination;
mod diagnostic;
mod endpoint;
mod file;
mod grpc;
mod http;
mod lane;
mod memory;
mod own;
mod post;
mod proxy;
mod queue;
mod receipt;
mod retry;
mod spool;
mod thread;
mod throttle;
pub(crate) mod tls;
mod transport;
mod worker;

pub use backend::{Backend, Limits};
pub use config::{
    Compression, DEFAULT_QUEUE_BYTES, DEFAULT_TIMEOUT, DestinationConfig, HARD_MAX_REQUEST_BYTES, OtlpConfig, Protocol,
    SignalConfig, Target,
};
pub(crate) use diagnostic::tell;
pub use diagnostic::{Diagnostic, Diagnostics, Problem};
pub use endpoint::{Endpoint, EndpointError, HeaderError, Headers};
pub use memory::MemoryDestination;
pub use own::OwnDestination;
pub(crate) use post::spool_parties;
pub use proxy::{Proxies, Proxy, UnusableProxy};
pub use receipt::{DestinationReceipt, LeftBehind, LossReason, Losses, Receipt, SignalReceipt};
pub use spool::{DEFAULT_SPOOL_BYTES, SpoolConfig, SpoolLoss, SpoolStatus, SpoolWaiting, spool_batches, spool_status};
pub(crate) use spool::{
    Party as SpoolParty, is_unlinked, leave as leave_in_spool, make_folder as make_spool_folder,
    set_aside_files as set_aside_in_spool,
};
pub use tls::{Tls, TlsError};
pub use worker::{Delivery, is_delivery_thread};

#[cfg(test)]
mod tests;

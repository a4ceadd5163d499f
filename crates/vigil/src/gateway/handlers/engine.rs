//! The thread that fetches: with a runtime of its own, so that fetching is the same with tokio, without, and inside a
//! task. Started with the first request, ended with its owner.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Threads that look up names; more lookups wait for their turn.
const LOOKUP_THREADS: usize = 8;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Debug, Default)]
pub(super) struct Engine(OnceLock<UnboundedSender<Work>>);

impl Engine {
    /// Has the thread do `work`. How much waits there is up to those who wait for it.
    pub(super) fn start(&self, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let sender = match self.0.get() {
            Some(sender) => sender,
            None => {
                let sender = start_thread()?;
                // Two threads may have been first; the other's ends by itself.
                self.0.get_or_init(|| sender)
            }
        };
        sender.send(Box::pin(work)).map_err(|_| io::Error::other("the thread that fetches has ended"))
    }
}

fn start_thread() -> io::Result<UnboundedSender<Work>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUP_THREADS)
        .thread_name("vigil-lookup")
        .build()?;
    let (sender, mut receiver) = unbounded_channel::<Work>();
    crate::shell::spawn("fetch", move || {
        runtime.block_on(async {
            while let Some(work) = receiver.recv().await {
                runtime.spawn(work);
            }
        });
        // A lookup that hangs holds up nobody.
        runtime.shutdown_background();
    })?;
    Ok(sender)
}

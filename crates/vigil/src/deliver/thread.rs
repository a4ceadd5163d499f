//! What the delivery thread does: it runs the lanes, keeps the spool, and obeys.

use super::config::{DestinationConfig, Target};
use super::destination::Mark;
use super::lane::{self, Control};
use super::post::Post;
use super::worker::{Command, IS_DELIVERY_THREAD, Reply, close, disable};
use crate::clock::monotonic;
use crate::encode::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What a shutdown waits for a destination whose batches are in the spool: one that is near and well takes the last
/// of them in that time, and no other is worth waiting for, nor one that did not take the last thing it was sent.
pub(super) const SPOOL_PATIENCE: Duration = Duration::from_millis(5);
/// Between two looks whether they did.
const SPOOL_LOOK_EVERY: Duration = Duration::from_micros(500);
/// Between two syncs of the spool, when something was written to it.
const SYNC_EVERY: Duration = Duration::from_millis(100);
/// Between two looks for what dead processes left.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Starts a task on delivery's own runtime, the only one there is on its thread.
#[expect(clippy::disallowed_methods, reason = "called on the delivery thread only")]
pub(super) fn task<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

/// Delivers until it is told to stop, or nobody is left to tell it.
pub(super) fn run(
    configs: &[Arc<DestinationConfig>],
    post: &Arc<Post>,
    progress: &watch::Sender<u64>,
    commands: mpsc::UnboundedReceiver<Command>,
) {
    let own = configs.iter().filter(|config| matches!(config.target, Target::Own(_))).count();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Names are resolved and files written on these, and each signal of somebody's own destination may hold one.
        .max_blocking_threads(8 + Signal::ALL.len() * own)
        .thread_name("vigil-deliver-io")
        .on_thread_start(|| IS_DELIVERY_THREAD.set(true))
        .build();
    let Ok(runtime) = runtime else {
        disable(post);
        return;
    };
    let control = watch::Sender::new(Control::default());
    let reply = runtime.block_on(async {
        if post.spool.is_some() {
            task(keep_spool(Arc::clone(post)));
        }
        for (at, config) in configs.iter().enumerate() {
            for signal in Signal::ALL {
                task(lane::run(Arc::clone(post), at, Arc::clone(config), signal, control.subscribe()));
            }
        }
        obey(post, progress, &control, commands).await
    });
    // A resolver or a disk that hangs keeps its thread but not us.
    runtime.shutdown_background();
    if let Some(reply) = reply {
        reply(());
    }
}

/// Looks for what dead processes left and syncs what was written, until the runtime ends.
async fn keep_spool(post: Arc<Post>) {
    let mut look_at = tokio::time::Instant::now();
    loop {
        let of_thread = Arc::clone(&post);
        let look = tokio::time::Instant::now() >= look_at;
        let work = tokio::task::spawn_blocking(move || {
            if look {
                of_thread.look();
            }
            if let Some(spool) = &of_thread.spool {
                spool.sync();
            }
        });
        drop(work.await);
        if look {
            look_at = tokio::time::Instant::now() + LOOK_EVERY;
        }
        tokio::time::sleep(SYNC_EVERY).await;
    }
}

/// Carries out commands until the shutdown is done, or nobody is left to give one.
async fn obey(
    post: &Arc<Post>,
    progress: &watch::Sender<u64>,
    control: &watch::Sender<Control>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Option<Reply<()>> {
    let everyone: Vec<_> = (0..post.destinations.len()).collect();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Flush { marks, until, reply } => {
                control.send_modify(|control| control.urge = control.urge.wrapping_add(1));
                let (post, everyone, progress) = (Arc::clone(post), everyone.clone(), progress.subscribe());
                task(async move { reply(settled(&post, &everyone, &marks, until, progress).await) });
            }
            Command::Shutdown { until, reply } => {
                control.send_modify(|control| control.deadline = Some(until.into()));
                let marks: Vec<_> = post.destinations.iter().map(|destination| destination.mark()).collect();
                let (spooled, others): (Vec<_>, Vec<_>) = everyone.iter().partition(|at| post.is_spooled(**at));
                let patience = until.min(monotonic() + SPOOL_PATIENCE);
                tokio::join!(
                    taken(post, &spooled, &marks, patience),
                    settled(post, &others, &marks, until, progress.subscribe()),
                );
                close(post, until);
                return Some(reply);
            }
        }
    }
    None
}

/// Waits until the destinations in `which` reached their marks, those aside that fail. The last of the spool is not
/// synced at the end: a process is not gone before its disk has answered, and the system writes it by itself.
async fn taken(post: &Post, which: &[usize], marks: &[Mark], until: Instant) {
    let is_waited_for = |at: &usize| match (post.destinations.get(*at), marks.get(*at)) {
        (Some(destination), Some(mark)) => destination.reached(mark).is_none() && !destination.is_failing(),
        _ => false,
    };
    while which.iter().any(is_waited_for) && monotonic() < until {
        tokio::time::sleep(SPOOL_LOOK_EVERY).await;
    }
}

/// Waits until the destinations in `which` reached their marks; false when the time is up or something was lost.
async fn settled(
    post: &Post,
    which: &[usize],
    marks: &[Mark],
    until: Instant,
    mut progress: watch::Receiver<u64>,
) -> bool {
    loop {
        progress.mark_unchanged();
        let reached = |at: &usize| Some(post.destinations.get(*at)?.reached(marks.get(*at)?));
        let reached: Vec<_> = which.iter().filter_map(reached).collect();
        if reached.iter().all(Option::is_some) {
            return reached.iter().all(|complete| *complete == Some(true));
        }
        let changed = tokio::time::timeout_at(until.into(), progress.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            return false;
        }
    }
}

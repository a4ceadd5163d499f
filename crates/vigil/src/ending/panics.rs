//! Panics: spans that one ends are told as such, and what was recorded outlives the process it ends.
//!
//! A hook takes note and hands on to the hook that was there. Spans whose handles the panic unwinds end as failed,
//! with `error.type` = `panic`, also when somebody catches it further up: they did not end as they should. When the
//! panic was on the main thread, or the process exits out of a panic, telemetry that is still there ends with the
//! process, and whatever is open then with it, likewise as failed. A process that is built to abort on a panic ends
//! its telemetry inside the hook, before it does.
//!
//! The message of a panic is free text: it is read only where content is recorded, and ends up on the spans as
//! `exception.message`.
//!
//! A program that catches a panic of its main thread and exits without a shutdown has what is open on other threads
//! told as failed too. A panic that cannot unwind (one inside another) leaves no time. A hook that is set after ours and
//! does not hand on leaves what unwinding ends, and nothing more.

use super::{Cause, everyone};
use crate::record::Recorder;
use crate::record::format::ValueRef;
use crate::shell;
use crate::span::Ambient;
use crate::telemetry::Inner;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use vigil_core::contract::attr;

/// The process that watches, 0 for none: in a fork there is nobody to deliver.
static WATCHED: AtomicU32 = AtomicU32::new(0);
/// The main thread panicked.
static MAIN_PANICKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What the last panic of this thread said, where that may be recorded.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn handles_panics(inner: &Inner) -> bool {
    inner.handles_panics
}

/// Watches from here on, once a process.
pub(super) fn watch(tell: &dyn Fn(&str)) {
    if std::thread::panicking() {
        // Hooks cannot be changed then.
        return tell("panics are not handled: telemetry started during one");
    }
    // Where it was watched before the hook is there: in this process, or in the one this is a fork of.
    if WATCHED.swap(std::process::id(), Ordering::AcqRel) == 0 {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            panicked(info, cfg!(panic = "abort"));
            before(info);
        }));
        #[cfg(unix)]
        super::system::at_exit(left);
    }
}

fn is_watched() -> bool {
    WATCHED.load(Ordering::Acquire) == std::process::id()
}

/// In the hook. `aborts` says that nothing of this process is left afterwards.
fn panicked(info: &PanicHookInfo<'_>, aborts: bool) {
    // One of ours is caught, and would wait for itself.
    if !is_watched() || shell::is_own_thread() {
        return;
    }
    let said = living_with_content().next().is_some().then(|| said(info)).flatten();
    let is_last = aborts || cfg!(not(unix)) && is_main_thread();
    if is_last {
        if let Some(said) = said {
            living_with_content().for_each(|recorder| record(recorder, &said));
        }
        everyone::end(handles_panics, Cause::Panic);
        return;
    }
    if is_main_thread() {
        MAIN_PANICKED.store(true, Ordering::Release);
    }
    // A thread that is being torn down has no place left for it.
    SAID.try_with(|last| last.replace(said)).ok();
}

/// Nothing will be unwound: the message belongs to the span the thread is inside of.
fn record(recorder: &'static Recorder, said: &str) {
    if let Some(inside) = Ambient::of(recorder) {
        let message = [(attr::EXCEPTION_MESSAGE, ValueRef::Str(said))];
        recorder.set(inside.context.span_id, &message);
    }
}

fn living_with_content() -> impl Iterator<Item = &'static Recorder> {
    let living = everyone::living(handles_panics).into_iter();
    living.filter_map(|inner| inner.recorder()).filter(|recorder| recorder.content)
}

fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}

fn said(info: &PanicHookInfo<'_>) -> Option<String> {
    let payload = info.payload();
    payload.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| payload.downcast_ref().cloned())
}

/// When the process exits.
#[cfg(unix)]
extern "C" fn left() {
    if is_watched() && (MAIN_PANICKED.load(Ordering::Acquire) || std::thread::panicking()) {
        everyone::end(handles_panics, Cause::Panic);
    }
}

/// A panic that is unwinding this thread, and that is to be told.
#[derive(Debug)]
pub(crate) struct Unwinding {
    /// What it said, where that may be recorded.
    pub(crate) said: Option<String>,
}

/// The panic that ends spans of `recorder` on this thread now, if there is one and its telemetry handles panics.
pub(crate) fn unwinding(recorder: &'static Recorder) -> Option<Unwinding> {
    if !std::thread::panicking() || !is_watched() {
        return None;
    }
    let of = |inner: &Inner| inner.recorder().is_some_and(|other| std::ptr::eq(other, recorder));
    everyone::living(handles_panics).iter().any(|inner| of(inner)).then(|| {
        let said = SAID.try_with(|said| said.borrow().clone()).ok().flatten();
        Unwinding { said: said.filter(|_| recorder.content) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_aborts_on_a_panic_has_delivered_before_and_the_message_is_private() {
        for (content, said) in [("false", false), ("true", true)] {
            let folder = std::env::temp_dir().join(format!("vigil-abort-{content}-{}", std::process::id()));
            std::fs::remove_dir_all(&folder).ok();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ending::panics::tests::child_that_aborts", "--ignored", "--nocapture"])
                .env("VIGIL_TEST_FOLDER", &folder)
                .env("VIGIL_CAPTURE_CONTENT", content)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert!(!status.success());
            let traces = std::fs::read_to_string(folder.join("traces.jsonl")).unwrap();
            std::fs::remove_dir_all(&folder).ok();
            assert!(traces.contains("invoke_agent a") && traces.contains("execute_tool t"), "{traces}");
            assert_eq!(
                traces.matches(r#"{"key":"error.type","value":{"stringValue":"panic"}}"#).count(),
                2,
                "{traces}"
            );
            assert_eq!(traces.contains("c4n4ry"), said, "{traces}");
        }
    }

    #[test]
    #[ignore = "run by the test above, in a process of its own"]
    fn child_that_aborts() {
        let folder = std::env::var_os("VIGIL_TEST_FOLDER").unwrap();
        let telemetry = crate::from_env("child").otlp_dir(folder).handle_panics(true).start();
        // As the hook of a program is that was built with `panic = "abort"`.
        std::panic::set_hook(Box::new(|info| {
            panicked(info, true);
            std::process::abort();
        }));
        let agent = telemetry.agent_span("s", "a");
        let _inside = agent.enter();
        let _tool = agent.tool_span("t", "c");
        panic!("c4n4ry");
    }
}

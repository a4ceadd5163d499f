//! What the agent lives through, as events of its own in a journal: written while it works, and met again in a replay.
//!
//! The journal of a run begins with [`RUN_STARTED`], which holds all that decides what the agent will do: its task, its
//! models and its policy. Then come the calls it makes, which the gateway records, and between them its decisions, in
//! the order they happen; last [`RUN_ENDED`]. Durations, ids and folders are no part of it: the same run has the same
//! hash wherever it runs.

use super::model::{Model, Protocol};
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use vigil::gateway::GatewayBuilder;
use vigil::journal::{Head, Item, Journal, Reader, Replay};
use vigil::{ErrorType, Span};

/// The agent is about to begin.
pub(crate) const RUN_STARTED: &str = "run.started";
/// It has changed how it works.
pub(crate) const MODE_CHANGED: &str = "mode.changed";
/// It has changed how it spends.
pub(crate) const ECONOMY_CHANGED: &str = "economy.changed";
/// A call was given leave, or none.
pub(crate) const APPROVAL_DECIDED: &str = "approval.decided";
/// It has judged its work.
pub(crate) const WORK_JUDGED: &str = "work.judged";
/// It is done, or has given up.
pub(crate) const RUN_ENDED: &str = "run.ended";

/// Where the agent's events go.
#[derive(Clone, Debug)]
pub(crate) enum Events {
    /// Nowhere.
    Unkept,
    /// Into a journal.
    Recorded(Arc<Journal>),
    /// They are compared with those of a journal, from which the results of all calls come.
    Replayed(Arc<Mutex<Replay<File>>>),
}

/// Why the agent cannot go on as it is to be recorded, or was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EventError {
    /// In a word.
    pub(crate) kind: ErrorType,
    /// In a sentence.
    pub(crate) message: String,
}

impl Events {
    /// Says that something happened in `span`.
    pub(crate) fn append(&self, span: &Span, kind: &str, payload: &Value) -> Result<(), EventError> {
        let payload = payload.to_string();
        match self {
            Self::Unkept => Ok(()),
            Self::Recorded(journal) => {
                journal.append(span, kind, payload.as_bytes()).map(drop).map_err(|error| EventError::unwritten(&error))
            }
            Self::Replayed(replay) => {
                let mut replay = replay.lock().unwrap_or_else(PoisonError::into_inner);
                replay.append(kind, payload.as_bytes()).map(drop).map_err(|error| EventError::parted(&error))
            }
        }
    }

    /// Has a gateway's calls go the same way.
    pub(crate) fn attach(&self, gateway: GatewayBuilder) -> GatewayBuilder {
        match self {
            Self::Unkept => gateway,
            Self::Recorded(journal) => gateway.record(Arc::clone(journal)),
            Self::Replayed(replay) => gateway.replay(Arc::clone(replay)),
        }
    }

    /// Whether the world is left alone.
    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Self::Replayed(_))
    }

    /// The last event, once there are no more: on the disk, or the one the recorded run ended with.
    pub(crate) fn finish(&self) -> Result<Option<Head>, EventError> {
        match self {
            Self::Unkept => Ok(None),
            Self::Recorded(journal) => journal.flush().map(Some).map_err(|error| EventError::unwritten(&error)),
            Self::Replayed(replay) => {
                let mut replay = replay.lock().unwrap_or_else(PoisonError::into_inner);
                replay.finish().map(Some).map_err(|error| EventError::parted(&error))
            }
        }
    }
}

impl EventError {
    fn unwritten(error: &dyn std::error::Error) -> Self {
        let message = format!("the journal cannot be written: {error}");
        Self { kind: ErrorType::from_static("recording_failed"), message }
    }

    fn parted(error: &dyn std::error::Error) -> Self {
        Self { kind: ErrorType::from_static("replay_diverged"), message: error.to_string() }
    }
}

/// What decides a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Beginning {
    /// The stream of the journal, which is the session.
    pub(super) session: String,
    pub(super) task: String,
    /// The agent's, the cheaper one it turns to, and its helper's.
    pub(super) models: [(Protocol, String); 3],
    /// As the user named it: a preset, or its text.
    pub(super) policy: String,
    pub(super) scripted: bool,
}

/// The payload of [`RUN_STARTED`].
pub(super) fn beginning(task: &str, models: [&Model; 3], policy: &str, scripted: bool) -> Value {
    let models = models.map(|model| json!({ "protocol": model.protocol().as_str(), "name": model.name() }));
    json!({ "task": task, "models": models, "policy": policy, "scripted": scripted })
}

impl Beginning {
    /// Reads how the run in the journal at `path` began.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let cannot = |error: &dyn std::error::Error| format!("{} cannot be replayed: {error}", path.display());
        let no_run = || format!("{} cannot be replayed: it does not begin as a run of the demo does", path.display());
        let mut reader = Reader::open(path).map_err(|error| cannot(&error))?;
        let session = reader.stream().map(str::to_owned);
        let payload = match reader.next().map_err(|error| cannot(&error))? {
            Some(Item::Record(_, envelope)) if envelope.kind == RUN_STARTED => envelope.payload,
            _ => return Err(no_run()),
        };
        let payload: Value = serde_json::from_slice(payload).map_err(|_| no_run())?;
        Self::from_json(session, &payload).ok_or_else(no_run)
    }

    fn from_json(session: Option<String>, payload: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let models: Option<Vec<_>> = payload["models"]
            .as_array()?
            .iter()
            .map(|model| Some((Protocol::from_word(model["protocol"].as_str()?)?, text(&model["name"])?)))
            .collect();
        Some(Self {
            session: session.unwrap_or_default(),
            task: text(&payload["task"])?,
            models: models?.try_into().ok()?,
            policy: text(&payload["policy"])?,
            scripted: payload["scripted"].as_bool()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_read_as_it_was_written() {
        let model = |protocol, name| Model::recorded(protocol, name);
        let models = [model(Protocol::Anthropic, "a"), model(Protocol::Anthropic, "b"), model(Protocol::OpenAi, "c")];
        let [main, saving, helper] = &models;
        let written = beginning("count", [main, saving, helper], "deny-all", true);
        let read = Beginning::from_json(Some("session".to_owned()), &written).unwrap();
        let named = |protocol, name: &str| (protocol, name.to_owned());
        assert_eq!(
            read,
            Beginning {
                session: "session".to_owned(),
                task: "count".to_owned(),
                models: [
                    named(Protocol::Anthropic, "a"),
                    named(Protocol::Anthropic, "b"),
                    named(Protocol::OpenAi, "c")
                ],
                policy: "deny-all".to_owned(),
                scripted: true,
            }
        );
        for broken in [json!({}), json!({ "models": [] }), json!(7), json!({ "models": [{ "protocol": "x" }] })] {
            assert_eq!(Beginning::from_json(None, &broken), None);
        }
    }
}

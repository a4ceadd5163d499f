//! What the agent runs in: its models, its folder, its policy, and where its events go.
//!
//! One of three. The script's models are a server inside this program, and the folder is made for them; real models
//! come with the same folder; a replay has neither, only the journal of a run.

use super::args::DemoArgs;
use super::events::{Beginning, Events};
use super::model::{Model, Protocol};
use super::policy;
use super::scratch::{self, Scratch};
use super::script::{HELPER_MODEL, MAIN_MODEL, SAVING_MODEL};
use super::server::ScriptedServer;
use crate::system::{now, variable};
use std::path::Path;
use std::sync::{Arc, Mutex};
use vigil::gateway::Policy;
use vigil::journal::{Journal, Replay};

pub(super) const FAILED: u8 = 1;
pub(super) const WRONG_USAGE: u8 = 2;

/// Why the demo cannot even begin.
pub(super) struct Stop {
    pub(super) status: u8,
    pub(super) why: String,
}

impl Stop {
    pub(super) fn failed(what: &str, error: &std::io::Error) -> Self {
        Self { status: FAILED, why: format!("{what}: {error}") }
    }

    fn wrong_usage(why: String) -> Self {
        Self { status: WRONG_USAGE, why }
    }
}

/// All of it, set.
pub(super) struct Scene {
    pub(super) session: String,
    pub(super) task: String,
    pub(super) cast: Cast,
    /// As the user named it, and what that means.
    pub(super) policy: (String, Policy),
    pub(super) events: Events,
    /// `None` in a replay.
    pub(super) scratch: Option<Scratch>,
}

/// Who plays the models.
pub(super) struct Cast {
    pub(super) model: Model,
    pub(super) saving: Model,
    pub(super) helper: Model,
    /// Whether they only play a part.
    pub(super) is_scripted: bool,
    /// Answers for all of them as long as it lives.
    _server: Option<ScriptedServer>,
}

impl Scene {
    /// What the arguments ask for.
    pub(super) fn set(arguments: &DemoArgs) -> Result<Self, Stop> {
        if let Some(journal) = &arguments.replay {
            return Self::replayed(journal);
        }
        let policy = policy::load(arguments.policy.as_deref()).map_err(Stop::wrong_usage)?;
        let cast = if arguments.live { live(arguments.model.as_deref())? } else { scripted()? };
        let session = format!("vigil-demo-{}-{}", std::process::id(), now().0);
        let events = arguments.record.as_deref().map_or(Ok(Events::Unkept), |path| record(&session, path))?;
        let scratch = Scratch::create(&std::env::temp_dir(), &session)
            .map_err(|error| Stop::failed("the scratch folder cannot be made", &error))?;
        Ok(Self { session, task: scratch::TASK.to_owned(), cast, policy, events, scratch: Some(scratch) })
    }

    /// The scene of a run that was recorded: as it was, but for the world.
    fn replayed(path: &Path) -> Result<Self, Stop> {
        let Beginning { session, task, models, policy, scripted } = Beginning::read(path).map_err(Stop::wrong_usage)?;
        let cannot = |error: &dyn std::fmt::Display| {
            Stop::wrong_usage(format!("{} cannot be replayed: {error}", path.display()))
        };
        let rules = policy::read(&policy).map_err(|error| cannot(&error))?;
        let replay = Replay::open(path).map_err(|error| cannot(&error))?;
        let [model, saving, helper] = models.map(|(protocol, name)| Model::recorded(protocol, &name));
        Ok(Self {
            session,
            task,
            cast: Cast { model, saving, helper, is_scripted: scripted, _server: None },
            policy: (policy, rules),
            events: Events::Replayed(Arc::new(Mutex::new(replay))),
            scratch: None,
        })
    }
}

/// A new journal: what is there already is never written to.
fn record(session: &str, path: &Path) -> Result<Events, Stop> {
    let cannot = |why: &dyn std::fmt::Display| {
        Stop::wrong_usage(format!("a run cannot be recorded into {}: {why}", path.display()))
    };
    if path.symlink_metadata().is_ok() {
        return Err(cannot(&"there is something already"));
    }
    let journal = Journal::options(session).open(path).map_err(|error| cannot(&error))?;
    Ok(Events::Recorded(Arc::new(journal)))
}

fn scripted() -> Result<Cast, Stop> {
    let server = ScriptedServer::start().map_err(|error| Stop::failed("the scripted model cannot start", &error))?;
    Ok(Cast {
        model: Model::new(Protocol::Anthropic, &server.anthropic_url(), "none", MAIN_MODEL),
        saving: Model::new(Protocol::Anthropic, &server.anthropic_url(), "none", SAVING_MODEL),
        helper: Model::new(Protocol::OpenAi, &server.openai_url(), "none", HELPER_MODEL),
        is_scripted: true,
        _server: Some(server),
    })
}

/// The first provider there is a key for.
fn live(name: Option<&str>) -> Result<Cast, Stop> {
    const PROVIDERS: [(Protocol, &str, &str, &str, [&str; 2]); 2] = [
        (
            Protocol::Anthropic,
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "https://api.anthropic.com",
            ["claude-sonnet-5-5", "claude-haiku-5-5"],
        ),
        (
            Protocol::OpenAi,
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "https://api.openai.com/v1",
            ["gpt-6-sol", "gpt-6-luna"],
        ),
    ];
    let text = |name: &str| variable(name)?.into_string().ok().map(|value| value.trim().to_owned());
    for (protocol, key, base_url, usual_url, models) in PROVIDERS {
        if let Some(key) = text(key) {
            let base_url = text(base_url).unwrap_or_else(|| usual_url.to_owned());
            let model = |usual| Model::new(protocol, &base_url, &key, name.unwrap_or(usual));
            let [model, saving, helper] = [models[0], models[1], models[1]].map(model);
            return Ok(Cast { model, saving, helper, is_scripted: false, _server: None });
        }
    }
    Err(Stop::wrong_usage("--live needs a key in ANTHROPIC_API_KEY or OPENAI_API_KEY".to_owned()))
}

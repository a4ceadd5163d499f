//! Which agents are here, and what each can tell.

use super::finding::Finding;
use crate::system;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const TOPIC: &str = "agents";
/// Agents that are known by name, and what is seen of them.
const AGENTS: [(&str, &str); 1] = [(
    "claude",
    "turns, model calls with tokens and cost, tools, sub-agents and retries: from --output-format stream-json or json, \
     and from its transcripts",
)];

pub(super) fn examine() -> Vec<Finding> {
    let mut findings: Vec<_> = AGENTS
        .iter()
        .filter_map(|(name, told)| {
            let program = on_path(name)?;
            Some(Finding::good(TOPIC, format!("{name} is {}", program.display())).because(*told))
        })
        .collect();
    if findings.is_empty() {
        let what = "none that is understood in depth is on the PATH";
        let why = "any other command under vigil run gives one span: its name, outcome and duration";
        findings.push(Finding::good(TOPIC, what).because(why));
    }
    let variable = |name| system::variable(name).map(PathBuf::from);
    let claude = variable("CLAUDE_CONFIG_DIR").or_else(|| variable("HOME").map(|home| home.join(".claude")));
    if let Some(projects) = claude.map(|folder| folder.join("projects"))
        && projects.is_dir()
        && let Err(error) = fs::read_dir(&projects)
    {
        let what = format!("transcripts in {} cannot be read: {}", projects.display(), error.kind());
        findings.push(Finding::wrong(TOPIC, what).because("they settle what a stream leaves open"));
    }
    findings
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = system::variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| {
        fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

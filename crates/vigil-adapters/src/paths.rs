//! Where agents keep their records. Names only: nobody looks whether the files exist.

use std::path::{Path, PathBuf};

/// Where Claude Code keeps the transcripts of one session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TranscriptPaths {
    /// The session's own file.
    pub main: PathBuf,
    /// Folders that may hold files of its sub-agents, `agent-<id>.jsonl`, each with an `agent-<id>.meta.json`
    /// beside it in newer releases. The last one is shared by all sessions of a project (releases up to 2.0):
    /// only files with the session's id in them belong to it.
    pub sub_agents: Vec<PathBuf>,
}

/// Where the transcripts of a session are, for an agent that ran in `cwd` under a home folder `home`.
pub fn transcript_paths(home: &Path, cwd: &str, session_id: &str) -> TranscriptPaths {
    transcript_paths_in(&home.join(".claude"), cwd, session_id)
}

/// The same for a configuration folder that was moved (`CLAUDE_CONFIG_DIR`).
pub fn transcript_paths_in(config: &Path, cwd: &str, session_id: &str) -> TranscriptPaths {
    let folder: String = cwd.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    // An id is a file name here: it must not lead anywhere else.
    let session: String =
        session_id.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')).collect();
    let project = config.join("projects").join(folder);
    TranscriptPaths {
        main: project.join(format!("{session}.jsonl")),
        sub_agents: vec![project.join(&session).join("subagents"), project],
    }
}

/// The id of a sub-agent from the name of its transcript, `agent-<id>.jsonl`.
pub fn agent_id_of_file(file_name: &str) -> Option<&str> {
    file_name.strip_prefix("agent-")?.strip_suffix(".jsonl").filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_as_the_agent_makes_them_and_lead_nowhere_else() {
        let paths = transcript_paths(Path::new("/home/user"), "/home/user/de.mo", "9819e2bd-b463");
        assert_eq!(paths.main, Path::new("/home/user/.claude/projects/-home-user-de-mo/9819e2bd-b463.jsonl"));
        assert_eq!(
            paths.sub_agents[0],
            Path::new("/home/user/.claude/projects/-home-user-de-mo/9819e2bd-b463/subagents")
        );
        let evil = transcript_paths(Path::new("/h"), "/x/../../etc", "../../passwd");
        assert_eq!(evil.main, Path::new("/h/.claude/projects/-x-------etc/passwd.jsonl"));
    }

    #[test]
    fn agent_ids_are_read_from_file_names() {
        assert_eq!(agent_id_of_file("agent-ad23156848e1a4e28.jsonl"), Some("ad23156848e1a4e28"));
        for other in ["agent-.jsonl", "agent-x.meta.json", "x.jsonl"] {
            assert_eq!(agent_id_of_file(other), None, "{other}");
        }
    }
}

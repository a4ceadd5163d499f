//! The command line.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Measures Vigil and its peers in one run.

Usage: vigil-bench [--quick] [--only NAME]... [--json FILE] [--save]
       vigil-bench faults [--short]

  --quick       fewer rounds: about a third of the time, wider spreads
  --only NAME   only this contender (vigil, sdk, bridge, ...) or part (steady, burst, equality,
                gateway);
                may be given several times
  --json FILE   also writes everything measured as JSON
  --save        also writes bench-results/<date>-<machine>.json and .txt

  faults        makes collectors, disks and processes fail, and prints what became of the records beside what was
                promised: a quarter of an hour, or a minute with --short
";

/// What this process is to do.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Task {
    Measure(Args),
    Worker(String),
    Sink,
    Load,
    Faults { short: bool },
    FaultsAgent(String),
    Help,
}

/// What is to be measured, and where it goes.
#[derive(PartialEq, Eq, Debug, Default)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) save: bool,
    pub(crate) json: Option<PathBuf>,
    /// Contenders and parts; empty is everything.
    only: Vec<String>,
}

impl Args {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Parts besides the contenders.
const PARTS: [&str; 4] = ["steady", "burst", "equality", "gateway"];

pub(crate) fn parse(words: &[String]) -> Result<Task, String> {
    let mut words = words.iter().map(String::as_str);
    let mut args = Args::default();
    while let Some(word) = words.next() {
        match word {
            "worker" => return Ok(Task::Worker(words.next().unwrap_or_default().to_owned())),
            "sink" => return Ok(Task::Sink),
            "load" => return Ok(Task::Load),
            "faults" => {
                return match words.next() {
                    None => Ok(Task::Faults { short: false }),
                    Some("--short") => Ok(Task::Faults { short: true }),
                    Some(other) => Err(format!("{other} is not understood; see --help")),
                };
            }
            "faults-agent" => return Ok(Task::FaultsAgent(words.next().unwrap_or_default().to_owned())),
            "--help" | "-h" => return Ok(Task::Help),
            "--quick" => args.quick = true,
            "--save" => args.save = true,
            "--json" => args.json = Some(words.next().ok_or("--json wants a file")?.into()),
            "--only" => {
                let name = words.next().ok_or("--only wants a name")?;
                if crate::contenders::find(name).is_none() && !PARTS.contains(&name) {
                    let known = crate::contenders::ALL.iter().map(|entry| entry.name).chain(PARTS);
                    return Err(format!("no {name} here; there are {}", known.collect::<Vec<_>>().join(", ")));
                }
                args.only.push(name.to_owned());
            }
            other => return Err(format!("{other} is not understood; see --help")),
        }
    }
    Ok(Task::Measure(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_only_everything_is_wanted() {
        let Ok(Task::Measure(args)) = parsed("--quick") else { panic!("not a measurement") };
        assert!(args.quick && args.wants("sdk") && args.wants("burst"));
    }

    #[test]
    fn only_what_was_named_is_wanted() {
        let Ok(Task::Measure(args)) = parsed("--only vigil --only steady") else { panic!("not a measurement") };
        assert!(args.wants("vigil") && args.wants("steady") && !args.wants("sdk"));
    }

    #[test]
    fn an_unknown_name_is_told_with_those_that_are_known() {
        assert!(parsed("--only nobody").unwrap_err().contains("tracing-off"));
        assert!(parsed("--sideways").is_err());
        assert_eq!(parsed("worker vigil"), Ok(Task::Worker("vigil".to_owned())));
    }
}

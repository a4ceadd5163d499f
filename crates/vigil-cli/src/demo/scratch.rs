//! The folder the agent works in: made new below the system's folder for temporary files, readable for its owner
//! alone, and gone at the end of the program if the agent did not remove it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What the agent is asked.
pub(crate) const TASK: &str = "Write report.md with a line `errors: N`, where N is how many lines of the logs hold \
    ERROR, and see that `sh check.sh` is content with it.";

const FILES: &[(&str, &str)] = &[
    (
        "logs/monday.log",
        "09:01 INFO service started\n09:14 ERROR payment refused by the bank\n10:40 WARN slow answer\n\
         11:02 ERROR mailbox full\n15:30 ERROR connection reset\n18:00 INFO service stopped\n",
    ),
    (
        "logs/tuesday.log",
        "09:00 INFO service started\n12:21 ERROR disk nearly full\n12:22 INFO ERROR rate is normal again\n\
         18:00 INFO service stopped\n",
    ),
    (
        "check.sh",
        "# Whether report.md holds the number of errors in the logs. Does not tell the number.\n\
         counted=$(cat logs/*.log | grep -c ERROR)\n\
         reported=$(sed -n 's/^errors: *//p' report.md)\n\
         [ \"$counted\" = \"$reported\" ] && echo 'report.md is right' && exit 0\n\
         echo 'the number of errors in report.md is wrong' >&2\n\
         exit 1\n",
    ),
];

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder `name` below `parent` and fills it.
    pub(crate) fn create(parent: &Path, name: &str) -> io::Result<Self> {
        let folder = parent.join(name);
        // Fails where there is something already: nobody else's folder is ever filled, or removed.
        DirBuilder::new().mode(0o700).create(&folder)?;
        let scratch = Self(folder);
        fs::create_dir(scratch.0.join("logs"))?;
        for (name, text) in FILES {
            fs::write(scratch.0.join(name), text)?;
        }
        Ok(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Usually gone already: the agent cleans up after itself.
        drop(fs::remove_dir_all(&self.0));
    }
}

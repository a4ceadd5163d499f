//! Where a gateway is: the folder relative paths are meant below, and patterns made of what they really name.

use std::path::{Path, PathBuf};
use vigil_core::policy::{PathPattern, Policy};

#[derive(Debug)]
pub(in crate::gateway) struct Places {
    /// Absolute and resolved, as far as it exists.
    folder: PathBuf,
}

impl Places {
    /// Anchors and resolves the patterns of `policy`.
    pub(in crate::gateway) fn new(folder: Option<PathBuf>, policy: &mut Policy) -> Self {
        let folder = folder.unwrap_or_else(|| PathBuf::from("."));
        let folder = folder.canonicalize().or_else(|_| std::path::absolute(&folder)).unwrap_or(folder);
        // A folder that is no text matches no pattern either.
        let anchor = plain(&folder).unwrap_or_default();
        let real = |path: &str| plain(&Path::new(path).canonicalize().ok()?);
        let resolve = |pattern: &mut PathPattern| *pattern = pattern.anchored(&anchor).resolved(real);
        policy.files.read.iter_mut().for_each(resolve);
        policy.files.write.iter_mut().for_each(resolve);
        policy.processes.folders.iter_mut().for_each(resolve);
        Self { folder }
    }

    /// `path`, absolute.
    pub(in crate::gateway) fn absolute(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

/// A path as patterns have it: with `/` between its parts. `None` where it is no text.
pub(super) fn plain(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    #[cfg(windows)]
    let text = &format!("/{}", text.trim_start_matches(r"\\?\").replace('\\', "/"));
    Some(text.to_owned())
}

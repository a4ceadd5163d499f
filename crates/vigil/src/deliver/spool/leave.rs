//! Putting into the spool what a process that is gone would have put there.

use super::folder::{Folder, Party};
use super::store::segment_bytes;
use super::{SET_ASIDE, frame, make_folder};
use crate::clock::unix_wall;
use crate::encode::Batch;
use std::fs;
use std::io;
use std::path::Path;

/// Leaves `batches` in the spool in `root` as the folder `name` of a process that is gone, for `parties`. They are there
/// as a whole or not at all, and on the disk. Where there is a folder of that name already they are in it: somebody died
/// between this and forgetting where the batches came from.
pub(crate) fn leave(root: &Path, name: &str, parties: &[Party], batches: &[Batch], max_bytes: u64) -> io::Result<()> {
    let name = format!("{name}-recovered");
    if root.join(&name).exists() {
        return Ok(());
    }
    let now = unix_wall().0;
    let mut folder = Folder::create_with(root, &name, parties, |folder| {
        for batch in batches {
            let head = frame::Head::of(batch.body(), batch.records(), now)?;
            folder.append(batch, &head, segment_bytes(max_bytes))?;
        }
        Ok(())
    })?;
    let (files, path) = folder.take_unsynced();
    files.iter().for_each(|file| drop(file.sync_data()));
    if let Some(path) = path {
        drop(fs::File::open(path).and_then(|folder| folder.sync_all()));
    }
    Ok(())
}

/// Moves files that cannot be read out of the way of the spool in `root`.
pub(crate) fn set_aside_files(root: &Path, files: &[&Path]) {
    let aside = root.join(SET_ASIDE);
    if make_folder(&aside).is_err() {
        return;
    }
    for file in files {
        if let Some(name) = file.file_name() {
            fs::rename(file, aside.join(name)).ok();
        }
    }
}

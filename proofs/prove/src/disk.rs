//! A small ext4 on a loop device. A machine that cannot make one fails the proof: nothing is skipped.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, scratch};

/// A mounted disk; dropping it unmounts.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Disk {
    pub(crate) fn of(megabytes: u64) -> Outcome<Self> {
        let folder = scratch()?;
        let (image, root) = (folder.path().join("image"), folder.path().join("root"));
        fs::File::create(&image)?.set_len(megabytes << 20)?;
        fs::create_dir(&root)?;
        // Nothing is kept for root, who runs this.
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&root))?;
        Ok(Self { root, _folder: folder })
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    /// Takes all room but this much.
    pub(crate) fn fill(&self, but: u64) -> Outcome<()> {
        let mut file = fs::File::options().append(true).create(true).open(self.ballast())?;
        let mut block = vec![1; 1 << 16];
        while !block.is_empty() {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => block.truncate(block.len() / 2),
                Err(error) => return Err(error.into()),
            }
        }
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(but))?;
        file.sync_all()?;
        Ok(())
    }

    /// There is room again.
    pub(crate) fn relieve(&self) -> Outcome<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what hangs on it must not keep it.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.root)) {
            crate::print(&format!("{} stays mounted: {error}", self.root.display()));
        }
    }
}

fn run(command: &mut Command) -> Outcome<()> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{program} is needed, and root: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} failed, loop devices and root are needed: {}", String::from_utf8_lossy(&output.stderr))
        .into())
}

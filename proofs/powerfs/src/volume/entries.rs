//! What changes the entries of folders.

use super::{Attributes, Ino, Owner, Volume};
use crate::{
    content::Content,
    ledger::{Entry, Step},
    options::SyncFlag,
};
use fuser::{Errno, FileAttr, RenameFlags};
use std::ffi::OsStr;

impl Volume {
    pub(crate) fn lookup(&self, folder: Ino, name: &OsStr) -> Result<FileAttr, Errno> {
        self.attributes(self.find(folder, name)?)
    }

    pub(crate) fn create(&mut self, folder: Ino, name: &OsStr, owner: Owner) -> Result<FileAttr, Errno> {
        self.make(folder, name, Some(Content::default()), owner)
    }

    pub(crate) fn create_folder(&mut self, folder: Ino, name: &OsStr, owner: Owner) -> Result<FileAttr, Errno> {
        self.make(folder, name, None, owner)
    }

    pub(crate) fn link(&mut self, ino: Ino, folder: Ino, name: &OsStr) -> Result<FileAttr, Errno> {
        if self.live.find(folder, name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.inode_mut(ino)?.links += 1;
        self.enter(vec![entry(folder, name, Some(ino))]);
        self.attributes(ino)
    }

    pub(crate) fn remove(&mut self, folder: Ino, name: &OsStr) -> Result<(), Errno> {
        let ino = self.find(folder, name)?;
        self.unlink(Some(ino));
        self.enter(vec![entry(folder, name, None)]);
        Ok(())
    }

    pub(crate) fn remove_folder(&mut self, folder: Ino, name: &OsStr) -> Result<(), Errno> {
        self.expect_empty(self.find(folder, name)?)?;
        self.remove(folder, name)
    }

    /// The kernel has seen to it that files replace files and folders replace folders.
    pub(crate) fn rename(
        &mut self,
        (folder, name): (Ino, &OsStr),
        (to_folder, to_name): (Ino, &OsStr),
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let ino = self.find(folder, name)?;
        let replaced = self.live.find(to_folder, to_name);
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            let other = replaced.ok_or(Errno::ENOENT)?;
            self.enter(vec![entry(folder, name, Some(other)), entry(to_folder, to_name, Some(ino))]);
            return Ok(());
        }
        if flags.contains(RenameFlags::RENAME_WHITEOUT) {
            return Err(Errno::EINVAL);
        }
        if replaced == Some(ino) {
            return Ok(());
        }
        if let Some(replaced) = replaced {
            if flags.contains(RenameFlags::RENAME_NOREPLACE) {
                return Err(Errno::EEXIST);
            }
            self.expect_empty(replaced)?;
        }
        self.unlink(replaced);
        self.enter(vec![entry(folder, name, None), entry(to_folder, to_name, Some(ino))]);
        Ok(())
    }

    fn make(
        &mut self,
        folder: Ino,
        name: &OsStr,
        content: Option<Content>,
        owner: Owner,
    ) -> Result<FileAttr, Errno> {
        if self.live.find(folder, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let flags = if self.sync_flag == SyncFlag::Refused { 0 } else { self.inode(folder)?.flags };
        let ino = self.add(content, owner, flags);
        self.enter(vec![entry(folder, name, Some(ino))]);
        self.set_attributes(ino, Attributes::default())
    }

    fn enter(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            self.live.set(entry);
        }
        let step = Step { seq: self.next_seq(), entries };
        self.journal.note(step.clone());
        self.strict.note(step);
    }

    fn find(&self, folder: Ino, name: &OsStr) -> Result<Ino, Errno> {
        self.live.find(folder, name).ok_or(Errno::ENOENT)
    }

    fn expect_empty(&self, ino: Ino) -> Result<(), Errno> {
        if self.live.of(ino).next().is_some() { Err(Errno::ENOTEMPTY) } else { Ok(()) }
    }

    fn unlink(&mut self, ino: Option<Ino>) {
        if let Some(inode) = ino.and_then(|ino| self.inodes.get_mut(&ino)) {
            inode.links = inode.links.saturating_sub(1);
        }
    }
}

fn entry(folder: Ino, name: &OsStr, ino: Option<Ino>) -> Entry {
    Entry { folder, name: name.to_owned(), ino }
}

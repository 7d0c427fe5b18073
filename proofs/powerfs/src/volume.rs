//! The file system without FUSE: the live state, and what of it is durable.

mod entries;
mod survive;

use crate::{
    content::Content,
    image::Node,
    ledger::{Entries, Entry, Ino, Ledger},
    options::{Forgotten, SyncFlag},
};
use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::{collections::BTreeMap, ffi::OsString, time::SystemTime};

pub(crate) const ROOT: Ino = 1;
pub(crate) const FS_SYNC_FL: u32 = 0x8;

/// Who makes an inode, and with which permissions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Something that becomes durable when it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settle {
    Write { ino: Ino, seq: u64 },
    File { ino: Ino, upto: u64 },
    Folder { ino: Ino, upto: u64 },
}

/// New values of an inode's attributes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) modified: Option<SystemTime>,
}

#[derive(Debug)]
struct Inode {
    /// None for a folder.
    content: Option<Content>,
    /// Durable at once, unlike the flags: nothing here is proved about permissions.
    owner: Owner,
    modified: SystemTime,
    flags: u32,
    durable_flags: u32,
    links: u32,
    opened: u32,
}

#[derive(Debug)]
pub(crate) struct Volume {
    inodes: BTreeMap<Ino, Inode>,
    live: Entries,
    /// A step is durable with its folder's fsync, or with that of a file that a younger step concerns.
    journal: Ledger,
    /// A step is durable with its folder's fsync alone.
    strict: Ledger,
    sync_flag: SyncFlag,
    pub(crate) capacity: Option<u64>,
    pub(crate) forgotten: Vec<Forgotten>,
    next_ino: Ino,
    seq: u64,
}

impl Volume {
    pub(crate) fn new(root: Node, sync_flag: SyncFlag, capacity: Option<u64>) -> Self {
        let mut volume = Self {
            inodes: BTreeMap::new(),
            live: Entries::default(),
            journal: Ledger::default(),
            strict: Ledger::default(),
            sync_flag,
            capacity,
            forgotten: Vec::new(),
            next_ino: ROOT,
            seq: 0,
        };
        volume.plant(root);
        volume.journal = Ledger::durable(volume.live.clone());
        volume.strict = Ledger::durable(volume.live.clone());
        volume
    }

    fn plant(&mut self, node: Node) -> Ino {
        let owner = |mode| Owner { mode, uid: 0, gid: 0 };
        match node {
            Node::File { bytes, mode, flags } => self.add(Some(Content::durable(bytes)), owner(mode), flags),
            Node::Folder { entries, mode, flags } => {
                let folder = self.add(None, owner(mode), flags);
                for (name, node) in entries {
                    let ino = Some(self.plant(node));
                    self.live.set(&Entry { folder, name, ino });
                }
                folder
            }
        }
    }

    fn add(&mut self, content: Option<Content>, owner: Owner, flags: u32) -> Ino {
        let ino = self.next_ino;
        self.next_ino += 1;
        let modified = SystemTime::now();
        let inode = Inode { content, owner, modified, flags, durable_flags: flags, links: 1, opened: 0 };
        self.inodes.insert(ino, inode);
        ino
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn inode(&self, ino: Ino) -> Result<&Inode, Errno> {
        self.inodes.get(&ino).ok_or(Errno::ENOENT)
    }

    fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&ino).ok_or(Errno::ENOENT)
    }

    pub(crate) fn attributes(&self, ino: Ino) -> Result<FileAttr, Errno> {
        let inode = self.inode(ino)?;
        let size = inode.content.as_ref().map_or(0, Content::len) as u64;
        let Owner { mode, uid, gid } = inode.owner;
        Ok(FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: inode.modified,
            mtime: inode.modified,
            ctime: inode.modified,
            crtime: inode.modified,
            kind: inode.kind(),
            perm: u16::try_from(mode & 0o7777).unwrap_or(0),
            nlink: inode.links,
            uid,
            gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    pub(crate) fn set_attributes(&mut self, ino: Ino, new: Attributes) -> Result<FileAttr, Errno> {
        let inode = self.inode_mut(ino)?;
        let owner = &mut inode.owner;
        owner.mode = new.mode.unwrap_or(owner.mode);
        owner.uid = new.uid.unwrap_or(owner.uid);
        owner.gid = new.gid.unwrap_or(owner.gid);
        inode.modified = new.modified.unwrap_or(inode.modified);
        self.attributes(ino)
    }

    pub(crate) fn flags(&self, ino: Ino) -> Result<u32, Errno> {
        match self.sync_flag {
            SyncFlag::Refused => Err(Errno::ENOTTY),
            SyncFlag::Honoured | SyncFlag::Ignored => Ok(self.inode(ino)?.flags),
        }
    }

    pub(crate) fn set_flags(&mut self, ino: Ino, flags: u32) -> Result<(), Errno> {
        self.flags(ino)?;
        if flags & !FS_SYNC_FL != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.inode_mut(ino)?.flags = flags;
        Ok(())
    }

    pub(crate) fn open(&mut self, ino: Ino) -> Result<(), Errno> {
        self.inode_mut(ino)?.opened += 1;
        Ok(())
    }

    pub(crate) fn close(&mut self, ino: Ino) {
        if let Ok(inode) = self.inode_mut(ino) {
            inode.opened = inode.opened.saturating_sub(1);
        }
    }

    pub(crate) fn read(&self, ino: Ino, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let content = self.inode(ino)?.content.as_ref().ok_or(Errno::EISDIR)?;
        Ok(content.read(index(offset)?, size as usize))
    }

    /// Writes what there is room for. Durable when answered if `sync` or if the inode says so.
    pub(crate) fn write(
        &mut self,
        ino: Ino,
        offset: u64,
        data: &[u8],
        sync: bool,
    ) -> Result<(u32, Option<Settle>), Errno> {
        let offset = index(offset)?;
        let end = offset.checked_add(data.len()).ok_or(Errno::EFBIG)?;
        let room = self.room(ino)?;
        let data = match data.get(..data.len() - end.saturating_sub(room).min(data.len())) {
            Some(fitting) if data.is_empty() || !fitting.is_empty() => fitting,
            _ => return Err(Errno::ENOSPC),
        };
        let honoured = self.sync_flag == SyncFlag::Honoured;
        let seq = self.next_seq();
        let inode = self.inode_mut(ino)?;
        let sync = sync || (honoured && inode.flags & FS_SYNC_FL != 0);
        inode.modified = SystemTime::now();
        inode.content.as_mut().ok_or(Errno::EISDIR)?.write(seq, offset, data);
        let written = u32::try_from(data.len()).map_err(|_| Errno::EFBIG)?;
        Ok((written, sync.then_some(Settle::Write { ino, seq })))
    }

    pub(crate) fn set_length(&mut self, ino: Ino, length: u64) -> Result<FileAttr, Errno> {
        let length = index(length)?;
        if length > self.room(ino)? {
            return Err(Errno::ENOSPC);
        }
        let seq = self.next_seq();
        let inode = self.inode_mut(ino)?;
        inode.modified = SystemTime::now();
        inode.content.as_mut().ok_or(Errno::EISDIR)?.set_length(seq, length);
        self.attributes(ino)
    }

    /// The length that this file can have on a disk of this capacity; never less than it has.
    fn room(&self, ino: Ino) -> Result<usize, Errno> {
        let own = self.inode(ino)?.content.as_ref().ok_or(Errno::EISDIR)?.len();
        let Some(capacity) = self.capacity else {
            return Ok(usize::MAX);
        };
        let free = capacity.saturating_sub(self.used());
        Ok(own.saturating_add(index(free)?))
    }

    /// The bytes of all files that have a name or are open.
    pub(crate) fn used(&self) -> u64 {
        let kept = self.inodes.values().filter(|inode| inode.links > 0 || inode.opened > 0);
        kept.filter_map(|inode| inode.content.as_ref()).map(|content| content.len() as u64).sum()
    }

    /// What an fsync that begins now makes durable when it is answered.
    pub(crate) fn sync(&self, ino: Ino) -> Option<Settle> {
        let upto = self.seq;
        let is_folder = self.inodes.get(&ino).is_some_and(|inode| inode.content.is_none());
        let forgotten = self.forgotten.iter().any(|forgotten| match forgotten {
            Forgotten::Folders => is_folder,
            Forgotten::File(name) => !is_folder && self.live.names(ino).any(|found| *found == **name),
        });
        let settle = if is_folder { Settle::Folder { ino, upto } } else { Settle::File { ino, upto } };
        (!forgotten).then_some(settle)
    }

    pub(crate) fn list(&self, folder: Ino) -> Result<Vec<(Ino, FileType, OsString)>, Errno> {
        let above = [(folder, FileType::Directory, ".".into()), (ROOT, FileType::Directory, "..".into())];
        let entries = self.live.of(folder).map(|(name, ino)| Ok((ino, self.inode(ino)?.kind(), name.clone())));
        above.into_iter().map(Ok).chain(entries).collect()
    }
}

impl Inode {
    fn kind(&self) -> FileType {
        if self.content.is_some() { FileType::RegularFile } else { FileType::Directory }
    }
}

fn index(offset: u64) -> Result<usize, Errno> {
    usize::try_from(offset).map_err(|_| Errno::EFBIG)
}

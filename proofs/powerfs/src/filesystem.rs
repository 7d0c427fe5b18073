//! The kernel's requests, each handed to the volume.

use crate::{
    Call,
    core::{Answer, Shared},
    volume::{Attributes, Owner, Volume},
};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, IoctlFlags,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyIoctl, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use parking_lot::Mutex;
use rustix::fs::OFlags;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// The kernel keeps nothing, so that every call is seen.
const TTL: Duration = Duration::ZERO;

const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
/// The kernel asks for this one before it sets flags.
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_XFLAG_SYNC: u32 = 0x20;

/// `fallocate` that keeps the length: room is not modelled, so there is nothing to do.
const FALLOC_FL_KEEP_SIZE: i32 = 1;

/// Direct, for the kernel writes a cached file one call at a time, and a disk has several in flight. No flush, for a
/// process that serves and uses the file system would wait for itself when it exits.
fn fopen() -> FopenFlags {
    FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES | FopenFlags::FOPEN_NOFLUSH
}

type Listing = Arc<Vec<(u64, FileType, OsString)>>;

pub(crate) struct Served {
    shared: Arc<Shared>,
    /// What each open folder contained when it was opened: removing while listing must not skip.
    listings: Arc<Mutex<HashMap<u64, Listing>>>,
    next_handle: Arc<AtomicU64>,
}

impl Served {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, listings: Arc::default(), next_handle: Arc::default() }
    }

    fn entry(&self, call: Call, reply: ReplyEntry, run: impl FnOnce(&mut Volume) -> Result<FileAttr, Errno>) {
        self.shared.serve(call, reply, run, |reply, attributes| {
            reply.entry(&TTL, &attributes, Generation(0));
        });
    }

    fn empty(&self, call: Call, reply: ReplyEmpty, run: impl FnOnce(&mut Volume) -> Result<(), Errno>) {
        self.shared.serve(call, reply, run, |reply, ()| reply.ok());
    }

    fn sync(&self, call: Call, ino: INodeNo, reply: ReplyEmpty) {
        self.shared.serve_durably(call, reply, |volume| Ok(((), volume.sync(ino.0))), |reply, ()| reply.ok());
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(Call::Lookup, reply, |volume| volume.lookup(parent.0, name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let run = |volume: &mut Volume| volume.attributes(ino.0);
        self.shared.serve(Call::Attributes, reply, run, |reply, attributes| {
            reply.attr(&TTL, &attributes);
        });
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let modified = modified.map(|time| match time {
            TimeOrNow::SpecificTime(time) => time,
            TimeOrNow::Now => SystemTime::now(),
        });
        let call = if size.is_some() { Call::SetLength } else { Call::SetAttributes };
        let run = |volume: &mut Volume| {
            if let Some(size) = size {
                volume.set_length(ino.0, size)?;
            }
            volume.set_attributes(ino.0, Attributes { mode, uid, gid, modified })
        };
        self.shared.serve(call, reply, run, |reply, attributes| {
            reply.attr(&TTL, &attributes);
        });
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let owner = owner(request, mode);
        self.entry(Call::CreateFolder, reply, |volume| volume.create_folder(parent.0, name, owner));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(Call::Remove, reply, |volume| volume.remove(parent.0, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(Call::RemoveFolder, reply, |volume| volume.remove_folder(parent.0, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to_parent: INodeNo,
        to_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let run = |volume: &mut Volume| volume.rename((parent.0, name), (to_parent.0, to_name), flags);
        self.empty(Call::Rename, reply, run);
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(Call::Link, reply, |volume| volume.link(ino.0, parent.0, name));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let owner = owner(request, mode);
        let run = |volume: &mut Volume| {
            let attributes = volume.create(parent.0, name, owner)?;
            volume.open(attributes.ino.0)?;
            Ok(attributes)
        };
        self.shared.serve(Call::Create, reply, run, |reply, attributes| {
            reply.created(&TTL, &attributes, Generation(0), FileHandle(0), fopen());
        });
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let run = |volume: &mut Volume| volume.open(ino.0);
        self.shared.serve(Call::Open, reply, run, |reply, ()| {
            reply.opened(FileHandle(0), fopen());
        });
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let run = |volume: &mut Volume| volume.read(ino.0, offset, size);
        self.shared.serve(Call::Read, reply, run, |reply, bytes| reply.data(&bytes));
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let flags = OFlags::from_bits_retain(flags.0.cast_unsigned());
        let run = |volume: &mut Volume| volume.write(ino.0, offset, data, flags.contains(OFlags::DSYNC));
        self.shared.serve_durably(Call::Write, reply, run, |reply, written| {
            reply.written(written);
        });
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.shared.lock().volume.close(ino.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Call::Sync, ino, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Call::SyncFolder, ino, reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let (listings, next_handle) = (self.listings.clone(), self.next_handle.clone());
        let run = |volume: &mut Volume| volume.list(ino.0);
        self.shared.serve(Call::Open, reply, run, move |reply, listing| {
            let handle = next_handle.fetch_add(1, Ordering::Relaxed);
            listings.lock().insert(handle, Arc::new(listing));
            reply.opened(FileHandle(handle), FopenFlags::empty());
        });
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, reply: ReplyDirectory) {
        let listing = self.listings.lock().get(&handle.0).cloned();
        let run = |_: &mut Volume| listing.ok_or(Errno::EBADF);
        self.shared.serve(Call::List, reply, run, move |mut reply, listing| {
            for (next, (ino, kind, name)) in (1..).zip(listing.iter()).skip(usize::try_from(offset).unwrap_or(0)) {
                if reply.add(INodeNo(*ino), next, *kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.listings.lock().remove(&handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        const BLOCK: u32 = 4096;
        let core = self.shared.lock();
        let capacity = core.volume.capacity.unwrap_or(1 << 40);
        let free = capacity.saturating_sub(core.volume.used()) / u64::from(BLOCK);
        reply.statfs(capacity / u64::from(BLOCK), free, free, 1 << 20, 1 << 20, BLOCK, 255, BLOCK);
    }

    fn ioctl(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        command: u32,
        data: &[u8],
        out_size: u32,
        reply: ReplyIoctl,
    ) {
        let call = if command == FS_IOC_SETFLAGS { Call::SetAttributes } else { Call::Attributes };
        let wanted = data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let run = |volume: &mut Volume| match command {
            FS_IOC_GETFLAGS => volume.flags(ino.0),
            FS_IOC_FSGETXATTR => Ok(if volume.flags(ino.0)? == 0 { 0 } else { FS_XFLAG_SYNC }),
            FS_IOC_SETFLAGS => volume.set_flags(ino.0, wanted.ok_or(Errno::EINVAL)?).map(|()| 0),
            _ => Err(Errno::ENOTTY),
        };
        self.shared.serve(call, reply, run, move |reply, value| {
            let mut answer = value.to_ne_bytes().to_vec();
            answer.resize(out_size as usize, 0);
            reply.ioctl(0, &answer);
        });
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        self.empty(Call::SetLength, reply, |volume| match mode {
            FALLOC_FL_KEEP_SIZE => Ok(()),
            0 => {
                let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
                if end > volume.attributes(ino.0)?.size {
                    volume.set_length(ino.0, end)?;
                }
                Ok(())
            }
            _ => Err(Errno::EOPNOTSUPP),
        });
    }
}

fn owner(request: &Request, mode: u32) -> Owner {
    Owner { mode: mode & 0o7777, uid: request.uid(), gid: request.gid() }
}

macro_rules! answer {
    ($($reply:ty),*) => {
        $(impl Answer for $reply {
            fn fail(self, errno: Errno) {
                self.error(errno);
            }
        })*
    };
}

answer!(
    ReplyAttr,
    ReplyCreate,
    ReplyData,
    ReplyDirectory,
    ReplyEmpty,
    ReplyEntry,
    ReplyIoctl,
    ReplyOpen,
    ReplyWrite
);

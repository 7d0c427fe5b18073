use crate::{
    Backing, Calls, Fault, Forgotten, Image, Model, Options, core::Shared, device, filesystem::Served,
    volume::Volume,
};
use fuser::{Config, Session, SessionACL};
use rustix::mount::{MountFlags, UnmountFlags};
use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The power-cut file system.
#[derive(Debug)]
pub struct PowerFs;

/// A mounted file system. Dropping it unmounts at once, whoever still has files open.
pub struct Mounted {
    shared: Arc<Shared>,
    mountpoint: PathBuf,
    attached: bool,
    session: Option<JoinHandle<io::Result<()>>>,
    device: Option<JoinHandle<()>>,
}

/// What is not durable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Loose {
    /// Writes and changes of length.
    pub writes: usize,
    /// Changes of folders, as a journalling file system counts.
    pub steps: usize,
    /// Changes of folders, as [`Model::StrictFolder`] counts.
    pub strict_steps: usize,
    /// Synchronous writes and syncs that had come in and were not answered when the power went, or are not now.
    pub in_flight: usize,
}

impl PowerFs {
    /// Mounts the file system over an existing folder.
    ///
    /// # Errors
    ///
    /// Without `/dev/fuse` or without root; what reading the [`Backing`] meets.
    pub fn mount(mountpoint: &Path, backing: Backing, options: &Options) -> io::Result<Mounted> {
        let image = match backing {
            Backing::Memory => Image::default(),
            Backing::Folder(folder) => Image::of_folder(&folder)?,
            Backing::Image(image) => image,
        };
        let mountpoint = mountpoint.canonicalize()?;
        let mut volume = Volume::new(image.root, options.sync_flag, options.capacity);
        volume.forgotten.clone_from(&options.forgotten);
        let shared = Arc::new(Shared::new(volume, options));
        let fuse = attach(&mountpoint)?;
        let mut mounted = Mounted { shared, mountpoint, attached: true, session: None, device: None };

        let mut config = Config::default();
        config.acl = SessionACL::All;
        let session = Session::from_fd(Served::new(mounted.shared.clone()), fuse.into(), SessionACL::All, config)?;
        mounted.session = Some(thread::Builder::new().name("powerfs".into()).spawn(move || session.run())?);
        if let Some(hold) = options.hold {
            let (shared, seed) = (mounted.shared.clone(), options.seed);
            let run = move || device::run(&shared, hold, seed);
            mounted.device = Some(thread::Builder::new().name("powerfs-device".into()).spawn(run)?);
        }
        Ok(mounted)
    }
}

impl Mounted {
    /// Cuts the power. Whatever was answered as durable before this returns is durable; nothing is answered so after.
    pub fn freeze(&self) {
        self.shared.lock().freeze();
        self.shared.changed.notify_all();
    }

    /// Cuts the power in the nth call that mutates from now on; see [`Options::freeze_at`].
    pub fn freeze_at(&self, nth: u64) {
        let mut core = self.shared.lock();
        core.freeze_at = Some(core.calls.mutating() + nth);
    }

    /// Whether the power is cut.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.shared.lock().frozen
    }

    /// Waits until the power is cut, and says whether that came before the time was over.
    #[must_use]
    pub fn wait_frozen(&self, longest: Duration) -> bool {
        let deadline = Instant::now() + longest;
        let mut core = self.shared.lock();
        while !core.frozen {
            if self.shared.changed.wait_until(&mut core, deadline).timed_out() {
                break;
            }
        }
        core.frozen
    }

    /// One of the trees that may be found if the power is cut now. The same seed, model and state give the same tree.
    ///
    /// Of a file system that was not [frozen](Self::freeze), calls that were answered meanwhile may or may not be in
    /// it.
    #[must_use]
    pub fn image(&self, seed: u64, model: Model) -> Image {
        self.shared.lock().volume.survive(seed, model)
    }

    /// The tree as processes see it: what `kill -9` leaves, where a power cut would leave less.
    #[must_use]
    pub fn live(&self) -> Image {
        self.shared.lock().volume.live()
    }

    /// Writes one of the trees that may be found after the cut into a plain folder, which must be empty or absent.
    ///
    /// # Errors
    ///
    /// As [`Image::write_to`].
    pub fn cut(&self, seed: u64, model: Model, into: &Path) -> io::Result<()> {
        self.image(seed, model).write_to(into)
    }

    /// What would be lost, were nothing kept.
    #[must_use]
    pub fn loose(&self) -> Loose {
        let core = self.shared.lock();
        Loose { in_flight: core.caught + core.waiting.len(), ..core.volume.loose() }
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// Plans a failure.
    pub fn inject(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Forgets these syncs from now on; see [`Options::forget`].
    pub fn forget(&self, syncs: Forgotten) {
        self.shared.lock().volume.forgotten.push(syncs);
    }

    /// Forgets every planned failure.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// Changes the size of the disk; `None` is endless.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.shared.lock().volume.capacity = bytes;
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mountpoint
    }

    /// Unmounts; open files answer errors from then on.
    ///
    /// # Errors
    ///
    /// If somebody else has unmounted it, or the session has ended with an error.
    pub fn unmount(mut self) -> io::Result<()> {
        self.detach()
    }

    fn detach(&mut self) -> io::Result<()> {
        self.attached = false;
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
        if let Some(device) = self.device.take() {
            device.join().map_err(|_| io::Error::other("the device's thread has panicked"))?;
        }
        let session = self.session.take();
        // Force ends the connection with every call that still waits; detach does not mind open files.
        rustix::mount::unmount(&self.mountpoint, UnmountFlags::FORCE | UnmountFlags::DETACH)?;
        match session.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the session's thread has panicked")),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.attached {
            // Nobody is left to be told; a mount that stays is seen at the mount point.
            let _ = self.detach();
        }
    }
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mounted").field("mountpoint", &self.mountpoint).finish_non_exhaustive()
    }
}

/// By the system call: fuser's own unmounting waits for files that are open, and tries twice.
fn attach(mountpoint: &Path) -> io::Result<File> {
    let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let data = format!(
        "fd={},rootmode=40000,user_id={uid},group_id={gid},allow_other,default_permissions",
        fuse.as_raw_fd()
    );
    let data = CString::new(data)?;
    rustix::mount::mount("powerfs", mountpoint, "fuse.powerfs", MountFlags::NOSUID | MountFlags::NODEV, &*data)?;
    Ok(fuse)
}

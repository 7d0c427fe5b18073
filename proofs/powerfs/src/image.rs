use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// A tree of files and folders as a power cut left it.
///
/// It can be written to a plain folder, or mounted again, which keeps the inode flags too. A file with two names
/// comes out as two files.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) root: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File { bytes: Vec<u8>, mode: u32, flags: u32 },
    Folder { entries: BTreeMap<OsString, Node>, mode: u32, flags: u32 },
}

impl Image {
    /// Copies a folder.
    ///
    /// # Errors
    ///
    /// What reading meets; anything beside files and folders is `Unsupported`.
    pub fn of_folder(folder: &Path) -> io::Result<Self> {
        Ok(Self { root: Node::read(folder)? })
    }

    /// Writes the tree into a folder, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// What writing meets; `DirectoryNotEmpty` if something is there, for leftovers of another tree would pass for
    /// survivors.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.root.write(folder)
    }

    /// The bytes of one file, by its path from the root.
    #[must_use]
    pub fn file(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        match self.node(path.as_ref())? {
            Node::File { bytes, .. } => Some(bytes),
            Node::Folder { .. } => None,
        }
    }

    /// Whether a file or folder is there, by its path from the root.
    #[must_use]
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.node(path.as_ref()).is_some()
    }

    /// The paths of all files from the root, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        self.root.collect(Path::new(""), &mut files);
        files
    }

    fn node(&self, path: &Path) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, name| match node {
            Node::Folder { entries, .. } => entries.get(name),
            Node::File { .. } => None,
        })
    }
}

/// An empty folder.
impl Default for Image {
    fn default() -> Self {
        Self { root: Node::Folder { entries: BTreeMap::new(), mode: 0o755, flags: 0 } }
    }
}

impl Node {
    fn read(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let mode = metadata.mode() & 0o7777;
        if metadata.is_file() {
            Ok(Self::File { bytes: fs::read(path)?, mode, flags: 0 })
        } else if metadata.is_dir() {
            let entries = fs::read_dir(path)?
                .map(|entry| {
                    let entry = entry?;
                    Ok((entry.file_name(), Self::read(&entry.path())?))
                })
                .collect::<io::Result<_>>()?;
            Ok(Self::Folder { entries, mode, flags: 0 })
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mode = match self {
            Self::File { bytes, mode, .. } => {
                fs::write(path, bytes)?;
                mode
            }
            Self::Folder { entries, mode, .. } => {
                fs::create_dir_all(path)?;
                for (name, node) in entries {
                    node.write(&path.join(name))?;
                }
                mode
            }
        };
        fs::set_permissions(path, fs::Permissions::from_mode(*mode))
    }

    fn collect(&self, path: &Path, files: &mut Vec<PathBuf>) {
        match self {
            Self::File { .. } => files.push(path.to_path_buf()),
            Self::Folder { entries, .. } => {
                for (name, node) in entries {
                    node.collect(&path.join(name), files);
                }
            }
        }
    }
}

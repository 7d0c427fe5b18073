use std::collections::BTreeMap;

/// A kind of call that the kernel makes to the file system.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a new kind must be given its place in `mutates`")]
pub enum Call {
    /// Looks up one name.
    Lookup,
    /// Reads an inode's attributes or flags.
    Attributes,
    /// Opens a file or a folder.
    Open,
    /// Reads from a file.
    Read,
    /// Lists a folder.
    List,
    /// Writes to a file.
    Write,
    /// Changes a file's length, `fallocate` included.
    SetLength,
    /// Changes mode, owner, times or flags.
    SetAttributes,
    /// Creates a file.
    Create,
    /// Creates a folder.
    CreateFolder,
    /// Removes a file's entry.
    Remove,
    /// Removes a folder.
    RemoveFolder,
    /// Renames.
    Rename,
    /// Makes a second entry for a file.
    Link,
    /// `fsync` or `fdatasync` of a file.
    Sync,
    /// `fsync` of a folder.
    SyncFolder,
}

impl Call {
    /// Whether the call can change what is found after a power cut. Only these count for
    /// [`Options::freeze_at`](crate::Options::freeze_at) and for [`Fault::any`](crate::Fault::any).
    #[must_use]
    pub fn mutates(self) -> bool {
        match self {
            Self::Lookup | Self::Attributes | Self::Open | Self::Read | Self::List => false,
            Self::Write
            | Self::SetLength
            | Self::SetAttributes
            | Self::Create
            | Self::CreateFolder
            | Self::Remove
            | Self::RemoveFolder
            | Self::Rename
            | Self::Link
            | Self::Sync
            | Self::SyncFolder => true,
        }
    }

    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Self::Sync | Self::SyncFolder)
    }
}

/// How many calls of each kind have come in before the freeze, failed ones included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Calls(BTreeMap<Call, u64>);

impl Calls {
    /// The calls of one kind.
    #[must_use]
    pub fn of(&self, call: Call) -> u64 {
        self.0.get(&call).copied().unwrap_or(0)
    }

    /// All calls that mutate.
    #[must_use]
    pub fn mutating(&self) -> u64 {
        self.0.iter().filter(|(call, _)| call.mutates()).map(|(_, count)| count).sum()
    }

    pub(crate) fn count(&mut self, call: Call) {
        *self.0.entry(call).or_default() += 1;
    }
}

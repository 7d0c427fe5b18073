//! The folder that the suites lie in.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that does not hold what it should.
#[derive(Debug)]
pub(crate) struct Fault {
    path: PathBuf,
    reason: String,
}

impl Fault {
    pub(crate) fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// A file.
pub(crate) fn one(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::new(path, error))
}

/// The files of a folder with their names, in the order of names.
pub(crate) fn all(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Fault::new(folder, error))? {
        let name = entry.map_err(|error| Fault::new(folder, error))?.file_name();
        names
            .push(name.into_string().map_err(|name| Fault::new(folder, format!("{} is no text", name.display())))?);
    }
    names.sort();
    names.into_iter().map(|name| one(&folder.join(&name)).map(|text| (name, text))).collect()
}

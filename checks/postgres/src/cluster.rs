//! A data folder as `initdb` leaves it: made once on a machine, and copied for each server.
//!
//! `initdb` takes a second of a core, the copy a fraction of it. Nothing but an empty cluster is shared, and
//! no server ever runs in the one that is copied.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::server::{as_owner, run};

/// A database that each cluster has from its start.
pub(crate) const FIRST: &str = "t0";

/// Makes the data folder of a new cluster, in a folder that its owner can write.
pub(crate) fn make(binaries: &Path, data: &Path) -> io::Result<()> {
    let owner = data.parent().unwrap_or(data).metadata()?.uid();
    let model = model(binaries, owner)?;
    run(as_owner("cp").args(["-a", "--reflink=auto"]).arg(model).arg(data))
}

/// The folder to copy, made by who comes first.
fn model(binaries: &Path, owner: u32) -> io::Result<PathBuf> {
    let initdb = std::fs::metadata(binaries.join("initdb"))?;
    let mut hasher = DefaultHasher::new();
    (binaries, initdb.len(), initdb.mtime(), env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    let home = home(owner)?;
    let model = home.join(format!("{:016x}", hasher.finish()));
    let lock = File::create(model.with_extension("lock"))?;
    lock.lock()?;
    if model.join("PG_VERSION").is_file() {
        return Ok(model);
    }
    let fresh = model.with_extension("new");
    for left in [&model, &fresh] {
        if left.exists() {
            std::fs::remove_dir_all(left)?;
        }
    }
    run(as_owner(binaries.join("initdb"))
        .arg("-D")
        .arg(&fresh)
        .args(["-A", "trust", "-U", "postgres", "-E", "UTF8"])
        .args(["--no-locale", "--no-sync"]))?;
    first_database(&binaries.join("postgres"), &fresh)?;
    std::fs::rename(&fresh, &model)?;
    Ok(model)
}

/// Where the clusters to copy lie: a folder that nobody but the servers' owner can write, or have put there.
fn home(owner: u32) -> io::Result<PathBuf> {
    let home = std::env::temp_dir().join(format!("longrun-pg-model-{owner}"));
    if !home.exists() {
        // Whoever comes at the same moment makes the same.
        run(as_owner("mkdir").args(["-p", "-m", "755"]).arg(&home))?;
    }
    let found = home.symlink_metadata()?;
    if found.is_dir() && found.uid() == owner && found.mode() & 0o022 == 0 {
        return Ok(home);
    }
    Err(io::Error::other(format!("{} is somebody else's", home.display())))
}

/// Makes the first database, by a server that serves nobody else.
fn first_database(postgres: &Path, data: &Path) -> io::Result<()> {
    let mut server = as_owner(postgres)
        .args(["--single", "-F", "-D"])
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = server.stdin.take() {
        writeln!(input, "CREATE DATABASE {FIRST}")?;
    }
    if server.wait()?.success() {
        return Ok(());
    }
    Err(io::Error::other("the first database could not be made"))
}

//! The peers: job queues whose libraries cannot all be linked into one program, so each is a program of its own, built
//! when it is first asked for.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The package in `bench/peers` that holds a contender, if it is a peer.
fn package(contender: &str) -> Option<&'static str> {
    match contender {
        "rustqueue" | "rustqueue-coalesced" => Some("rustqueue"),
        "effectum" => Some("effectum"),
        "apalis-sqlite" => Some("apalis-sqlite"),
        "underway" => Some("underway"),
        "graphile-worker" => Some("graphile-worker"),
        _ => None,
    }
}

/// The program that holds a contender: a peer's, or this one.
pub(super) fn program(contender: &str) -> Result<PathBuf> {
    let this = env::current_exe()?;
    let Some(package) = package(contender) else { return Ok(this) };
    let beside = this.parent().context("this program lies nowhere")?;
    Ok(target(beside).join("release").join(format!("longrun-bench-{package}")))
}

/// Builds the peers that take part.
pub(super) fn build(contenders: &[String]) -> Result<()> {
    let mut packages: Vec<_> = contenders.iter().filter_map(|contender| package(contender)).collect();
    packages.dedup();
    let this = env::current_exe()?;
    let beside = this.parent().context("this program lies nowhere")?;
    for package in packages {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(package).join("Cargo.toml");
        let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--quiet", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(target(beside))
            .status()?;
        ensure!(built.success(), "cannot build the peer {package}");
    }
    Ok(())
}

fn target(beside: &Path) -> PathBuf {
    beside.join("longrun-bench-peers")
}

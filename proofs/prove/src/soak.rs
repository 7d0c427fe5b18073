//! A service under mixed load for a while: writers, watchers, readers of the feed, HTTP, retention, kill -9 now and then.
//! What it takes is recorded every second and drawn.

mod child;
mod sample;
mod svg;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

pub(crate) use self::child::run as run_child;
use self::sample::Sample;
use crate::{Outcome, print, scratch};

/// Seconds of a process's life, to a kill.
const LIVES: std::ops::Range<u64> = 30..60;
/// A child that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(30);
/// What a life begins with (opening, filling its caches) is not asked to be flat.
const SETTLES: usize = 10;

/// So many minutes; the samples and their drawing go to `into`.
pub(crate) fn run(minutes: u64, seed: u64, into: &Path) -> Outcome<()> {
    let begun = Instant::now();
    let lasts = Duration::from_secs(minutes * 60);
    let folder = scratch()?;
    let mut rng = Rng::with_seed(seed);
    let (mut samples, mut faults, mut kills) = (Vec::new(), Vec::new(), 0);
    while begun.elapsed() < lasts {
        let life = Instant::now() + Duration::from_secs(rng.u64(LIVES)).min(lasts.saturating_sub(begun.elapsed()));
        let child = Living::begin(&folder.path().join("store"), rng.u64(..) >> 16)?;
        let mut second = 0;
        while Instant::now() < life {
            match child.lines.recv_timeout(SILENCE) {
                Ok(line) => {
                    if let Some(wrong) = line.strip_prefix("wrong ") {
                        faults.push(wrong.to_owned());
                    } else {
                        let at = begun.elapsed().as_secs_f64();
                        second += 1;
                        samples.extend(Sample::take(at, second, child.process.id(), folder.path(), &line)?);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    faults.push(format!("hangs after {second} seconds of its life"));
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    faults.push(format!("ended by itself after {second} seconds"));
                    break;
                }
            }
        }
        child.kill()?;
        kills += 1;
    }
    fs::create_dir_all(into)?;
    fs::write(into.join("soak.csv"), Sample::table(&samples))?;
    fs::write(into.join("soak.svg"), svg::draw(&samples))?;
    faults.truncate(20);
    for fault in &faults {
        print(&format!("wrong: {fault}"));
    }
    let settled: Vec<_> = samples.iter().filter(|sample| sample.second > SETTLES).collect();
    for (name, of) in sample::COLUMNS {
        let third = settled.len() / 3;
        let middle = |part: &[&Sample]| sample::median(part.iter().map(|sample| of(sample)).collect());
        let (early, late) = (
            middle(settled.get(..third).unwrap_or_default()),
            middle(settled.get(third * 2..).unwrap_or_default()),
        );
        print(&format!("{name}: median {early:.1} in the first third, {late:.1} in the last"));
    }
    let writes: u64 = samples.iter().map(|sample| sample.writes).sum();
    print(&format!(
        "{minutes} minutes, {kills} kills, {writes} writes, {} samples, {} faults, seed {seed}",
        samples.len(),
        faults.len()
    ));
    if faults.is_empty() && writes > 0 { Ok(()) } else { Err("not clean".into()) }
}

/// A child that serves, and what it says.
struct Living {
    process: Child,
    lines: Receiver<String>,
}

impl Living {
    fn begin(store: &Path, seed: u64) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("soak-child")
            .arg(store)
            .arg(seed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("no pipe")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, lines })
    }

    fn kill(mut self) -> Outcome<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

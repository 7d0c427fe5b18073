//! A server of its own in a temporary folder, reached by a Unix socket, gone when dropped.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;

use crate::cluster;

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// Stops the server when this process ends, however it ends.
    watchdog: Child,
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Lines for `postgresql.conf`.
    pub lines: Vec<String>,
    /// Listen on 127.0.0.1 at this port as well.
    pub port: Option<u16>,
}

impl Server {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    ///
    /// If there is no PostgreSQL, or it does not start: a test without its server has failed.
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// The same with settings.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_with(settings: &Settings) -> Self {
        match Self::try_start(settings) {
            Ok(server) => server,
            Err(error) => panic!("no private PostgreSQL server: {error}; scripts/postgres installs it"),
        }
    }

    /// The same, saying why not.
    pub fn try_start(settings: &Settings) -> io::Result<Self> {
        let binaries = binaries()?;
        let folder = tempfile::Builder::new().prefix("longrun-pg-").tempdir()?;
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        // Before anything else runs in the folder, so that whatever ends this process ends that too.
        let watchdog = watchdog(&binaries.join("pg_ctl"), folder.path())?;
        cluster::make(&binaries, &data)?;
        let port = settings.port.unwrap_or(5432);
        let mut lines = vec![
            format!("unix_socket_directories = '{}'", folder.path().display()),
            format!("listen_addresses = '{}'", settings.port.map_or("", |_| "127.0.0.1")),
            format!("port = {port}"),
            "max_connections = 150".into(),
            "shared_buffers = 256MB".into(),
            "max_wal_size = 2GB".into(),
        ];
        lines.extend(settings.lines.iter().cloned());
        let conf = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&conf)?;
        text.push('\n');
        text.push_str(&lines.join("\n"));
        text.push('\n');
        std::fs::write(&conf, text)?;
        let server = Self { folder, binaries, port, databases: AtomicU32::new(0), watchdog };
        server.up()?;
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn up(&self) -> io::Result<()> {
        let log = self.folder.path().join("log");
        run(as_owner(self.binaries.join("pg_ctl"))
            .args(["-w", "-s", "-t", "600", "-D"])
            .arg(self.data())
            .arg("-l")
            .arg(log)
            .arg("start"))
    }

    /// Kills the server as a crash does: every process of it, at once, with SIGKILL.
    pub fn kill(&self) -> io::Result<()> {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        let pid = pid.lines().next().and_then(|line| line.parse().ok()).and_then(rustix::process::Pid::from_raw);
        let postmaster = pid.ok_or_else(|| io::Error::other("no pid in postmaster.pid"))?;
        // Its children first, so that none finishes what it was doing.
        for child in children(postmaster.as_raw_nonzero().get())? {
            let _gone_already = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        rustix::process::kill_process(postmaster, rustix::process::Signal::KILL)?;
        while rustix::process::test_kill_process(postmaster).is_ok() {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Stops it in good order, at once.
    pub fn stop(&self) -> io::Result<()> {
        run(as_owner(self.binaries.join("pg_ctl"))
            .args(["-w", "-s", "-m", "fast", "-D"])
            .arg(self.data())
            .arg("stop"))
    }

    /// Runs SQL in the first database, by a process of its own; what it prints.
    pub fn psql(&self, sql: &str) -> io::Result<String> {
        let output = self.psql_command(sql).stderr(Stdio::piped()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    pub(crate) fn psql_command(&self, sql: &str) -> Command {
        let mut command = as_owner(self.binaries.join("psql"));
        let port = self.port.to_string();
        command.args(["-X", "-q", "-A", "-t", "-U", "postgres", "-p", &port, "-c", sql, "postgres", "-h"]);
        command.arg(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// The port that names its socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The way to its first database.
    pub fn options(&self) -> PgConnectOptions {
        let way = PgConnectOptions::new_without_pgpass();
        way.socket(self.folder.path()).port(self.port).username("postgres").database("postgres")
    }

    /// The same as a URL, for other programs.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost:{}/postgres?host={}", self.port, self.folder.path().display())
    }

    /// A pool of connections to a database that nobody else uses.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn pool(&self, connections: u32) -> PgPool {
        let way = self.database().await;
        let pool = pool_options(connections).connect_with(way).await;
        pool.unwrap_or_else(|error| panic!("the private server does not answer: {error}"))
    }

    /// Makes a database that nobody else uses.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn database(&self) -> PgConnectOptions {
        let name = match self.databases.fetch_add(1, Ordering::Relaxed) {
            0 => return self.options().database(cluster::FIRST),
            number => format!("t{number}"),
        };
        let admin = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.options());
        let create = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await;
        if let Err(error) = create {
            panic!("the private server makes no database: {error}");
        }
        admin.close().await;
        self.options().database(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is what it waits for.
        drop(self.watchdog.stdin.take());
        drop(self.watchdog.wait());
    }
}

/// Of a pool that never gives up waiting: a machine that stands still for a while is no failure.
pub fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_hours(1))
}

/// Waits for the end of its input, which comes with the end of this process, and stops the server.
///
/// In a process group of its own, deaf to what a terminal or a test runner sends to everybody: a Ctrl-C
/// ends the tests, and this must outlive them. A server that was only being started is asked twice.
fn watchdog(pg_ctl: &Path, folder: &Path) -> io::Result<Child> {
    let stop = format!(
        "trap '' INT TERM HUP QUIT; read x; stop() {{ '{}' -s -m immediate -D '{folder}/data' stop; }}; \
         [ ! -e '{folder}/data/PG_VERSION' ] || stop || {{ sleep 1; [ ! -e '{folder}/data/postmaster.pid' ] || stop; }}; \
         rm -rf '{folder}'",
        pg_ctl.display(),
        folder = folder.display(),
    );
    as_owner("sh")
        .args(["-c", &stop])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// The newest PostgreSQL on this machine.
fn binaries() -> io::Result<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = packaged.map(|version| version.path().join("bin")).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.splice(0..0, std::env::split_paths(&path));
    let found = found.into_iter().rev().find(|folder| folder.join("initdb").is_file());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "initdb is not installed"))
}

/// A command as the user `postgres` where we are root, as which the server does not run.
pub(crate) fn as_owner(program: impl AsRef<OsStr>) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let output =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{}: {why}", command.get_program().display())))
}

fn children(parent: i32) -> io::Result<Vec<rustix::process::Pid>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold anything: the state, then the parent.
        let after = stat.rsplit_once(") ").map(|(_, after)| after).unwrap_or_default();
        if after.split(' ').nth(1) == Some(&parent.to_string()) {
            found.extend(rustix::process::Pid::from_raw(pid));
        }
    }
    Ok(found)
}

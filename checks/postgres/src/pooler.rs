//! `PgBouncer` in transaction mode before a private server.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use sqlx::postgres::PgConnectOptions;

use crate::Server;
use crate::server::as_owner;

/// A running pooler.
#[derive(Debug)]
pub struct Pooler {
    child: Child,
    folder: PathBuf,
}

impl Pooler {
    /// The port that names its socket; nothing listens on the network.
    const PORT: u16 = 6432;

    /// Starts a pooler that gives all its clients `servers` connections to the server.
    ///
    /// # Panics
    ///
    /// If there is none, or it does not start: a test without it has failed.
    pub fn start(server: &Server, servers: u32) -> Self {
        match Self::try_start(server, servers) {
            Ok(pooler) => pooler,
            Err(error) => panic!("no pooler: {error}; scripts/postgres installs it"),
        }
    }

    fn try_start(server: &Server, servers: u32) -> io::Result<Self> {
        let folder = server.socket_folder().to_path_buf();
        let shown = folder.display();
        let port = server.port();
        let users = folder.join("users.txt");
        std::fs::write(&users, "\"postgres\" \"\"\n")?;
        let ini = folder.join("pgbouncer.ini");
        let lines = [
            "[databases]".to_owned(),
            format!("* = host={shown} port={port}"),
            "[pgbouncer]".into(),
            format!("unix_socket_dir = {shown}"),
            format!("listen_port = {}", Self::PORT),
            "auth_type = trust".into(),
            format!("auth_file = {}", users.display()),
            "pool_mode = transaction".into(),
            format!("default_pool_size = {servers}"),
            "max_client_conn = 200".into(),
            "ignore_startup_parameters = extra_float_digits".into(),
        ];
        std::fs::write(&ini, lines.join("\n") + "\n")?;
        let mut command = as_owner("pgbouncer");
        let child =
            command.arg("-q").arg(&ini).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut pooler = Self { child, folder };
        while !pooler.folder.join(format!(".s.PGSQL.{}", Self::PORT)).exists() {
            if let Some(status) = pooler.child.try_wait()? {
                return Err(io::Error::other(format!("it ended: {status}")));
            }
            std::thread::yield_now();
        }
        Ok(pooler)
    }

    /// The way through it to the database that `way` leads to.
    pub fn through(&self, way: PgConnectOptions) -> PgConnectOptions {
        way.socket(&self.folder).port(Self::PORT)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // `runuser` passes the signal on.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
    }
}

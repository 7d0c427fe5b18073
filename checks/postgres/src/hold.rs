//! Commits that wait: the server is told that a standby must have them, and there is none.

use std::io;
use std::process::{Child, Stdio};

use crate::Server;

/// While this lives, no commit is acknowledged or seen.
#[derive(Debug)]
pub struct Held<'a> {
    server: &'a Server,
    probe: Child,
}

impl<'a> Held<'a> {
    /// Holds, and returns once a commit of another process is seen to wait.
    pub fn start(server: &'a Server) -> io::Result<Self> {
        server.psql("CREATE TABLE IF NOT EXISTS held_probe (x int)")?;
        server.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")?;
        server.psql("SELECT pg_reload_conf()")?;
        loop {
            let insert = "INSERT INTO held_probe VALUES (1)";
            let mut probe = server.psql_command(insert).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            // It ends at once where the setting has not arrived yet.
            while probe.try_wait()?.is_none() {
                if waiting(server, "postgres")? > 0 {
                    return Ok(Self { server, probe });
                }
            }
        }
    }
}

/// Commits that wait in a database.
fn waiting(server: &Server, database: &str) -> io::Result<u32> {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = ";
    server.psql(&format!("{count}'{database}'"))?.parse().map_err(io::Error::other)
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        drop(self.server.psql("ALTER SYSTEM RESET synchronous_standby_names"));
        drop(self.server.psql("SELECT pg_reload_conf()"));
        // Released with the others; ended already if the server was killed meanwhile.
        drop(self.probe.wait());
    }
}

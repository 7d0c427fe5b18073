//! A private PostgreSQL server for scripts: prints its URL and lives until its input ends.

#![expect(clippy::print_stdout, reason = "a command talks to scripts")]

use std::io::Read as _;

use longrun_checks_postgres::{Server, Settings};

fn main() -> std::io::Result<()> {
    let server = Server::try_start(&Settings::default())?;
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

//! Hashes every file under a folder, one operation a file, and loses nothing when it is killed.
//!
//! ```sh
//! cargo run --release --example worker -- PATH [--data DIR] [--workers N]
//! cargo run --release --features postgres --example worker -- PATH --postgres URL [--workers N]
//! ```
//!
//! State is kept in `--data` (`longrun-data` by default). Kill it with -9 and start it again: it says what
//! it found, tries again what failed, and finishes. Ctrl-C finishes the files in hand; a second one exits
//! with 130; SIGTERM gives them ten seconds and exits with 0. The last line reads `N completed, M failed, K not
//! started`, and the exit status is 0 only if all are completed. A file that changed since is not hashed again.
//!
//! With `--postgres` state is kept in that database, and several of them may share the work. What a killed
//! one had in hand is ended a minute later, by whoever runs then: this waits for it and says so.

#![expect(clippy::print_stdout, reason = "an example prints what it does")]
#![expect(clippy::disallowed_methods, reason = "the library spawns nothing; its host does")]

mod hashing;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    hashing::run(None).await
}

//! An example in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The binary of an example, which cargo builds with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: run all targets of the package", path.display());
    path
}

/// A process that serves; killed with the test.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) output: BufReader<std::process::ChildStdout>,
}

impl Serving {
    /// Starts it and waits for its address.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(example(name)).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "{name} ended without an address");
            address = line.trim_end().strip_prefix("listening on http://").map(str::to_owned);
        }
        Self { child, address: address.unwrap(), output }
    }

    /// Asks it to end as an init system does; its last words and whether it ended well.
    pub(crate) fn terminate(mut self) -> (String, bool) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let words = std::io::read_to_string(&mut self.output).unwrap();
        (words, self.child.wait().unwrap().success())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What an example prints and how it exits.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(example(name)).args(arguments).output().unwrap()
}

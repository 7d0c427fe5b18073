//! A child process, what it says, and its end.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::child::Orders;
use crate::oracle::Oracle;

/// A child that writes.
#[derive(Debug)]
pub(crate) struct Writing {
    child: Child,
    lines: Receiver<String>,
    errors: File,
    pub(crate) oracle: Oracle,
}

/// How long a child may say nothing before it is taken to hang.
const SILENCE: Duration = Duration::from_secs(30);

impl Writing {
    pub(crate) fn begin(orders: &Orders) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // What it prints of a disk that is failed on purpose helps nobody, unless it ends too soon.
        let errors = tempfile::tempfile()?;
        let into = errors.try_clone()?;
        command.args(orders.arguments()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(into);
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("no pipe")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines, errors, oracle: Oracle::new(orders.seed, orders.mix) })
    }

    /// Listens until this many writes were acknowledged. An error says how the child ended before, or where it
    /// hangs.
    pub(crate) fn until(&mut self, acknowledged: u64) -> Outcome<()> {
        while self.oracle.acknowledged < acknowledged {
            match self.lines.recv_timeout(SILENCE) {
                Ok(line) => drop(self.oracle.hear(&line)),
                Err(RecvTimeoutError::Timeout) => {
                    let stacks = self.stacks();
                    return Err(format!("the child said nothing for {SILENCE:?}; it stands in\n{stacks}").into());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    let mut words = String::new();
                    self.errors.rewind()?;
                    self.errors.read_to_string(&mut words)?;
                    return Err(format!("the child ended, {status}: {words}").into());
                }
            }
        }
        Ok(())
    }

    /// Where each of its threads stands, if there is a debugger to ask.
    fn stacks(&self) -> String {
        let process = self.child.id().to_string();
        let asked = ["-p", &process, "-batch", "-ex", "thread apply all backtrace 16"];
        match Command::new("gdb").args(asked).stdin(Stdio::null()).output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => format!("(no debugger: {error})"),
        }
    }

    /// Kill -9; what it had said before counts.
    pub(crate) fn kill(mut self) -> Outcome<Oracle> {
        self.child.kill()?;
        self.child.wait()?;
        while let Ok(line) = self.lines.recv_timeout(SILENCE) {
            self.oracle.hear(&line);
        }
        Ok(self.oracle)
    }

    /// Waits for its own end; `None`: it hung, and was killed.
    pub(crate) fn wait(mut self, longest: Duration) -> Outcome<(Option<ExitStatus>, Oracle)> {
        let deadline = Instant::now() + longest;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => drop(self.oracle.hear(&line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Ok((None, self.kill()?)),
            }
        }
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok((Some(status), self.oracle));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok((None, self.kill()?))
    }
}

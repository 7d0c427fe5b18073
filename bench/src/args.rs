//! The command line.

use std::{env, num::NonZeroUsize, path::PathBuf, str::FromStr};

use anyhow::{Context, Result, anyhow, bail};
use lexopt::prelude::*;

use crate::{contenders, job::Job, works::Work};

/// What `--help` prints.
pub const HELP: &str = "\
longrun-bench WORK [options]

Works
  lifecycle         create, start, complete, each awaited
  transition        random moves of --records records (100000)
  progress          percentages of --records running operations (10000)
  contended         all callers start the same operation
  reads             get, a page of 100 by status, counts, at --records 10000,100000,1000000
  http              PATCH and GET over sockets beside the library's calls, --records operations (100000)
  growth            insert, transition, memory, folder and reopening at --records 10000,..,3000000
  churn             create, start, complete, delete with --records live (100000): the folder's size

Options
  --contenders A,B  which (default: all of this build that can)
  --callers 1,64    how many tasks call at once (default: 1,8,64,512; contended, http, growth, churn 64; reads 1)
  --rounds R        interleaved rounds (default: 3; churn 1; growth has one)
  --seconds S       measured window of each measurement (default: 5)
  --records A,B     records held before the window
  --transitions N   how many churn makes in all (default: 10000000)
  --strace          one more round under strace: syncs per 1,000 acknowledgements
  --dir FOLDER      where the stores lie (default: beside this program); must be a real disk
  --plot FILE       draw growth or churn as SVG
  --json            one object instead of a table
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print the help.
    Help,
    /// Make one measurement and print it (asked by the parent process alone).
    Child(Box<Job>),
    /// Compare contenders.
    Bench(Box<Options>),
}

/// How to compare.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the contenders do.
    pub work: Work,
    /// Who takes part.
    pub contenders: Vec<String>,
    /// At which numbers of callers.
    pub callers: Vec<usize>,
    /// How many interleaved rounds.
    pub rounds: usize,
    /// The measured window of each measurement.
    pub seconds: f64,
    /// Records held before the window.
    pub records: Vec<usize>,
    /// How many transitions churn makes in all.
    pub transitions: u64,
    /// Whether one more round counts system calls.
    pub strace: bool,
    /// Where the stores lie.
    pub dir: PathBuf,
    /// Where to draw growth or churn.
    pub plot: Option<PathBuf>,
    /// Whether to print JSON.
    pub json: bool,
}

/// Reads the command line of this process.
///
/// # Errors
/// An argument that is unknown or has no sense.
pub fn parse() -> Result<Command> {
    parse_from(lexopt::Parser::from_env())
}

fn parse_from(mut parser: lexopt::Parser) -> Result<Command> {
    let mut work = None;
    let mut options = Options {
        work: Work::Lifecycle,
        contenders: Vec::new(),
        callers: Vec::new(),
        rounds: 0,
        seconds: 5.0,
        records: Vec::new(),
        transitions: 10_000_000,
        strace: false,
        dir: beside_this_program()?,
        plot: None,
        json: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("child") => {
                let job = serde_json::from_str(&parser.value()?.string()?).context("a job")?;
                return Ok(Command::Child(Box::new(job)));
            }
            Long("contenders") => options.contenders = list(&parser.value()?.string()?)?,
            Long("callers") => options.callers = list(&parser.value()?.string()?)?,
            Long("rounds") => options.rounds = parser.value()?.parse::<NonZeroUsize>()?.get(),
            Long("seconds") => options.seconds = parser.value()?.parse()?,
            Long("records") => options.records = list(&parser.value()?.string()?)?,
            Long("transitions") => options.transitions = parser.value()?.parse()?,
            Long("strace") => options.strace = true,
            Long("dir") => options.dir = parser.value()?.into(),
            Long("plot") => options.plot = Some(parser.value()?.into()),
            Long("json") => options.json = true,
            Value(name) if work.is_none() => work = Some(named(&name.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let work = work.ok_or_else(|| anyhow!("no work named; --help lists them"))?;
    options.work = work;
    if options.contenders.is_empty() {
        let all = contenders::NAMES.iter().filter(|name| contenders::takes_part(name, work));
        options.contenders = all.map(ToString::to_string).collect();
    }
    if options.callers.is_empty() {
        options.callers = work.usual_callers().to_vec();
    }
    if options.records.is_empty() {
        options.records = work.usual_records().to_vec();
    }
    if options.rounds == 0 {
        options.rounds = if matches!(work, Work::Churn | Work::Growth) { 1 } else { 3 };
    }
    check(&options)?;
    Ok(Command::Bench(Box::new(options)))
}

fn check(options: &Options) -> Result<()> {
    if options.callers.contains(&0) || options.records.contains(&0) {
        bail!("callers and records are at least 1");
    }
    if !(options.seconds > 0.0 && options.seconds <= 3600.0) {
        bail!("seconds are more than 0 and at most 3600");
    }
    for name in &options.contenders {
        if !contenders::NAMES.contains(&name.as_str()) {
            bail!("no contender {name} in this build, which has {}", contenders::NAMES.join(", "));
        }
        if !contenders::takes_part(name, options.work) {
            bail!("{name} cannot do {}", options.work.name());
        }
    }
    Ok(())
}

fn named(name: &str) -> Result<Work> {
    Work::ALL.into_iter().find(|work| work.name() == name).with_context(|| format!("no work {name}"))
}

fn list<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<Vec<T>> {
    text.split(',').map(|item| item.trim().parse().with_context(|| format!("{item:?} in a list"))).collect()
}

/// The build's folder lies on a disk, where the system's folder for temporary files may be memory.
fn beside_this_program() -> Result<PathBuf> {
    let program = env::current_exe()?;
    Ok(program.parent().context("this program lies nowhere")?.join("longrun-bench-data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(line: &str) -> Result<Command> {
        parse_from(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn a_work_and_its_options_are_read() {
        let Ok(Command::Bench(options)) = bench("transition --contenders log --callers 1,64 --rounds 2 --json")
        else {
            panic!("not understood");
        };
        assert_eq!(options.work, Work::Transition);
        assert_eq!(options.contenders, ["log"]);
        assert_eq!(options.callers, [1, 64]);
        assert_eq!(options.rounds, 2);
        assert!(options.json);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "nap", "lifecycle --callers 0", "lifecycle --contenders nobody", "lifecycle --seconds -1"]
        {
            assert!(bench(line).is_err(), "{line:?}");
        }
    }
}

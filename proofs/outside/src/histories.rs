//! Porcupine's histories: our judge must give its verdicts before it judges us.

use std::path::Path;

use linear::Verdict;
use linear::vectors::folder;

use crate::files::Fault;
use crate::suite::{Case, Suite};

pub(crate) fn run(path: &Path) -> Result<Suite, Fault> {
    let (mut cases, mut others) = (Vec::new(), 0);
    for judged in folder::judge(path).map_err(|fault| Fault::new(path, fault))? {
        if judged.theirs.is_none() {
            others += 1;
            continue;
        }
        let ours = match judged.ours {
            Verdict::Linearizable => Ok(true),
            Verdict::Illegal(_) => Ok(false),
            Verdict::Undecided => Err("undecided".to_owned()),
        };
        cases.push(Case { name: judged.name, theirs: judged.theirs, ours });
    }
    let left_out = format!("{others} without a verdict not asked");
    Ok(Suite { name: "porcupine", left_out, cases, differences: &[] })
}

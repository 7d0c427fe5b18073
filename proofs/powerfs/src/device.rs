//! The disk's own pace: a thread that answers one of several waiting calls at a time.

use crate::{
    Hold,
    core::{Core, Shared},
};
use fastrand::Rng;

pub(crate) fn run(shared: &Shared, hold: Hold, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut core = shared.lock();
    while !core.ending {
        let Some(oldest) = oldest(&core) else {
            shared.changed.wait(&mut core);
            continue;
        };
        if core.waiting.len() >= hold.width {
            let chosen = rng.usize(..core.waiting.len());
            answer(&mut core, chosen);
        } else {
            let deadline = core.waiting.get(oldest).map(|waiting| waiting.since + hold.longest);
            let late = deadline.is_some_and(|deadline| shared.changed.wait_until(&mut core, deadline).timed_out());
            if late && let Some(oldest) = self::oldest(&core) {
                answer(&mut core, oldest);
            }
        }
    }
}

fn oldest(core: &Core) -> Option<usize> {
    (0..core.waiting.len()).min_by_key(|&at| core.waiting.get(at).map(|waiting| waiting.since))
}

fn answer(core: &mut Core, chosen: usize) {
    let waiting = core.waiting.swap_remove(chosen);
    core.volume.settle(waiting.settle);
    (waiting.answer)(Ok(()));
}

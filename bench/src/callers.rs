//! Many tasks calling at once, each awaiting every answer, and what they saw within the measured window.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::{
    job::{Job, Measurement},
    works::Work,
};

/// When to count and when to stop, shared by all callers of a measurement.
#[derive(Debug, Clone)]
pub struct Window {
    opens: Instant,
    closes: Instant,
    exhausted: Arc<(AtomicBool, OnceLock<Instant>)>,
}

impl Window {
    /// A window that opens after a short warm-up, or at once where making the records has warmed up already.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let warm_up = match job.work {
            Work::Lifecycle | Work::Contended => Duration::from_secs_f64((job.seconds / 5.0).min(0.5)),
            _ => Duration::ZERO,
        };
        let opens = Instant::now() + warm_up;
        Self { opens, closes: opens + Duration::from_secs_f64(job.seconds), exhausted: Arc::default() }
    }

    /// Closes the window now, because somebody has no more work.
    pub fn exhaust(&self) {
        self.exhausted.1.get_or_init(Instant::now);
        self.exhausted.0.store(true, Ordering::Release);
    }

    /// Whether callers go on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.exhausted.0.load(Ordering::Acquire) && Instant::now() < self.closes
    }

    fn counts(&self, ended: Instant) -> bool {
        ended >= self.opens && ended < self.closes && !self.exhausted.0.load(Ordering::Acquire)
    }

    fn closed_at(&self) -> Instant {
        self.exhausted.1.get().map_or(self.closes, |at| (*at).min(self.closes))
    }
}

/// What one caller saw.
#[derive(Debug)]
pub struct Tally {
    window: Window,
    /// Nanoseconds, one for each call: a plain vector disturbs the caches least.
    latencies: Vec<u32>,
    ops: u64,
}

impl Tally {
    /// Awaits one call and notes how long it took.
    ///
    /// # Errors
    /// The call's own.
    pub async fn time<T>(&mut self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let began = Instant::now();
        let answer = call.await?;
        let ended = Instant::now();
        if self.window.counts(ended) {
            let took = ended.duration_since(began).as_nanos();
            self.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
        }
        Ok(answer)
    }

    /// Counts one operation of the work, if it ended within the window.
    pub fn count(&mut self) {
        if self.window.counts(Instant::now()) {
            self.ops += 1;
        }
    }

    /// Whether to go on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.window.is_open()
    }

    /// The window that this tally is taken in.
    #[must_use]
    pub fn window(&self) -> &Window {
        &self.window
    }
}

/// Runs one task for each caller and adds up what they saw.
///
/// # Errors
/// The first error of any caller.
pub async fn run<F, Fut>(job: &Job, mut caller: F) -> Result<Measurement>
where
    F: FnMut(usize, Tally) -> Fut,
    Fut: Future<Output = Result<Tally>> + Send + 'static,
{
    let window = Window::of(job);
    let mut tasks = JoinSet::new();
    for number in 0..job.callers {
        let tally = Tally { window: window.clone(), latencies: Vec::new(), ops: 0 };
        tasks.spawn(caller(number, tally));
    }
    let mut latencies = Vec::new();
    let mut ops = 0;
    while let Some(tally) = tasks.join_next().await {
        let tally = tally??;
        latencies.extend_from_slice(&tally.latencies);
        ops += tally.ops;
    }
    let closed = window.closed_at();
    let acks = latencies.len() as u64;
    Ok(Measurement {
        ops,
        acks,
        seconds: closed.saturating_duration_since(window.opens).as_secs_f64(),
        p50_us: percentile(&mut latencies, 0.50),
        p99_us: percentile(&mut latencies, 0.99),
        window: (wall_clock(window.opens), wall_clock(closed)),
        ..Measurement::default()
    })
}

/// The latency, in microseconds, that this share of the calls (in nanoseconds) stayed under.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index within a vector that is in memory"
)]
pub fn percentile(latencies: &mut [u32], share: f64) -> f64 {
    let Some(last) = latencies.len().checked_sub(1) else { return 0.0 };
    let at = (last as f64 * share).round() as usize;
    f64::from(*latencies.select_nth_unstable(at.min(last)).1) / 1000.0
}

fn wall_clock(at: Instant) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    match Instant::now().checked_duration_since(at) {
        Some(past) => now - past.as_secs_f64(),
        None => now + at.duration_since(Instant::now()).as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let mut latencies: Vec<u32> = (0..=100).rev().map(|us| us * 1000).collect();
        assert!((percentile(&mut latencies, 0.50) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&mut latencies, 0.99) - 99.0).abs() < f64::EPSILON);
        assert!(percentile(&mut [], 0.99).abs() < f64::EPSILON);
    }
}

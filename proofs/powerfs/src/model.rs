use fastrand::Rng;

/// What a power cut leaves of that which was not durable.
///
/// In the first three, folders behave as on a journalling file system: changes of entries survive in the order in
/// which they were made, and `fsync` of a file takes with it the changes up to the newest that concerns that file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever proves something over all models must notice a new one")]
pub enum Model {
    /// All of it is gone.
    Drop,
    /// Each write is kept or gone at random, independently; of the changes of entries a random number, in order.
    Keep,
    /// As [`Model::Keep`], and each kept write is torn: any of its 512-byte sectors may be missing.
    Torn,
    /// As [`Model::Torn`] for data; every change of a folder that was not followed by `fsync` of that folder is
    /// undone, whatever was done to the file.
    StrictFolder,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 4] = [Self::Drop, Self::Keep, Self::Torn, Self::StrictFolder];

    pub(crate) fn keeps_data(self) -> bool {
        !matches!(self, Self::Drop)
    }

    pub(crate) fn tears(self) -> bool {
        matches!(self, Self::Torn | Self::StrictFolder)
    }
}

/// The chance of one cut. How much survives is itself drawn per cut: a lone survivor or a lone loss among many
/// writes finds what halves would not.
#[derive(Debug)]
pub(crate) struct Chance {
    rng: Rng,
    keep: f64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let keep = rng.choice([0.1, 0.5, 0.9]).unwrap_or(0.5);
        Self { rng, keep }
    }

    pub(crate) fn keeps(&mut self) -> bool {
        self.rng.f64() < self.keep
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.rng.bool()
    }

    pub(crate) fn up_to(&mut self, most: usize) -> usize {
        self.rng.usize(0..=most)
    }
}

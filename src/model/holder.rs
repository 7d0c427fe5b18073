//! The name of a claim that a process made for itself: `open:<instance>:<claim>`.

/// What a remote worker's own name must not begin with.
pub const RESERVED: &str = "open:";

/// The holder of the `claim`th claim of an instance.
pub fn of_instance(instance: u32, claim: u64) -> String {
    format!("{RESERVED}{instance}:{claim}")
}

/// The instance that made this claim; `None` for a name that a remote worker gave.
pub fn instance(holder: &str) -> Option<u32> {
    let (instance, claim) = holder.strip_prefix(RESERVED)?.split_once(':')?;
    claim.parse::<u64>().ok()?;
    instance.parse().ok()
}

//! What needs root, mounts or another user. A machine without them fails these: nothing is skipped.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod folder;

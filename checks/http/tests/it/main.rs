//! One test for each numbered rule of the protocol, over a real socket: body, headers and the record after.

mod support;

mod bodies;
mod conditions;
mod machine;
mod patch;
mod representation;
mod times;

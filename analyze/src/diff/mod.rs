//! What got slower between two traces, or two windows of one.

mod answer;
mod certainty;
mod compare;
mod folded;
mod grid;
mod group;
mod label;
mod measure;
mod settings;
mod side;
mod subject;

pub use compare::{Asked, diff};
pub use folded::{difference_flamegraph, difference_folded};
pub use side::Side;
pub use subject::{By, Subject};

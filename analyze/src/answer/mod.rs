//! What a report answers: blocks of typed cells, with units, without layout.

mod arrange;
mod block;
mod cell;
mod tell_hosts;

pub use block::{
    Answer, Block, Column, Facts, FrameKind, Group, Histogram, Note, NoteKind, Shape, Show,
    StackRow, Stacks, Table, Unit,
};
pub use cell::Cell;

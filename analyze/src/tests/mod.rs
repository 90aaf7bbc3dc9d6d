//! Tests of reports against numbers worked out by hand.

mod cpu;
mod damage;
mod exports;
mod filters;
mod info;
pub(crate) mod locks;
mod losses;
pub(crate) mod mem;
mod names;
mod offcpu;
mod overview;
mod runqlat;
mod script;
mod stalls;
mod symbolize;
mod syscalls;
mod tasks;
mod tree;

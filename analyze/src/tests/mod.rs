//! Tests of reports against numbers worked out by hand.

mod block;
pub(crate) mod counters;
mod cpu;
mod damage;
mod diff;
mod exports;
mod filters;
mod h2;
mod info;
mod io;
pub(crate) mod locks;
mod losses;
pub(crate) mod mem;
mod names;
mod offcpu;
mod overview;
mod rewrite;
mod runqlat;
mod script;
mod stalls;
mod symbolize;
mod syscalls;
mod tasks;
mod tcp;
mod timeline;
mod tree;
mod wakeups;

//! What gives facts their meaning: everything that a trace defines, loaded once per answer.

mod clocks;
mod code;
mod coverage;
mod devices;
mod hosts;
mod id_table;
mod loader;
mod losses;
mod part;
mod program_runs;
mod strings;
mod task_rows;
mod tasks;
mod trace_context;

pub use clocks::Clocks;
pub use code::{Code, Frame, MAX_FRAMES, Module, Stack, Symbol};
pub use coverage::{Coverage, Coverages};
pub use devices::Devices;
pub use hosts::{Host, Hosts};
pub(crate) use hosts::{MAX_HOSTS, NO_DEVICE};
pub use loader::Damage;
pub(crate) use loader::{Loader, LoaderState, record_id, what};
pub use losses::{Loss, Losses};
pub use part::Part;
pub(crate) use part::seconds;
pub use strings::{Strings, UNKNOWN};
pub use tasks::{Exec, Process, ProcessKey, Tasks, Thread, ThreadKey, Usage};
pub(crate) use trace_context::end_of;
pub use trace_context::{Context, Needs};

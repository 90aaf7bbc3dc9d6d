//! What the tests of the whole share; the tests are in `tests/`.
//!
//! They run the built `ktape`, as a user would, on workloads of known results (`workloads/*.c`,
//! compiled here) and on the traces in `samples/`. The tests on the live kernel need root; what a
//! host cannot run they list by name and reason.

pub mod asked;
pub mod binary;
pub mod facts;
pub mod harmless;
pub mod lies;
pub mod live;
pub mod loop_device;
pub mod made;
pub mod ran;
pub mod random;
pub mod recorder;
pub mod running;
pub mod samples;
pub mod workload;

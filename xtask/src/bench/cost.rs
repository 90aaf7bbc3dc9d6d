//! `bench cost`: what all probes cost a database, and what HTTP/2 costs a gRPC-Go program.

use super::go_load::{self, Calls};
use super::pgbench_load::{Pgbench, TPCB, TPCB_OF_ONE};
use super::postgres::Postgres;
use super::recorder::{Programs, Recorder};
use super::tools;
use super::turns::{self, Plan};
use anyhow::Result;

pub fn run() -> Result<()> {
    tools::need_root()?;
    let programs = Programs::find(tools::ktape()?);
    let folder = tempfile::Builder::new().prefix("ktape-bench").tempdir()?;
    println!("# bench cost: {}", tools::machine());
    println!("{}", programs.versions());
    let calls = go_load::build();
    let ready = ready(&TPCB.plan, &programs);
    let postgres = Postgres::start()?;
    for script in [&TPCB, &TPCB_OF_ONE] {
        turns::measure(&script.plan, &ready, &programs, folder.path(), |seconds| {
            Pgbench::start(script, &postgres, seconds)
        })?;
    }
    drop(postgres);
    match calls {
        Ok(program) => {
            let plan = &go_load::CALLS;
            let ready = self::ready(plan, &programs);
            turns::measure(plan, &ready, &programs, folder.path(), |_| Calls::start(&program))?;
        }
        Err(why) => println!("{} LEFT OUT: {why:#}", go_load::CALLS.name),
    }
    Ok(())
}

/// The recorders of a plan that there are; says how each is run, or why it is not.
fn ready(plan: &Plan, programs: &Programs) -> Vec<Recorder> {
    let mut ready = Vec::new();
    for &recorder in plan.measured {
        match programs.missing(recorder) {
            None => {
                println!("{:<13}  {}", recorder.name(), recorder.command_line());
                ready.push(recorder);
            }
            Some(why) => println!("{:<13}  LEFT OUT: {why}", recorder.name()),
        }
    }
    ready
}

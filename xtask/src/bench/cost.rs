//! `bench cost`: what all probes cost a database, and what HTTP/2 costs a gRPC-Go program.

use super::go_load::{self, Calls};
use super::pgbench_load::{Pgbench, TPCB, TPCB_OF_ONE};
use super::postgres::Postgres;
use super::recorder::{Programs, Recorder};
use super::tools;
use super::turns::{self, Plan};
use anyhow::Result;

#[derive(clap::Args)]
pub struct Args {
    /// Only these loads; may be repeated
    #[arg(long, value_enum, value_delimiter = ',')]
    load: Vec<Load>,
    /// Turns of each recorder [default: 12]
    #[arg(long)]
    turns: Option<usize>,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Load {
    /// pgbench with 4 clients per CPU: both want the CPUs all the time
    BusyDatabase,
    /// pgbench with one client: it waits for the disk
    OneClient,
    /// gRPC-Go over TLS, 16 calls at a time
    GrpcGo,
}

pub fn run(args: &Args) -> Result<()> {
    tools::need_root()?;
    let programs = Programs::find(tools::ktape()?);
    let folder = tempfile::Builder::new().prefix("ktape-bench").tempdir()?;
    println!("# bench cost: {}", tools::machine());
    println!("{}", programs.versions());
    let wanted = |load| args.load.is_empty() || args.load.contains(&load);
    let plan = |plan: &Plan| Plan { turns: args.turns.unwrap_or(plan.turns), ..*plan };
    let scripts = [(Load::BusyDatabase, &TPCB), (Load::OneClient, &TPCB_OF_ONE)];
    let scripts: Vec<_> = scripts.into_iter().filter(|(load, _)| wanted(*load)).collect();
    if !scripts.is_empty() {
        let postgres = Postgres::start()?;
        for (_, script) in scripts {
            let plan = plan(&script.plan);
            let ready = ready(&plan, &programs);
            turns::measure(&plan, &ready, &programs, folder.path(), |seconds| {
                Pgbench::start(script, &postgres, seconds)
            })?;
        }
    }
    if wanted(Load::GrpcGo) {
        match go_load::build() {
            Ok(program) => {
                let plan = plan(&go_load::CALLS);
                let ready = ready(&plan, &programs);
                let start = |_| Calls::start(&program);
                turns::measure(&plan, &ready, &programs, folder.path(), start)?;
            }
            Err(why) => println!("{} LEFT OUT: {why:#}", go_load::CALLS.name),
        }
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

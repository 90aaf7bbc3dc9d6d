//! `bench cost`: what all probes together cost a database.

use super::postgres::Postgres;
use super::recorder::Programs;
use super::{tools, turns};
use anyhow::Result;

pub fn run() -> Result<()> {
    tools::need_root()?;
    let programs = Programs::find(tools::ktape()?);
    let folder = tempfile::Builder::new().prefix("ktape-bench").tempdir()?;
    println!("# bench cost: {}", tools::machine());
    println!("{}", programs.versions());
    let mut ready = Vec::new();
    for &recorder in turns::TPCB.measured {
        match programs.missing(recorder) {
            None => {
                println!("{:<13}  {}", recorder.name(), recorder.command_line());
                ready.push(recorder);
            }
            Some(why) => println!("{:<13}  LEFT OUT: {why}", recorder.name()),
        }
    }
    let postgres = Postgres::start()?;
    turns::measure(&turns::TPCB, &ready, &programs, &postgres, folder.path())?;
    Ok(())
}

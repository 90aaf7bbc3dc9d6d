//! `cargo xtask fleet`: runs the commands of docs/fleet.md, whose last one compares the answers of
//! ktape, DuckDB and Spark.

use crate::bench::tools;
use crate::generated::root;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Run the commands of docs/fleet.md as root; fail unless the answers in it are the same.
#[derive(clap::Args)]
pub struct Args {
    /// Leave out Spark, which needs a Java runtime and 500 MB on the disk.
    #[arg(long)]
    without_spark: bool,
}

/// What tells the block that installs the engines: it is run once, below the target folder.
const INSTALL: &str = "pip install";
/// What tells the block that asks Spark.
const SPARK: &str = "SparkSession";
/// The end of the block that compares, with its engines.
const COMPARE: &str = "python3 compare.py duckdb spark\n";
const COMPARE_DUCKDB: &str = "python3 compare.py duckdb\n";

/// The commands of the page.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    install: String,
    rest: String,
}

pub fn run(args: &Args) -> Result<()> {
    tools::need_root()?;
    let page = std::fs::read_to_string(root().join("docs/fleet.md")).context("docs/fleet.md")?;
    let page = commands(&page, !args.without_spark)?;
    let ktape = tools::ktape()?;
    let home = engines(&page.install, args.without_spark)?;
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let mut path = home.join("engines/bin").into_os_string();
    for folder in [ktape.parent().map(Path::as_os_str), std::env::var_os("PATH").as_deref()] {
        path.push(":");
        path.push(folder.context("no path")?);
    }
    shell(&page.rest, folder.path(), Some(path)).context("docs/fleet.md")
}

/// Takes the commands out of the page.
fn commands(page: &str, spark: bool) -> Result<Page> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match (inside, line) {
            (false, "```sh") => blocks.push(String::new()),
            (true, "```") => inside = false,
            (true, line) => blocks.iter_mut().last().context("no block")?.extend([line, "\n"]),
            (false, _) => {}
        }
        inside |= line == "```sh";
    }
    let (install, mut rest): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| block.contains(INSTALL));
    let mut install = install.concat();
    ensure!(!install.is_empty(), "no block has `{INSTALL}`");
    ensure!(rest.iter().any(|block| block.contains(SPARK)), "no block has `{SPARK}`");
    ensure!(
        rest.last().is_some_and(|block| block.ends_with(COMPARE)),
        "the last block does not end with `{}`",
        COMPARE.trim_end()
    );
    if !spark {
        let words = install.split_inclusive([' ', '\n']);
        install = words.filter(|word| !word.starts_with("pyspark")).collect();
        rest.retain(|block| !block.contains(SPARK));
        rest.iter_mut().for_each(|block| *block = block.replace(COMPARE, COMPARE_DUCKDB));
    }
    Ok(Page { install, rest: rest.concat() })
}

/// The folder where the engines are installed by these commands.
fn engines(install: &str, without_spark: bool) -> Result<PathBuf> {
    let name = if without_spark { "duckdb" } else { "duckdb-spark" };
    let home = tools::target()?.join("fleet-tools").join(name);
    let done = home.join("installed");
    if std::fs::read_to_string(&done).ok().as_deref() != Some(install) {
        std::fs::create_dir_all(&home).context("cannot make the folder of the engines")?;
        shell(install, &home, None)
            .context("cannot install the engines (apt-get install python3-venv)")?;
        std::fs::write(&done, install).context("cannot note what is installed")?;
    }
    Ok(home)
}

/// Runs commands until one fails.
fn shell(commands: &str, folder: &Path, path: Option<OsString>) -> Result<()> {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", commands]).current_dir(folder);
    if let Some(path) = path {
        bash.env("PATH", path);
    }
    let status = bash.status().context("cannot run bash")?;
    if !status.success() {
        bail!("a command failed: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::commands;

    const PAGE: &str = "text\n```sh\nask\n```\n```text\nanswer\n```\n```sh\n\
        pip install duckdb==1 pyspark==2\n```\n```sh\nSparkSession\n```\n\
        ```sh\npython3 compare.py duckdb spark\n```\n";

    #[test]
    fn the_commands_are_those_of_the_page() {
        let page = commands(PAGE, true).expect("the commands");
        assert_eq!(page.install, "pip install duckdb==1 pyspark==2\n");
        assert_eq!(page.rest, "ask\nSparkSession\npython3 compare.py duckdb spark\n");
        let page = commands(PAGE, false).expect("the commands");
        assert_eq!(page.install, "pip install duckdb==1 ");
        assert_eq!(page.rest, "ask\npython3 compare.py duckdb\n");
    }

    #[test]
    fn a_page_that_compares_nothing_is_refused() {
        for gone in ["pip install", "SparkSession", "compare.py"] {
            assert!(commands(&PAGE.replace(gone, "gone"), true).is_err(), "{gone}");
        }
    }
}

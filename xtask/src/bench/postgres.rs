//! A PostgreSQL of our own for pgbench: a temporary cluster behind a socket, gone afterwards.

use super::process::Process;
use anyhow::{Context, Result, bail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Rows of the accounts table, in units of 100 000.
const SCALE: &str = "10";

/// The user that Debian's packages create; the server refuses to run as root.
const USER: &str = "postgres";

/// A running cluster; its files go with it.
pub struct Postgres {
    /// Dropped first: the server ends before its files.
    server: Process,
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Makes a cluster, starts it and fills pgbench's tables.
    pub fn start() -> Result<Self> {
        let programs =
            programs().context("PostgreSQL is not installed (apt-get install postgresql)")?;
        let folder = tempfile::Builder::new().prefix("ktape-bench-pg").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        run(Command::new("chown").arg(USER).arg(&data))?;
        let mut initdb = as_user(&programs.join("initdb"));
        run(initdb.args(["-A", "trust", "-U", USER, "-D"]).arg(&data).current_dir(&data))?;

        let mut server = as_user(&programs.join("postgres"));
        server.arg("-D").arg(&data).current_dir(&data);
        server.stdin(Stdio::null()).stdout(Stdio::null());
        for setting in [
            "listen_addresses=",
            &format!("unix_socket_directories={}", data.display()),
            "shared_buffers=512MB",
            "max_wal_size=4GB",
            // A vacuum in some of the runs and not in others would be noise.
            "autovacuum=off",
        ] {
            server.args(["-c", setting]);
        }
        let server = Process::start(&mut server, folder.path())?;
        let postgres = Self { server, folder, programs };
        postgres.wait_until_ready()?;
        run(postgres.client("pgbench").args(["-q", "-i", "-s", SCALE]))?;
        Ok(postgres)
    }

    /// pgbench with 8 clients in 2 threads, ready for more arguments.
    pub fn pgbench(&self) -> Command {
        let mut command = self.client("pgbench");
        command.args(["-c", "8", "-j", "2"]);
        command
    }

    /// pgbench with this many clients in one thread, under a name of its own.
    pub fn pgbench_named(&self, name: &str, clients: usize) -> Command {
        let mut command = self.client("pgbench");
        command.args(["-c", &clients.to_string(), "-j", "1"]).env("PGAPPNAME", name);
        command
    }

    /// The processes that serve the clients of this name.
    pub fn servers_of(&self, name: &str) -> Result<Vec<u32>> {
        let query = format!("select pid from pg_stat_activity where application_name = '{name}'");
        let out = self.client("psql").args(["-Atc", &query]).output().context("cannot run psql")?;
        if !out.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&out.stderr).trim_end());
        }
        let lines = String::from_utf8_lossy(&out.stdout);
        lines.lines().map(|pid| pid.parse().context("psql gives no process id")).collect()
    }

    /// Writes out what earlier runs left in memory, so that the next does not pay for it.
    pub fn checkpoint(&self) -> Result<()> {
        run(self.client("psql").args(["-q", "-c", "CHECKPOINT"]))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", self.folder.path().join("data"));
        command.env("PGUSER", USER).env("PGDATABASE", USER);
        command
    }

    fn wait_until_ready(&self) -> Result<()> {
        for _ in 0..300 {
            if run(&mut self.client("pg_isready")).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("PostgreSQL does not start: {}", self.server.complaint())
    }
}

/// Where the newest version has its programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.flatten().map(|entry| entry.path()).max_by_key(version)?;
    let programs = newest.join("bin");
    programs.join("initdb").exists().then_some(programs)
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups"]).arg(program);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("cannot run {program}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{program}: {}", said.lines().last().unwrap_or_default());
    }
    Ok(())
}

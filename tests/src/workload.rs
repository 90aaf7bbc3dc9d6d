//! The programs of known results, compiled on demand.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::profile_folder;
use crate::live::{NotRun, needs_program};

/// The folder of their sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

/// Compiles a workload (`workloads/<name>.c`) unless that was done since it changed.
pub fn workload(name: &str) -> PathBuf {
    let source = sources().join(name).with_extension("c");
    let folder = profile_folder().join("workloads");
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let program = folder.join(name);
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified());
    let headers = ["clock.h", "netns.h"].map(|name| changed(&sources().join(name)));
    let newest = headers.into_iter().fold(changed(&source).expect("a source"), |newest, header| {
        newest.max(header.expect("a header"))
    });
    if changed(&program).is_ok_and(|built| built > newest) {
        return program;
    }
    // Renamed into place: another test may be about to run it.
    let fresh = folder.join(format!("{name}.{}", std::process::id()));
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled = Command::new(&compiler)
        .args(["-O1", "-g", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-pthread", "-o"])
        .args([&fresh, &source])
        .status()
        .unwrap_or_else(|error| panic!("a C compiler is needed ({compiler:?}): {error}"));
    assert!(compiled.success(), "{} does not compile", source.display());
    std::fs::rename(&fresh, &program).expect("the target folder is writable");
    program
}

/// Where Debian puts the sources of Go packages.
const GO_PATH: &str = "/usr/share/gocode";

/// A Go compiler with the packages that it compiles.
pub struct Go {
    name: &'static str,
    program: PathBuf,
    path: PathBuf,
    root: Option<PathBuf>,
}

impl Go {
    /// Those of this host's Debian.
    pub fn of_host() -> Result<Go, NotRun> {
        needs_program("go", "golang-go")?;
        Ok(Go { name: "go", program: "go".into(), path: GO_PATH.into(), root: None })
    }

    /// The newest ones, fetched once by `workloads/newest-go.sh`.
    pub fn newest() -> Result<Go, NotRun> {
        let folder = profile_folder().join("workloads").join("newest-go");
        let fetched = Command::new("sh")
            .arg(sources().join("newest-go.sh"))
            .arg(&folder)
            .output()
            .map_err(|error| NotRun(format!("newest-go.sh: {error}")))?;
        if !fetched.status.success() {
            let said = String::from_utf8_lossy(&fetched.stderr);
            let last = said.lines().last().unwrap_or_default();
            return Err(NotRun(format!("newest-go.sh cannot fetch the newest Go: {last}")));
        }
        let root = folder.join("go");
        Ok(Go {
            name: "newest-go",
            program: root.join("bin").join("go"),
            path: folder.join("gocode"),
            root: Some(root),
        })
    }

    /// Compiles a workload (`workloads/<name>.go`), which imports `package`, unless that was done since
    /// it changed. `stripped`: without symbols and debug information.
    pub fn compile(&self, name: &str, package: &str, stripped: bool) -> Result<PathBuf, NotRun> {
        if !package.is_empty() && !self.path.join("src").join(package).is_dir() {
            return Err(NotRun(format!("{package} is not in {}", self.path.display())));
        }
        let source = sources().join(name).with_extension("go");
        let folder = profile_folder().join("workloads");
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let kind = if stripped { "-stripped" } else { "" };
        let program = folder.join(format!("{name}-{}{kind}", self.name));
        let changed = |path: &Path| path.metadata().and_then(|file| file.modified());
        if changed(&program).is_ok_and(|built| built > changed(&source).expect("a source")) {
            return Ok(program);
        }
        let fresh = folder.join(format!("{name}-{}.{}", self.name, std::process::id()));
        let mut command = Command::new(&self.program);
        command.arg("build");
        if stripped {
            command.args(["-ldflags", "-s -w"]);
        }
        if let Some(root) = &self.root {
            command.env("GOROOT", root);
        }
        let compiled = command
            .arg("-o")
            .args([&fresh, &source])
            .env("GO111MODULE", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOPATH", &self.path)
            .env("GOFLAGS", "")
            .env("GOCACHE", folder.join(format!("{}-cache", self.name)))
            .status()
            .expect("go runs");
        assert!(compiled.success(), "{} does not compile", source.display());
        std::fs::rename(&fresh, &program).expect("the target folder is writable");
        Ok(program)
    }
}

/// The lines that a workload printed, each split at blanks, those that start with `what` only.
pub fn lines(output: &str, what: &str) -> Vec<Vec<String>> {
    output
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| words.first().is_some_and(|word| word == what))
        .collect()
}

/// A word as a number.
#[track_caller]
pub fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("`{word}` is no number"))
}

//! Fetches Debian's kernels with the machine's own apt, and installs nothing.
//!
//! Where the archive is, the machine's own sources say; lists and packages go into private folders.

use super::kernel::Kernel;
use super::release::Release;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The smallest flavour of Debian's kernels: a fifth of the usual size, and it boots fastest.
const FLAVOUR: &str = "cloud-amd64";

/// With this key Debian signs all its suites.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The newest kernel of the first suite that gives one.
pub fn fetch(release: Release, home: &Path) -> Result<Kernel> {
    let mut reasons = Vec::new();
    for suite in release.suites() {
        match from_suite(suite, home) {
            Ok(kernel) => return Ok(kernel),
            Err(error) => reasons.push(format!("{suite}: {error:#}")),
        }
    }
    bail!("{}", reasons.join("; "))
}

fn from_suite(suite: &str, home: &Path) -> Result<Kernel> {
    let kernels = home.join("kernels").join(suite);
    std::fs::create_dir_all(&kernels).context("cannot make a folder for kernels")?;
    let archive = Archive::open(suite, &home.join("apt").join(suite));
    let version = archive
        .as_ref()
        .map_err(|error| format!("{error:#}"))
        .and_then(|archive| archive.newest_kernel().map_err(|error| format!("{error:#}")));
    let (version, note) = match version {
        Ok(version) => (version, String::new()),
        // Without the archive, what it gave before will do.
        Err(why) => match newest_in(&kernels) {
            Some(version) => (version, format!(" (as fetched before: {why})")),
            None => bail!("{why}"),
        },
    };
    let folder = kernels.join(&version);
    if !folder.exists() {
        let fresh = kernels.join(format!("{version}.part"));
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).context("cannot clear a folder")?;
        }
        archive?.unpack(&version, &fresh)?;
        for old in std::fs::read_dir(&kernels)? {
            let old = old?.path();
            if old != fresh {
                std::fs::remove_dir_all(&old).context("cannot remove an old kernel")?;
            }
        }
        std::fs::rename(&fresh, &folder).context("cannot rename a folder")?;
    }
    Kernel::in_folder(&folder, version, note)
}

/// The kernel that lies in a folder of kernels.
fn newest_in(kernels: &Path) -> Option<String> {
    let names = std::fs::read_dir(kernels).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        (!name.ends_with(".part")).then_some(name)
    });
    names.max()
}

/// One suite of Debian's archive, with folders of its own.
struct Archive {
    folder: PathBuf,
    options: Vec<String>,
}

impl Archive {
    /// Reads the lists of a suite.
    fn open(suite: &str, folder: &Path) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "debs"] {
            std::fs::create_dir_all(folder.join(part)).context("cannot make a folder for apt")?;
        }
        let address = address(suite)?;
        let source = format!("deb [arch=amd64 signed-by={KEYRING}] {address} {suite} main\n");
        let list = folder.join("sources.list");
        std::fs::write(&list, source).context("cannot write a list of sources")?;
        let place = |path: &str| folder.join(path).display().to_string();
        let options = [
            format!("Dir::Etc::SourceList={}", list.display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            "Dir::State::Status=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", place("lists")),
            format!("Dir::Cache={}", place("cache")),
            "APT::Architecture=amd64".to_owned(),
            // Its own user could not write here.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=2".to_owned(),
        ];
        let archive = Self { folder: folder.to_owned(), options: options.into() };
        archive.ask("apt-get", &["update", "-qq", "--error-on=any"]).context("apt-get update")?;
        Ok(archive)
    }

    /// The version that the flavour's package without a version stands for.
    fn newest_kernel(&self) -> Result<String> {
        let package = format!("linux-image-{FLAVOUR}");
        let shown = self.ask("apt-cache", &["show", "--no-all-versions", &package])?;
        kernel_of(&shown).with_context(|| format!("{package} names no kernel"))
    }

    /// Downloads a kernel and unpacks it into a new folder.
    fn unpack(&self, version: &str, into: &Path) -> Result<()> {
        // Since 6.19 an image package is empty: kernel and modules are packages of their own.
        let parts = [format!("linux-binary-{version}"), format!("linux-modules-{version}")];
        let packages = match self.ask("apt-cache", &["show", &parts[0]]) {
            Ok(_) => parts.to_vec(),
            Err(_) => vec![format!("linux-image-{version}")],
        };
        let debs = self.folder.join("debs");
        let clear = || -> Result<()> {
            std::fs::remove_dir_all(&debs).context("cannot clear a folder")?;
            std::fs::create_dir_all(&debs).context("cannot make a folder")
        };
        clear()?;
        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
        self.ask("apt-get", &[&["download", "-qq"], &names[..]].concat())
            .with_context(|| format!("cannot download {}", names.join(" and ")))?;
        for deb in std::fs::read_dir(&debs)? {
            let mut extract = Command::new("dpkg-deb");
            extract.arg("--extract").arg(deb?.path()).arg(into);
            output(&mut extract)?;
        }
        clear()
    }

    /// Runs a program of apt on this suite only.
    fn ask(&self, program: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        for option in &self.options {
            command.args(["-o", option]);
        }
        output(command.args(args).current_dir(self.folder.join("debs")))
    }
}

/// Where this machine gets Debian from: the address of the archive that has a suite.
fn address(suite: &str) -> Result<String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(SITE)", "Created-By: Packages"]);
    let known = output(&mut targets)?;
    let kind = if suite.ends_with("-security") { "debian-security" } else { "debian" };
    address_of(&known, kind)
        .with_context(|| format!("no apt source of this machine is an archive named {kind}"))
}

/// The first of the addresses that ends in a folder of this name.
fn address_of(addresses: &str, kind: &str) -> Option<String> {
    addresses
        .lines()
        .map(|line| line.trim().trim_end_matches('/'))
        .find(|line| line.rsplit('/').next() == Some(kind))
        .map(str::to_owned)
}

/// The version of the kernel that a package depends on.
fn kernel_of(shown: &str) -> Option<String> {
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends:"))?;
    let packages = depends.split(',').filter_map(|part| part.split_whitespace().next());
    let versions = packages.filter_map(|package| package.strip_prefix("linux-image-"));
    versions.map(str::to_owned).find(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// What a program says; an error with its complaint when it fails.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.env("LC_ALL", "C").output().with_context(|| format!("cannot run {name}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let lines: Vec<&str> =
            said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        bail!("{name} failed ({}): {}", out.status, lines.join("; "));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_found_by_its_folder() {
        let known = "http://example.org/debian-security\nhttp://example.org/debian/\n";
        let expected = |address: &str| Some(address.to_owned());
        assert_eq!(address_of(known, "debian"), expected("http://example.org/debian"));
        assert_eq!(
            address_of(known, "debian-security"),
            expected("http://example.org/debian-security")
        );
        assert_eq!(address_of("http://example.org/ubuntu\n", "debian"), None);
    }

    #[test]
    fn a_package_without_version_names_its_kernel() {
        let old = "Package: linux-image-cloud-amd64\nDepends: linux-image-5.10.0-46-cloud-amd64 (= 5.10.262-1)\n";
        assert_eq!(kernel_of(old).as_deref(), Some("5.10.0-46-cloud-amd64"));
        let new = "Depends: linux-base, linux-image-7.2.12+deb13-cloud-amd64 (= 7.2.12-1)\n";
        assert_eq!(kernel_of(new).as_deref(), Some("7.2.12+deb13-cloud-amd64"));
        assert_eq!(kernel_of("Depends: linux-image-cloud-amd64\n"), None);
        assert_eq!(kernel_of(""), None);
    }
}

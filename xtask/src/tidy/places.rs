//! Nothing names a place of a particular machine: a folder, a package registry's host.

use super::finding::Finding;
use super::tree::{File, Tree};

/// Folders of the machines that the project is made on. (Written in pieces: this file is checked.)
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Homes with names that stand for anybody's.
const HOME: &str = concat!("/ho", "me/");
const ANYBODY: &[&str] = &["user", "me", "you", "alice", "bob"];

/// Hosts that only a package client needs to know.
const HOSTS: &[&str] = &[
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("snapshot.debian", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("files.pythonhosted", ".org"),
    concat!("pypi", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Where crates come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks all texts, and the objects that compilers may write paths into.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.binary || file.extension() == "o") {
        for (number, line) in (1..).zip(file.text.lines()) {
            findings.extend(place(line).map(|what| Finding::new(&file.path, number, what)));
        }
        findings.extend(registry(file));
    }
    findings
}

fn place(line: &str) -> Option<String> {
    let begins = |at: usize| {
        // In the middle of another path it is somebody else's folder.
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}*/".contains(c))
    };
    let folder = FOLDERS
        .iter()
        .find(|folder| line.match_indices(*folder).any(|(at, _)| begins(at)))
        .map(|folder| (*folder).to_owned());
    let home = || {
        line.match_indices(HOME).find_map(|(at, _)| {
            let name = line[at + HOME.len()..].split(|c: char| !c.is_alphanumeric()).next()?;
            (begins(at) && !name.is_empty() && !ANYBODY.contains(&name))
                .then(|| format!("{HOME}{name}"))
        })
    };
    let host = || HOSTS.iter().find(|host| line.contains(*host)).map(|host| (*host).to_owned());
    let what = folder.or_else(home).or_else(host)?;
    Some(format!("names {what}, a place of a particular machine"))
}

/// Another registry than crates.io, in the files that can name one.
fn registry(file: &File) -> Vec<Finding> {
    let names_one = |line: &str| match file.path.as_str() {
        "Cargo.lock" | "fuzz/Cargo.lock" => line
            .strip_prefix("source = \"")
            .is_some_and(|source| source.trim_end_matches('"') != CRATES_IO),
        ".cargo/config.toml" => line.starts_with("[source") || line.starts_with("[registr"),
        _ => false,
    };
    (1..)
        .zip(file.text.lines())
        .filter(|(_, line)| names_one(line))
        .map(|(number, line)| {
            Finding::new(&file.path, number, format!("`{line}`: crates come from crates.io"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        finding::check(&super::check(&tree::tree(&[(path, text)])), text, expected);
    }

    #[test]
    fn folders_of_machines_are_found() {
        for folder in FOLDERS {
            check("a.md", &format!("cd {folder}x"), &[&format!("1: names {folder}")]);
            check("a.rs", &format!("\n\"{folder}x\""), &[&format!("2: names {folder}")]);
            check("a.o", &format!("\0{folder}x"), &[&format!("1: names {folder}")]);
            check("a.ktape", &format!("\0{folder}x"), &[]);
            check("a.md", &format!("see src{folder}x"), &[]);
        }
        check("a.md", &format!("{HOME}jane/x"), &[&format!("1: names {HOME}jane")]);
        check("a.md", &format!("{HOME}user/x and {HOME}<name>"), &[]);
    }

    #[test]
    fn registries_are_found() {
        for host in HOSTS {
            check(".ci/run", &format!("curl https://{host}/x"), &[&format!("1: names {host}")]);
        }
        check("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n"), &[]);
        check("Cargo.lock", "source = \"git+https://example.com/x\"\n", &["1: `source"]);
        check(".cargo/config.toml", "[alias]\n", &[]);
        check(".cargo/config.toml", "[source.crates-io]\n", &["1: `[source"]);
    }
}

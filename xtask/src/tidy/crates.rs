//! Who may import whom, and which third parties are confined to one crate.

use super::finding::Finding;
use super::tree::Tree;
use anyhow::{Context, Result};
use std::path::Path;

/// A crate of ours, and what it imports: for the library, for tests or for the build.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    /// Its Cargo.toml, below the top folder.
    pub manifest: String,
    pub imports: Vec<String>,
}

/// For each crate of ours the others that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("ktape-schema", &[]),
    ("ktape-format", &["ktape-schema"]),
    ("ktape-ebpf", &[]),
    ("ktape-capture", &["ktape-schema", "ktape-format", "ktape-ebpf"]),
    ("ktape-analyze", &["ktape-schema", "ktape-format"]),
    ("ktape", &["ktape-schema", "ktape-format", "ktape-capture", "ktape-analyze"]),
    ("xtask", &["ktape-schema"]),
    (
        "ktape-tests",
        &["ktape-schema", "ktape-format", "ktape-ebpf", "ktape-capture", "ktape-analyze", "ktape"],
    ),
    ("ktape-fuzz", &["ktape-format", "ktape-capture", "ktape-analyze", "ktape-tests"]),
];

/// Third parties that only these crates may import.
const CONFINED: &[(&str, &[&str])] = &[
    ("bincode", &["ktape-format"]),
    ("zstd", &["ktape-format"]),
    ("aya", &["ktape-capture"]),
    ("inferno", &["ktape-analyze"]),
    ("addr2line", &["ktape-analyze"]),
    ("parquet", &["ktape-analyze"]),
    ("hmac", &["ktape-analyze"]),
    ("sha2", &["ktape-analyze"]),
    ("indicatif", &["ktape"]),
    ("libfuzzer-sys", &["ktape-fuzz"]),
    ("anyhow", &["ktape", "xtask", "ktape-tests"]),
    // The format knows no terminal, the schema nothing at all.
    ("clap", &["ktape-analyze", "ktape", "xtask", "ktape-tests"]),
];

/// Our crates, as cargo sees them.
pub fn read(root: &Path) -> Result<Vec<Package>> {
    let mut packages = workspace(root, "Cargo.toml")?;
    packages.extend(workspace(root, "fuzz/Cargo.toml")?);
    Ok(packages)
}

fn workspace(root: &Path, manifest: &str) -> Result<Vec<Package>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join(manifest))
        .no_deps()
        .exec()
        .context("cannot read the crates with `cargo metadata`")?;
    let packages = metadata.packages.iter().map(|package| Package {
        name: package.name.to_string(),
        manifest: package
            .manifest_path
            .as_std_path()
            .strip_prefix(root)
            .unwrap_or(package.manifest_path.as_std_path())
            .display()
            .to_string(),
        imports: package.dependencies.iter().map(|dependency| dependency.name.clone()).collect(),
    });
    Ok(packages.collect())
}

/// Checks the imports of all crates.
pub fn check(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let manifest = tree.get(&package.manifest).map_or("", |file| &file.text);
        let mut found = |line, what| findings.push(Finding::new(&package.manifest, line, what));
        let name = package.name.as_str();
        let Some((_, ours)) = MAY_IMPORT.iter().find(|(crate_, _)| *crate_ == name) else {
            found(1, format!("{name} is not in xtask's list of who may import whom"));
            continue;
        };
        if !manifest.contains("[lints]\nworkspace = true") && name != "xtask" {
            found(1, format!("{name} does not take `[lints] workspace = true`"));
        }
        for import in &package.imports {
            let line = line_of(manifest, import);
            let is_ours = packages.iter().any(|package| package.name == *import);
            if is_ours && !ours.contains(&import.as_str()) {
                found(
                    line,
                    format!("{name} must not import {import}: design, who may import whom"),
                );
            }
            if name == "ktape-schema" && !is_ours {
                found(line, format!("{name} has no dependencies, not even {import}"));
            }
            if let Some((_, homes)) = CONFINED.iter().find(|(crate_, _)| crate_ == import)
                && !homes.contains(&name)
            {
                found(line, format!("{import} belongs to {} alone", homes.join(", ")));
            }
        }
    }
    findings
}

/// The line of a manifest that imports a crate.
fn line_of(manifest: &str, import: &str) -> usize {
    let imports = |line: &str| {
        line.strip_prefix(import).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(imports).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};
    use super::*;

    fn check(package: &str, imports: &[&str], expected: &[&str]) {
        let of = |name: &str, imports: &[&str]| Package {
            name: name.to_owned(),
            manifest: format!("{name}.toml"),
            imports: imports.iter().map(|import| (*import).to_owned()).collect(),
        };
        let mut packages: Vec<Package> = MAY_IMPORT
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != package)
            .map(|name| of(name, &[]))
            .collect();
        packages.push(of(package, imports));
        let manifest: String =
            imports.iter().map(|import| format!("{import}.workspace = true\n")).collect();
        let lints = "[lints]\nworkspace = true\n";
        let files: Vec<(String, String)> = packages
            .iter()
            .map(|p| {
                (
                    p.manifest.clone(),
                    if p.name == package { format!("{manifest}{lints}") } else { lints.to_owned() },
                )
            })
            .collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let found = finding::lines(&super::check(&tree::tree(&files), &packages));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn imports_go_one_way() {
        check("ktape-capture", &["ktape-schema", "ktape-format", "ktape-ebpf", "aya"], &[]);
        check(
            "ktape-capture",
            &["aya", "ktape-analyze"],
            &["2: ktape-capture must not import ktape-analyze"],
        );
        check("ktape-analyze", &["ktape-capture"], &["1: ktape-analyze must not import"]);
        check("ktape-analyze", &["ktape-ebpf"], &["1: ktape-analyze must not import"]);
        check("ktape-format", &["ktape-capture"], &["1: ktape-format must not import"]);
        check("ktape-schema", &["ktape-format"], &["1: ktape-schema must not import"]);
        check("ktape-schema", &["libc"], &["1: ktape-schema has no dependencies"]);
        check("xtask", &["ktape-format"], &["1: xtask must not import"]);
        check("ktape-tests", &["ktape-capture", "ktape-analyze", "anyhow"], &[]);
        check("newcomer", &[], &["1: newcomer is not in xtask's list"]);
    }

    #[test]
    fn third_parties_are_confined() {
        for (third, homes) in CONFINED {
            check(homes[0], &[third], &[]);
            check("ktape-ebpf", &[third], &[&format!("1: {third} belongs to")]);
        }
        check("ktape-analyze", &["rustc-hash", "aya"], &["2: aya belongs to ktape-capture alone"]);
    }

    #[test]
    fn every_crate_takes_the_lints() {
        let package =
            Package { name: "ktape-ebpf".into(), manifest: "Cargo.toml".into(), imports: vec![] };
        let found = super::check(&tree::tree(&[("Cargo.toml", "[package]\n")]), &[package]);
        assert_eq!(
            finding::lines(&found),
            ["1: ktape-ebpf does not take `[lints] workspace = true`"]
        );
    }
}

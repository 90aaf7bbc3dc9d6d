//! Each list names every file, and every file is in its list.

use super::finding::Finding;
use super::tree::Tree;

/// A macro call that lists modules, one a line.
struct List {
    path: &'static str,
    /// How it begins, on a line of its own.
    opening: &'static str,
    /// Where the files are.
    folder: &'static str,
    /// Files there that are not members.
    apart: &'static [&'static str],
}

const RECORDS: List = List {
    path: "format/schema/src/lib.rs",
    opening: "records! {",
    folder: "format/schema/src",
    apart: &["lib", "desc", "record"],
};

const PROBES: List = List {
    path: "capture/src/probes/mod.rs",
    opening: "probes! {",
    folder: "capture/src/probes",
    apart: &["mod"],
};

const REPORTS: List = List {
    path: "analyze/src/reports/mod.rs",
    opening: "reports! {",
    folder: "analyze/src/reports",
    apart: &["mod"],
};

/// Kernel programs: one file per probe, compiled together without a list.
const PROGRAMS: &str = "ebpf/probes";

/// Checks all lists.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for list in [RECORDS, PROBES, REPORTS] {
        findings.extend(check_list(tree, &list));
    }
    let (probes, programs) =
        (tree.names_in(PROBES.folder, ".rs"), tree.names_in(PROGRAMS, ".bpf.c"));
    for program in &programs {
        if !probes.contains(program) {
            let what = format!("has no {}/{program}.rs that attaches it", PROBES.folder);
            findings.push(Finding::new(&format!("{PROGRAMS}/{program}.bpf.c"), 1, what));
        }
    }
    for probe in probes.iter().filter(|probe| !PROBES.apart.contains(probe)) {
        if !programs.contains(probe) {
            let what = format!("has no kernel program {PROGRAMS}/{probe}.bpf.c");
            findings.push(Finding::new(&format!("{}/{probe}.rs", PROBES.folder), 1, what));
        }
    }
    findings
}

/// The names of all probes and of all reports, as the lists in `root` have them.
#[cfg(test)]
pub fn probes_and_reports(root: &std::path::Path) -> Option<(Vec<String>, Vec<String>)> {
    let names = |list: &List| {
        let text = std::fs::read_to_string(root.join(list.path)).ok()?;
        let entries = entries(&text, list.opening)?;
        Some(entries.into_iter().map(|(_, name)| name.to_owned()).collect())
    };
    Some((names(&PROBES)?, names(&REPORTS)?))
}

fn check_list(tree: &Tree, list: &List) -> Vec<Finding> {
    let Some(entries) = tree.get(list.path).and_then(|file| entries(&file.text, list.opening))
    else {
        return vec![Finding::new(list.path, 1, format!("has no list `{}`", list.opening))];
    };
    let mut findings = Vec::new();
    let files = tree.names_in(list.folder, ".rs");
    for file in files.iter().filter(|file| !list.apart.contains(file)) {
        if !entries.iter().any(|(_, entry)| entry == file) {
            let what = format!("is not in `{}` in {}", list.opening, list.path);
            findings.push(Finding::new(&format!("{}/{file}.rs", list.folder), 1, what));
        }
    }
    for (at, (line, entry)) in entries.iter().enumerate() {
        if !files.contains(entry) {
            let what = format!("lists {entry}, but {}/{entry}.rs is not there", list.folder);
            findings.push(Finding::new(list.path, *line, what));
        }
        if entries[..at].iter().any(|(_, before)| before == entry) {
            findings.push(Finding::new(list.path, *line, format!("lists {entry} twice")));
        }
    }
    findings
}

/// The modules in a list: line and name. `None` without the list.
fn entries<'a>(text: &'a str, opening: &str) -> Option<Vec<(usize, &'a str)>> {
    let begin = text.lines().position(|line| line == opening)?;
    let entries = (begin + 2..)
        .zip(text.lines().skip(begin + 1))
        .take_while(|(_, line)| *line != "}")
        .filter_map(|(number, line)| {
            let name = line.trim().split([':', ',']).next()?;
            (!name.is_empty() && !name.starts_with('/')).then_some((number, name))
        });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::super::{finding::Finding, tree};

    /// A project with one of everything, with files changed.
    fn check(changed: &[(&str, &str)], expected: &[&str]) {
        let mut files = vec![
            ("format/schema/src/lib.rs", "mod desc;\n\nrecords! {\n    wait::Wait,\n}\n"),
            ("format/schema/src/desc.rs", ""),
            ("format/schema/src/record.rs", ""),
            ("format/schema/src/wait.rs", ""),
            ("ebpf/probes/waits.bpf.c", ""),
            ("capture/src/probes/mod.rs", "macro_rules! probes {\n}\n\nprobes! {\n    waits,\n}\n"),
            ("capture/src/probes/waits.rs", ""),
            ("analyze/src/reports/mod.rs", "reports! {\n    longest::Longest,\n}\n"),
            ("analyze/src/reports/longest.rs", ""),
            ("analyze/src/reports/longest/answer.rs", ""),
        ];
        for (path, text) in changed {
            files.retain(|(known, _)| known != path);
            if !text.is_empty() {
                files.push((path, text));
            }
        }
        let found: Vec<String> =
            super::check(&tree::tree(&files)).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn lists_and_files_agree() {
        check(&[], &[]);
        let record = "format/schema/src/lib.rs";
        check(&[("format/schema/src/read.rs", "//")], &["format/schema/src/read.rs:1: is not in"]);
        check(&[("format/schema/src/wait.rs", "")], &["format/schema/src/lib.rs:4: lists wait"]);
        check(
            &[(record, "records! {\n    wait::Wait,\n    wait::Wait,\n}\n")],
            &["format/schema/src/lib.rs:3: lists wait twice"],
        );
        check(&[(record, "//")], &["format/schema/src/lib.rs:1: has no list"]);
        check(
            &[("analyze/src/reports/worst.rs", "//")],
            &["analyze/src/reports/worst.rs:1: is not in `reports! {`"],
        );
        check(
            &[("capture/src/probes/mod.rs", "probes! {\n}\n")],
            &["capture/src/probes/waits.rs:1: is not in `probes! {`"],
        );
    }

    #[test]
    fn a_probe_has_both_halves() {
        check(
            &[("ebpf/probes/reads.bpf.c", "//")],
            &["ebpf/probes/reads.bpf.c:1: has no capture/"],
        );
        check(
            &[("ebpf/probes/waits.bpf.c", "")],
            &["capture/src/probes/waits.rs:1: has no kernel program"],
        );
    }
}

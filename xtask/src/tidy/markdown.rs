//! Links between documents lead somewhere.

use super::finding::Finding;
use super::tree::Tree;

/// Checks the relative links of every document, with their anchors.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["md"]) {
        for (line, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if let Some(what) = broken(tree, &file.path, &target) {
                findings.push(Finding::new(&file.path, line, what));
            }
        }
    }
    findings
}

/// Why a link from `from` leads nowhere.
fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = (if path.is_empty() { Some(from.to_owned()) } else { resolve(from, path) })
    else {
        return Some(format!("link `{target}` leads out of the project"));
    };
    let folder = format!("{}/", path.trim_end_matches('/'));
    let Some(file) = tree.get(&path) else {
        let exists =
            path.is_empty() || tree.files.iter().any(|file| file.path.starts_with(&folder));
        return (!exists).then(|| format!("link `{target}`: there is no {path}"));
    };
    let missing = !anchor.is_empty()
        && file.extension() == "md"
        && !prose(&file.text).any(|(_, line)| heading_anchor(&line).as_deref() == Some(anchor));
    missing.then(|| format!("link `{target}`: {path} has no such heading"))
}

/// `../a/b` seen from a file, below the top folder.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The lines that are not in fenced code, with numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then(|| (number, line.to_owned()))
    })
}

/// Targets of `[text](target)` and `[label]: target`, outside code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // Every second piece between backquotes is code.
        let line: String = line
            .split('`')
            .enumerate()
            .map(|(at, part)| if at % 2 == 0 { part } else { "x" })
            .collect();
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or("");
            links.push((number, target.to_owned()));
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            links.push((number, target.trim().to_owned()));
        }
    }
    links
}

/// The anchor that a heading gets where documents are shown.
fn heading_anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let keep = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
    let anchor = title.trim().to_lowercase().chars().filter(|c| keep(*c)).collect::<String>();
    Some(anchor.replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};

    fn check(text: &str, expected: &[&str]) {
        let tree = tree::tree(&[
            ("docs/a.md", text),
            ("docs/b.md", "# The `b` file, 2nd\n```\n# no heading\n```\n"),
            ("src/main.rs", ""),
        ]);
        let found = finding::lines(&super::check(&tree));
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn good_links_pass() {
        check("[b](b.md), [m](../src/main.rs) and [src](../src/) and [top](..)", &[]);
        check("# Here\n[b](b.md#the-b-file-2nd) [here](#here) [x](https://example.com/x)", &[]);
        check("`[x](nowhere)`\n```\n[x](nowhere)\n```\n", &[]);
        check("[b]\n\n[b]: b.md\n", &[]);
    }

    #[test]
    fn links_to_nowhere_are_found() {
        check("\n[c](c.md)", &["2: link `c.md`: there is no docs/c.md"]);
        check("[b](b.md) [c](../c.md \"title\")", &["1: link `../c.md`: there is no c.md"]);
        check("[x](../../x)", &["1: link `../../x` leads out"]);
        check("[b](b.md#other)", &["1: link `b.md#other`: docs/b.md has no such heading"]);
        check("[b](b.md#no-heading)", &["1: link `b.md#no-heading`"]);
        check("[here](#there)", &["1: link `#there`"]);
        check("[b]: c.md\n", &["1: link `c.md`"]);
    }
}

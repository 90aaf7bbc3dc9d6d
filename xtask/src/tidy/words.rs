//! Words that mark unfinished work.

use super::finding::Finding;
use super::rust_text::RustText;
use super::tree::Tree;

const WORDS: &[&str] = &["TODO", "FIXME", "XXX"];

/// Finds the words in sources, except inside Rust's string literals.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension(&["rs", "c", "h", "py", "sh", "toml", "in"]) {
        let text = if file.extension() == "rs" {
            RustText::new(&file.text).without_strings()
        } else {
            file.text.clone()
        };
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split(|c: char| !c.is_alphanumeric());
            for word in words.filter(|word| WORDS.contains(word)) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("{word}: finish it, or file an issue"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};

    fn check(path: &str, text: &str, expected: &[&str]) {
        let found = finding::lines(&super::check(&tree::tree(&[(path, text)])));
        let found: Vec<&str> = found
            .iter()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(_, what)| what.split(':').next().unwrap())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn unfinished_work_is_found() {
        check("a.rs", "// TODO(me): more\nlet x = 1; /* FIXME */\n", &["TODO", "FIXME"]);
        check("a.rs", "let todo = \"TODO\"; // a TODOlist\n", &[]);
        check("a.c", "/* XXX */\n", &["XXX"]);
        check("a.md", "No TODO here.\n", &[]);
    }
}

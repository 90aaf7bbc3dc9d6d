//! The schema agrees with ids.lock.

use super::finding::Finding;
use super::tree::Tree;
use crate::ids::{self, Line, PATH};

/// Checks the schema that this xtask was built with.
pub fn check(tree: &Tree) -> Vec<Finding> {
    check_schema(tree, &ids::lines_of(ktape_schema::RECORDS))
}

fn check_schema(tree: &Tree, schema: &[Line]) -> Vec<Finding> {
    let Some(file) = tree.get(PATH) else {
        return vec![Finding::new(PATH, 1, "is missing: `cargo xtask codegen` writes it")];
    };
    let locked = match ids::parse(&file.text) {
        Ok(locked) => locked,
        Err((line, what)) => return vec![Finding::new(PATH, line, what)],
    };
    let contradictions = ids::contradictions(&locked, schema);
    let end = file.text.lines().count();
    let new = if contradictions.is_empty() { ids::missing(&locked, schema) } else { Vec::new() };
    let new = new
        .into_iter()
        .map(|line| Finding::new(PATH, end, format!("lacks `{line}`: run `cargo xtask codegen`")));
    contradictions
        .into_iter()
        .map(|(line, what)| Finding::new(PATH, line, what))
        .chain(new)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};
    use super::*;

    fn check(lock: &str, schema: &str, expected: &[&str]) {
        let schema: Vec<Line> =
            ids::parse(schema).unwrap().into_iter().map(|(_, line)| line).collect();
        let found = check_schema(&tree::tree(&[(PATH, lock)]), &schema);
        let found = finding::lines(&found);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn the_lock_has_all_and_contradicts_nothing() {
        check("1 wait end u64\n2 gone end u64\n", "1 wait end u64\n", &[]);
        check(
            "1 wait end u64\n",
            "1 wait end u64\n1 wait tid u32\n",
            &["1: lacks `1 wait tid u32`"],
        );
        check("# head\n1 wait end u64\n", "1 wait end u32\n", &["2: field `wait.end` is u64"]);
        check("1 wait end u64\n", "1 walk end u64\n", &["1: id 1 is record `wait`"]);
        check("1 wait\n", "", &["1: `1 wait` is not"]);
        assert_eq!(check_schema(&tree::tree(&[]), &[]).len(), 1);
    }

    #[test]
    fn a_line_that_is_taken_away_is_missed() {
        let schema = ids::lines_of(ktape_schema::RECORDS);
        let lock = ids::extended("", &schema).unwrap();
        assert!(check_schema(&tree::tree(&[(PATH, &lock)]), &schema).is_empty());
        for gone in lock.lines().filter(|line| !line.starts_with('#')) {
            let kept: String =
                lock.lines().filter(|line| *line != gone).map(|line| format!("{line}\n")).collect();
            assert_eq!(check_schema(&tree::tree(&[(PATH, &kept)]), &schema).len(), 1, "{gone}");
        }
    }
}

//! `cargo xtask tidy`: proves the rules of the house that neither rustc nor clippy knows.

mod c;
mod crates;
mod finding;
mod ids;
pub mod lists;
mod markdown;
mod places;
mod rust;
mod rust_text;
mod size;
mod tree;
mod words;

use crate::generated::root;
use anyhow::Result;
use finding::Finding;
use std::process::ExitCode;
use tree::Tree;

/// A rule over the files of the tree.
type Rule = fn(&Tree) -> Vec<Finding>;

/// The rules, in the order in which they are told.
const RULES: &[Rule] = &[
    lists::check,
    ids::check,
    rust::check,
    words::check,
    c::check,
    markdown::check,
    places::check,
];

pub fn run() -> Result<ExitCode> {
    let root = root();
    let tree = Tree::read(&root)?;
    let mut findings = crates::check(&tree, &crates::read(&root)?);
    findings.extend(RULES.iter().flat_map(|rule| rule(&tree)));
    for warning in size::check(&tree) {
        println!("warning: {warning}");
    }
    for finding in &findings {
        println!("{finding}");
    }
    let (files, found) = (tree.files.len(), findings.len());
    if found > 0 {
        println!("tidy: {found} findings in {files} files");
        return Ok(ExitCode::FAILURE);
    }
    println!("tidy: {files} files, nothing found");
    Ok(ExitCode::SUCCESS)
}

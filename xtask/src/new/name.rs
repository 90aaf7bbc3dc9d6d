//! `Name`: what a new probe or report is called, in each of the ways that it is written.

use anyhow::{Result, bail};

/// The longest name: with it the lines of the skeletons stay within their columns.
const LONGEST: usize = 20;

/// Words that Rust or C keeps for itself, and modules that are something else.
const TAKEN: &[&str] = &[
    "as", "async", "auto", "await", "break", "case", "char", "const", "continue", "crate",
    "default", "desc", "do", "double", "dyn", "else", "enum", "extern", "false", "float", "fn",
    "for", "gen", "goto", "if", "impl", "in", "int", "let", "lib", "long", "loop", "match", "mod",
    "move", "mut", "pub", "record", "ref", "register", "return", "self", "short", "signed",
    "sizeof", "static", "struct", "super", "switch", "trait", "true", "type", "typedef", "union",
    "unsafe", "unsigned", "use", "void", "volatile", "where", "while", "yield",
];

/// A name in snake case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn new(text: &str) -> Result<Self> {
        let letters =
            text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !letters || !first || text.ends_with('_') || text.contains("__") {
            bail!(
                "`{text}` is no name: lower-case letters, digits and single _ within, as in `page_fault`"
            );
        }
        if text.len() > LONGEST {
            bail!("`{text}` is too long: {LONGEST} letters at most");
        }
        if TAKEN.contains(&text) {
            bail!("`{text}` means something in Rust, C or this project: take another name");
        }
        Ok(Self(text.to_owned()))
    }

    /// `page_fault`.
    pub fn snake(&self) -> &str {
        &self.0
    }

    /// `PageFault`.
    pub fn camel(&self) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        self.0.split('_').map(capital).collect()
    }

    /// `PAGE_FAULT`.
    pub fn upper(&self) -> String {
        self.0.to_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_three_ways() {
        let name = Name::new("page_fault2").unwrap();
        assert_eq!(
            (name.snake(), &*name.camel(), &*name.upper()),
            ("page_fault2", "PageFault2", "PAGE_FAULT2")
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in [
            "",
            "Page",
            "1st",
            "page-fault",
            "_page",
            "page_",
            "a__b",
            "loop",
            "record",
            "../x",
            "página",
        ] {
            assert!(Name::new(wrong).is_err(), "{wrong}");
        }
        assert!(Name::new(&"a".repeat(LONGEST)).is_ok());
        assert!(Name::new(&"a".repeat(LONGEST + 1)).is_err());
    }
}

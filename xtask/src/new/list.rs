//! Adds a line to one of the lists of modules.

use anyhow::{Context, Result};

/// The text with `entry` as the last line of the list that begins with `opening`.
pub fn with_entry(text: &str, opening: &str, entry: &str) -> Result<String> {
    let begin = text
        .find(&format!("\n{opening}\n"))
        .with_context(|| format!("has no list that begins with `{opening}`"))?;
    let end = text[begin..].find("\n}").context("the list has no end")? + begin + 1;
    Ok(format!("{}    {entry},\n{}", &text[..end], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_becomes_the_last() {
        let text = "macro_rules! xs {\n}\n\nxs! {\n    a,\n}\n\nfn f() {\n}\n";
        let with = "macro_rules! xs {\n}\n\nxs! {\n    a,\n    b,\n}\n\nfn f() {\n}\n";
        assert_eq!(with_entry(text, "xs! {", "b").unwrap(), with);
        assert_eq!(with_entry("//\nxs! {\n}\n", "xs! {", "b").unwrap(), "//\nxs! {\n    b,\n}\n");
        assert!(with_entry(text, "ys! {", "b").is_err());
    }
}

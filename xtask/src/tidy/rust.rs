//! What Rust sources may do where: lint exceptions, unsafe code, printing, single-file crates.

use super::finding::Finding;
use super::rust_text::RustText;
use super::tree::Tree;

/// Lines above `unsafe` in which its SAFETY comment begins.
const SAFETY_WITHIN: usize = 5;

/// Where `unsafe` may stand, with its reason: the file map, an allocator, and what calls the kernel.
const UNSAFE_IN: &[&str] =
    &["format/src/map.rs", "capture/src/", "fuzz/src/memory.rs", "xtask/src/bench/", "tests/"];

/// Where output may be printed. Examples print, too.
const PRINT_IN: &[&str] = &["src/", "xtask/", "tests/", "fuzz/"];

/// Crates that a single file of the format names.
const ONE_FILE: &[(&str, &str)] =
    &[("bincode", "format/src/meta.rs"), ("zstd", "format/src/frame.rs")];

/// Macros that leave a hole.
const HOLES: &[&str] = &["todo", "unimplemented"];

/// Macros that print.
const PRINTERS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Checks every Rust source.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.with_extension(&["rs"]);
    sources.flat_map(|file| check_source(&file.path, &RustText::new(&file.text))).collect()
}

fn check_source(path: &str, text: &RustText) -> Vec<Finding> {
    let comments: Vec<&str> = text.comments.lines().collect();
    let mut expects_unsafe = false;
    let mut findings = Vec::new();
    for (at, code) in text.code.lines().enumerate() {
        let mut found = |what: String| findings.push(Finding::new(path, at + 1, what));
        let compact: String = code.split_whitespace().collect();
        expects_unsafe |= compact.contains("expect(unsafe_code") || compact == "unsafe_code,";
        if compact.contains("#[allow(")
            || compact.contains("#![allow(")
            || compact.contains(",allow(")
        {
            found("`allow`: say `#[expect(.., reason = \"..\")]`".into());
        }
        for word in HOLES.iter().filter(|word| calls_macro(code, word)) {
            found(format!("`{word}!`: finish it"));
        }
        if words(code).any(|word| word == "unsafe") {
            let from = at.saturating_sub(SAFETY_WITHIN);
            let has_reason = comments[from..=at].iter().any(|line| line.contains("SAFETY:"));
            if !is_in(path, UNSAFE_IN) {
                found(format!("`unsafe` is for {} alone", UNSAFE_IN.join(", ")));
            } else if !has_reason {
                found(format!("`unsafe` without `SAFETY:` within {SAFETY_WITHIN} lines above"));
            } else if !expects_unsafe {
                found("`unsafe` without `#[expect(unsafe_code, reason = \"..\")]` above".into());
            }
        }
        for word in PRINTERS.iter().filter(|word| calls_macro(code, word)) {
            if *word == "dbg" || !may_print(path) {
                found(format!("`{word}!`: only the binary, xtask, tests and examples print"));
            }
        }
        for (third, home) in ONE_FILE {
            let names = words(code).any(|word| word == *third);
            if names && path != *home && path.starts_with("format/src/") {
                found(format!("{third} is named in {home} alone"));
            }
        }
    }
    if path.starts_with("analyze/src/") {
        let proc = text.strings.lines().enumerate().filter(|(_, line)| line.contains("/proc/"));
        let what = "names /proc: the analysis reads traces, not the live system";
        findings.extend(proc.map(|(at, _)| Finding::new(path, at + 1, what)));
    }
    findings
}

fn may_print(path: &str) -> bool {
    is_in(path, PRINT_IN) || path.contains("/examples/")
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn calls_macro(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let alone = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        alone && code[at + name.len()..].starts_with('!')
    })
}

#[cfg(test)]
mod tests {
    use super::super::{finding, tree};

    fn check(path: &str, text: &str, expected: &[&str]) {
        finding::check(&super::check(&tree::tree(&[(path, text)])), text, expected);
    }

    #[test]
    fn lints_are_expected_not_allowed() {
        check("a.rs", "#[expect(dead_code, reason = \"x\")]\n", &[]);
        check("a.rs", "#[allow(dead_code)]\n", &["1: `allow`"]);
        check("a.rs", "\n#![allow(dead_code)]\n", &["2: `allow`"]);
        check("a.rs", "#[cfg_attr(test, allow(dead_code))]\n", &["1: `allow`"]);
        check("a.rs", "// #[allow(x)]\nlet a = \"#[allow(x)]\"; shallow(1);\n", &[]);
    }

    #[test]
    fn holes_are_found() {
        check(
            "a.rs",
            "fn f() { todo!() }\nfn g() { unimplemented!(\"x\") }\n",
            &["1: `todo!`", "2: `un"],
        );
        check("a.rs", "let todo = 1; if !todo != x {} // todo!\n", &[]);
    }

    #[test]
    fn unsafe_code_has_a_place_and_a_reason() {
        let good = "#[expect(unsafe_code, reason = \"x\")]\n// SAFETY: y\nunsafe { f() }\n";
        check("format/src/map.rs", good, &[]);
        check("capture/src/rings.rs", good, &[]);
        check("format/src/reader.rs", good, &["3: `unsafe` is for"]);
        check("src/main.rs", good, &["3: `unsafe` is for"]);
        check(
            "capture/src/a.rs",
            "#[expect(unsafe_code)]\nunsafe { f() }\n",
            &["2: `unsafe` without `SAFETY:`"],
        );
        check(
            "capture/src/a.rs",
            "// SAFETY: y\nunsafe { f() }\n",
            &["2: `unsafe` without `#[expect"],
        );
        let far = "#[expect(unsafe_code)]\n// SAFETY: y\n\n\n\n\n\nunsafe { f() }\n";
        check("capture/src/a.rs", far, &["8: `unsafe` without `SAFETY:`"]);
        check("a.rs", "#![forbid(unsafe_code)]\n// unsafe\n", &[]);
    }

    #[test]
    fn libraries_do_not_print() {
        for print in ["print!(x)", "println!(x)", "eprint!(x)", "eprintln!(x)"] {
            check("format/src/a.rs", print, &["1: `"]);
            check("analyze/tests/a.rs", print, &["1: `"]);
            check("src/a.rs", print, &[]);
            check("xtask/src/a.rs", print, &[]);
            check("tests/tests/a.rs", print, &[]);
        }
        check("src/a.rs", "dbg!(x)", &["1: `dbg!`"]);
        check("format/src/a.rs", "writeln!(out, x)", &[]);
    }

    #[test]
    fn crates_of_one_file_stay_there() {
        check("format/src/meta.rs", "use bincode::Encode;\n", &[]);
        check("format/src/reader.rs", "use bincode::Encode;\n", &["1: bincode is named in"]);
        check("format/src/reader.rs", "fn f(m: zstd::Encoder) {}\n", &["1: zstd is named in"]);
        check("format/src/reader.rs", "// not bincode\n", &[]);
    }

    #[test]
    fn the_analysis_does_not_look_at_the_live_system() {
        check(
            "analyze/src/a.rs",
            "// like /proc/1/maps\nopen(\"/proc/1/maps\")\n",
            &["2: names /proc"],
        );
        check("capture/src/a.rs", "open(\"/proc/1/maps\")\n", &[]);
    }
}

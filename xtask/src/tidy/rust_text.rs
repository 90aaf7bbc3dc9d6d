//! `RustText`: a Rust source taken apart into code, comments and strings.

/// A source, three times, each with only its part of the text and blanks for the rest. Lines and
/// columns stay where they are.
#[derive(Debug)]
pub struct RustText {
    /// Code, with the quotes of literals.
    pub code: String,
    /// Comments, doc comments too.
    pub comments: String,
    /// What stands between the quotes.
    pub strings: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    String,
}

impl RustText {
    pub fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut parts = vec![Part::Code; chars.len()];
        let mut at = 0;
        while at < chars.len() {
            let (part, from, to) = token(&chars, at);
            parts[from..to].fill(part);
            // What lies behind a literal's content is its closing quote.
            at = if part == Part::String { to + 1 } else { to };
        }
        let only = |wanted: Part| {
            let keep =
                |(&c, &part): (&char, &Part)| if part == wanted || c == '\n' { c } else { ' ' };
            chars.iter().zip(&parts).map(keep).collect()
        };
        Self { code: only(Part::Code), comments: only(Part::Comment), strings: only(Part::String) }
    }

    /// Code and comments.
    pub fn without_strings(&self) -> String {
        let mix = |(code, comment)| if code == ' ' { comment } else { code };
        self.code.chars().zip(self.comments.chars()).map(mix).collect()
    }
}

/// The part that begins at `at`, from where to where. All of `at..from` is code.
fn token(chars: &[char], at: usize) -> (Part, usize, usize) {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => (Part::Comment, at, find(chars, at, |rest| rest[0] == '\n')),
        '/' if next == Some('*') => (Part::Comment, at, block_end(chars, at)),
        '"' => (Part::String, at + 1, quote_end(chars, at + 1, '"')),
        '\'' if next == Some('\\') => (Part::String, at + 1, quote_end(chars, at + 1, '\'')),
        // Else it is a lifetime.
        '\'' if chars.get(at + 2) == Some(&'\'') => (Part::String, at + 1, at + 2),
        'r' if at == 0 || !is_word(chars[at - 1]) || is_prefix(chars, at) => raw(chars, at),
        _ => (Part::Code, at, at + 1),
    }
}

/// The `r` of `br"` and `cr"`.
fn is_prefix(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], 'b' | 'c') && (at == 1 || !is_word(chars[at - 2]))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A raw string, or an `r` that begins none.
fn raw(chars: &[char], at: usize) -> (Part, usize, usize) {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    let from = at + hashes + 2;
    if chars.get(from - 1) != Some(&'"') {
        return (Part::Code, at, at + 1);
    }
    let ends = |rest: &[char]| {
        rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|c| *c == '#')
    };
    (Part::String, from, find(chars, from, ends))
}

fn find(chars: &[char], from: usize, ends: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| ends(&chars[*at..])).unwrap_or(chars.len())
}

/// Where a literal's closing quote is.
fn quote_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at.min(chars.len())
}

/// Behind a block comment, which may hold others.
fn block_end(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (at, depth) = (at + 2, depth + 1),
            ('*', Some('/')) => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str, comments: &str, strings: &str) {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let split = RustText::new(text);
        assert_eq!(words(&split.code), code, "code of {text}");
        assert_eq!(words(&split.comments), comments, "comments of {text}");
        assert_eq!(words(&split.strings), strings, "strings of {text}");
        assert_eq!(split.code.chars().count(), text.chars().count());
        assert_eq!(split.code.lines().count(), text.lines().count());
    }

    #[test]
    fn takes_sources_apart() {
        check("let a = 1; // one\nlet b;", "let a = 1; let b;", "// one", "");
        check("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */", "");
        check(r#"f("a // b", c)"#, r#"f(" ", c)"#, "", "a // b");
        check(r#"f("a \" b")"#, r#"f(" ")"#, "", r#"a \" b"#);
        check(r##"f(r#"a " b"#, br"c\")"##, r##"f(r#" "#, br" ")"##, "", r#"a " b c\"#);
        check("fn f<'a>(x: &'a u8) { '\"' }", "fn f<'a>(x: &'a u8) { ' ' }", "", "\"");
        check(r"['\'', b'\\', '/']", "[' ', b' ', ' ']", "", r"\' \\ /");
        check("let r#type = for_r;", "let r#type = for_r;", "", "");
        check("\"open", "\"", "", "open");
    }

    #[test]
    fn takes_itself_apart() {
        let text = include_str!("rust_text.rs");
        let split = RustText::new(text);
        assert!(!split.code.contains("Lines and"));
        assert!(split.code.contains("fn takes_itself_apart"));
        assert!(split.comments.contains("Lines and"));
    }
}

//! Names as their language writes them.

use std::fmt::{self, Write};

/// Longest name that is given, in bytes. A longer one ends in an ellipsis.
pub(super) const MAX_NAME: usize = 1024;

/// Longest mangled name that is worth the attempt.
const MAX_MANGLED: usize = 4096;

/// How deep C++ names may nest. Deeper ones stay as they are: one of 21 067 in libclang, libLLVM and
/// libstdc++. The parser tries all readings, and a name of 400 bytes can have it do so for seconds.
const MAX_DEPTH: u32 = 80;

const ELLIPSIS: char = '…';

/// The readable form of a symbol's name: of Rust (without the hash) and C++; others as they are.
///
/// At most [`MAX_NAME`] bytes long, and done after work in proportion: a short mangled name can
/// stand for gigabytes.
pub(crate) fn demangle(raw: &[u8]) -> String {
    let mut name = Bounded { text: String::new(), full: false };
    let Ok(text) = std::str::from_utf8(raw) else {
        let _ = name.write_str(&String::from_utf8_lossy(&raw[..raw.len().min(MAX_MANGLED)]));
        return name.text;
    };
    if raw.len() <= MAX_MANGLED
        && let Some(name) = rust(text).or_else(|| cpp(text))
    {
        return name;
    }
    let _ = name.write_str(text);
    name.text
}

fn rust(text: &str) -> Option<String> {
    if !(text.starts_with("_R") || has_legacy_hash(text)) {
        return None;
    }
    let symbol = rustc_demangle::try_demangle(text).ok()?;
    let mut name = Bounded { text: String::new(), full: false };
    let done = write!(name, "{symbol:#}");
    (done.is_ok() || name.full).then_some(name.text).filter(|name| !name.is_empty())
}

/// Whether this is a name of Rust's old scheme and not one of C++, which it looks like but for a
/// last part of `h` and 16 hexadecimal digits.
fn has_legacy_hash(text: &str) -> bool {
    const HASH: &str = "17h";
    text.starts_with("_ZN")
        && text.rfind(HASH).is_some_and(|at| {
            let rest = text.as_bytes().get(at + HASH.len()..).unwrap_or_default();
            rest.len() > 16 && rest[16] == b'E' && rest[..16].iter().all(u8::is_ascii_hexdigit)
        })
}

fn cpp(text: &str) -> Option<String> {
    if !text.starts_with("_Z") {
        return None;
    }
    let parsing = cpp_demangle::ParseOptions::default().recursion_limit(MAX_DEPTH);
    let symbol = cpp_demangle::Symbol::new_with_options(text, &parsing).ok()?;
    let writing = cpp_demangle::DemangleOptions::new().recursion_limit(MAX_DEPTH);
    let mut name = Bounded { text: String::new(), full: false };
    let done = symbol.structured_demangle(&mut name, &writing);
    (done.is_ok() || name.full).then_some(name.text).filter(|name| !name.is_empty())
}

/// Text that refuses to grow beyond [`MAX_NAME`]: the error ends the work of who writes it.
struct Bounded {
    text: String,
    full: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        if self.text.len() + text.len() <= MAX_NAME {
            self.text.push_str(text);
            return Ok(());
        }
        self.full = true;
        self.text.push_str(text.get(..text.floor_char_boundary(MAX_NAME)).unwrap_or_default());
        let room = self.text.floor_char_boundary(MAX_NAME - ELLIPSIS.len_utf8());
        self.text.truncate(room);
        self.text.push(ELLIPSIS);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(demangle(raw.as_bytes()), expected);
    }

    #[test]
    fn languages() {
        check("main", "main");
        check("runtime.(*mheap).alloc", "runtime.(*mheap).alloc");
        check("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
        check(
            "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.123",
            "core::fmt::Formatter::pad",
        );
        check("_RNvCs1234_7mycrate3foo", "mycrate::foo");
        check("_ZN3foo3barEv", "foo::bar()");
        check("_ZN3foo3barE", "foo::bar");
        check(
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
        );
        check("_Z", "_Z");
        check("_R", "_R");
        check("_ZN", "_ZN");
        check("", "");
    }

    #[test]
    fn bounded() {
        let long = "é".repeat(4000);
        let name = demangle(long.as_bytes());
        assert!(name.len() <= MAX_NAME && name.len() > MAX_NAME - 8 && name.ends_with('…'));
        let exact = "x".repeat(MAX_NAME);
        check(&exact, &exact);
        assert_eq!(demangle(&[0xff; 9000]).chars().last(), Some('…'));
        // Names that double in length with each part.
        let mut raw = String::from("_Z1fI1AE");
        raw.push_str(&"S_S_".repeat(400));
        demangle(raw.as_bytes());
        let nested = format!("_Z{}1fv", "N".repeat(3000));
        check(&nested, &cut(&nested));
        let pointers = format!("_Z1f{}i", "P".repeat(3000));
        assert!(demangle(pointers.as_bytes()).len() <= MAX_NAME);
        let tuples = format!("_RMC0{}u", "T".repeat(3000));
        assert!(demangle(tuples.as_bytes()).len() <= MAX_NAME);
    }

    fn cut(text: &str) -> String {
        format!("{}…", &text[..MAX_NAME - ELLIPSIS.len_utf8()])
    }
}

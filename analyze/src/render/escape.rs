//! Escapes what a trace says before it reaches a terminal or a file that others parse.

use std::fmt::Write;

/// A text from a trace, fit for a terminal: control characters (ESC and line breaks among them),
/// invisible and bidirectional formatting characters and bytes that are not UTF-8 become `\x..` per
/// byte, and a backslash `\\`, so that nothing in a name can pass for an escape.
pub fn escape_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if is_dangerous(c) => {
                    let mut buffer = [0; 4];
                    hex(&mut out, c.encode_utf8(&mut buffer).as_bytes());
                }
                c => out.push(c),
            }
        }
        hex(&mut out, chunk.invalid());
    }
    out
}

/// A frame's name for a folded stack: as [`escape_text`], and `;` becomes `:`, which it separates.
pub fn escape_folded(bytes: &[u8]) -> String {
    escape_text(bytes).replace(';', ":")
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// Characters that move the cursor, hide, or reorder what stands beside them; and those that are none
/// (U+FFFF and its like), with which a drawing would be no XML.
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::{escape_folded, escape_text};

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(escape_text(bytes), expected);
    }

    #[test]
    fn nothing_dangerous_passes() {
        check(b"postgres: writer", "postgres: writer");
        check("größe 名前 🦀".as_bytes(), "größe 名前 🦀");
        check(b"\x1b[31mred", "\\x1b[31mred");
        check(b"a\nb\tc\x00\x7f", "a\\x0ab\\x09c\\x00\\x7f");
        check("\u{9b}31m".as_bytes(), "\\xc2\\x9b31m");
        check("a\u{202e}b\u{2066}".as_bytes(), "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6");
        check(
            "\u{ffff}\u{fffe}\u{1fffe}\u{fdd0}".as_bytes(),
            concat!("\\xef\\xbf\\xbf\\xef\\xbf\\xbe", "\\xf0\\x9f\\xbf\\xbe", "\\xef\\xb7\\x90"),
        );
        check(b"ok\xff\xfe", "ok\\xff\\xfe");
        check(b"\\x1b", "\\\\x1b");
        assert_eq!(escape_folded(b"a;b"), "a:b");
    }
}

//! What a rendered answer may hold, whatever the trace says.

/// Panics when text for people or programs has a character that acts on a terminal or hides or
/// reorders what stands beside it: a control character besides the line break, bidirectional and
/// invisible formatting.
#[track_caller]
pub fn harmless(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = text.chars().find(|&c| acts(c));
    assert!(found.is_none(), "{what} has {found:?} in it");
}

/// As [`harmless`], of lines that may be indented by a tab.
#[track_caller]
pub fn harmless_lines(what: &str, bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        harmless(what, line.strip_prefix(b"\t").unwrap_or(line));
    }
}

/// Panics when a drawing has more than [`harmless`] text, more elements than its own, or what no
/// parser of XML takes.
#[track_caller]
pub fn drawn(what: &str, svg: &[u8]) {
    const OWN: &[&str] = &[
        "!--",
        "![CDATA[",
        "!DOCTYPE",
        "?xml",
        "a",
        "animate",
        "defs",
        "g",
        "linearGradient",
        "rect",
        "script",
        "stop",
        "style",
        "svg",
        "text",
        "title",
        "tspan",
    ];
    harmless(what, &svg.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<_>>());
    let text = String::from_utf8_lossy(svg);
    // The program in it, which is inferno's, compares with `<`.
    let (before, rest) = text.split_once("<script").unwrap_or((&text, ""));
    let (_, after) = rest.split_once("</script>").unwrap_or(("", ""));
    assert!(!after.contains("<script"), "{what} has a program of somebody else");
    for part in [before, after] {
        for tag in part.split('<').skip(1) {
            let name = tag.trim_start_matches('/');
            let own = OWN.iter().any(|own| name.starts_with(own));
            assert!(own, "{what} has an element <{name:.40}");
        }
    }
    let wrong = text.chars().find(|c| matches!(c, '\u{fffe}' | '\u{ffff}'));
    assert!(wrong.is_none(), "{what} is no XML: {wrong:?}");
}

fn acts(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

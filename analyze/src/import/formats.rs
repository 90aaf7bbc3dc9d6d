//! The formats of tracepoints: which field lies where, by the kernel's own description.

use super::bytes::Bytes;

/// The tracepoints that are used.
const SYSTEM: &[u8] = b"sched";

/// A tracepoint of the recorded kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) name: String,
    /// Its number: `perf_event_attr.config`.
    pub(super) id: u64,
    fields: Vec<Field>,
    /// Values and their letters in its text form: `{ 0x2, "D" }`.
    pub(super) letters: Vec<(u64, u8)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    offset: usize,
    size: usize,
}

/// Where a field of a tracepoint lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    offset: usize,
    size: usize,
}

impl Place {
    /// The bytes of the field.
    pub(super) fn bytes<'a>(&self, raw: &'a [u8]) -> Option<&'a [u8]> {
        raw.get(self.offset..self.offset.checked_add(self.size)?)
    }

    /// The number in the field: its bits, up to 8 bytes of them.
    pub(super) fn number(&self, raw: &[u8]) -> Option<u64> {
        let bytes = self.bytes(raw)?;
        let mut number = [0; 8];
        number.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(number))
    }
}

impl Format {
    /// Where a field lies.
    pub(super) fn place(&self, name: &str) -> Option<Place> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(Place { offset: field.offset, size: field.size })
    }

    /// Reads the text of a format file; `None` when it has no number.
    fn parse(text: &str) -> Option<Self> {
        let mut format = Self::default();
        let mut id = None;
        for line in text.lines() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix("name:") {
                format.name = name.trim().to_owned();
            } else if let Some(number) = line.strip_prefix("ID:") {
                id = number.trim().parse().ok();
            } else if let Some(field) = line.strip_prefix("field:") {
                format.fields.extend(parse_field(field));
            } else if let Some(print) = line.strip_prefix("print fmt:") {
                format.letters = letters(print);
            }
        }
        format.id = id?;
        Some(format)
    }
}

/// `char prev_comm[16]; offset:8; size:16; signed:0;`, with tabs between.
fn parse_field(text: &str) -> Option<Field> {
    let mut parts = text.split(';').map(str::trim);
    let declaration = parts.next()?;
    let name = declaration.split('[').next()?.split_whitespace().last()?;
    let (mut offset, mut size) = (None, None);
    for part in parts {
        if let Some(number) = part.strip_prefix("offset:") {
            offset = number.parse().ok();
        } else if let Some(number) = part.strip_prefix("size:") {
            size = number.parse().ok();
        }
    }
    Some(Field { name: name.to_owned(), offset: offset?, size: size? })
}

/// The values and letters of `__print_flags(..)`.
fn letters(print: &str) -> Vec<(u64, u8)> {
    let pair = |part: &str| {
        let (number, rest) = part.split_once(',')?;
        let number = number.trim();
        let value = match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        let letter = rest.trim_start().strip_prefix('"')?;
        let (letter, _) = letter.split_once('"')?;
        (letter.len() == 1 && value != 0).then(|| (value, letter.as_bytes()[0]))
    };
    // A state has no more bits.
    print.split('{').skip(1).filter_map(pair).take(64).collect()
}

/// The formats of the scheduler's tracepoints in the section that perf writes as trace-cmd does
/// (tools/perf/util/trace-event-info.c); `None` when it is cut off.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Option<Vec<Format>> {
    if bytes.take(10)? != b"\x17\x08\x44tracing" {
        return Some(Vec::new());
    }
    bytes.text();
    // Byte order, size of a long, size of a page.
    bytes.take(1 + 1 + 4)?;
    for _ in ["header_page", "header_event"] {
        bytes.text();
        sized(bytes)?;
    }
    for _ in 0..bytes.u32()? {
        sized(bytes)?;
    }
    let mut formats = Vec::new();
    for _ in 0..bytes.u32()? {
        if bytes.0.is_empty() {
            return None;
        }
        let system = bytes.text();
        for _ in 0..bytes.u32()? {
            let text = sized(bytes)?;
            if system == SYSTEM {
                formats.extend(Format::parse(&String::from_utf8_lossy(text)));
            }
        }
    }
    Some(formats)
}

/// Bytes behind their number.
fn sized<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let len = bytes.u64()?;
    bytes.take(usize::try_from(len).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCH: &str = "name: sched_switch\nID: 372\nformat:\n\
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\n\
        \tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\
        \tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;\n\n\
        print fmt: \"%s\", (REC->prev_state & ((0x0 | 0x1) << 1)) ? __print_flags(REC->prev_state, \
        \"|\", { 0x00000001, \"S\" }, { 2, \"D\" }, { x, \"?\" }, { 0, \"R\" }) : \"R\"\n";

    #[test]
    fn fields_and_letters_are_found() {
        let format = Format::parse(SWITCH).expect("a format");
        assert_eq!((format.name.as_str(), format.id), ("sched_switch", 372));
        assert_eq!(format.place("prev_comm"), Some(Place { offset: 8, size: 16 }));
        assert_eq!(format.place("next_comm"), None);
        assert_eq!(format.letters, [(1, b'S'), (2, b'D')]);
    }

    #[test]
    fn numbers_stay_within_what_is_there() {
        let place = |offset, size| Place { offset, size };
        assert_eq!(place(1, 2).number(&[1, 2, 3, 4]), Some(0x0302));
        assert_eq!(place(3, 2).number(&[1, 2, 3, 4]), None);
        assert_eq!(place(usize::MAX, 2).number(&[1, 2]), None);
        assert_eq!(place(0, 9).number(&[0; 16]), None);
    }

    #[test]
    fn claims_of_many_formats_end_with_the_bytes() {
        let mut bytes = b"\x17\x08\x44tracing0.6\0\0\x08\0\x10\0\0".to_vec();
        for name in [&b"header_page\0"[..], b"header_event\0"] {
            bytes.extend(name);
            bytes.extend(0u64.to_le_bytes());
        }
        bytes.extend(0u32.to_le_bytes());
        let whole = [&bytes[..], &0u32.to_le_bytes()].concat();
        assert_eq!(read(&mut Bytes(&whole)), Some(Vec::new()));
        let greedy = [&bytes[..], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(read(&mut Bytes(&greedy)), None);
    }
}

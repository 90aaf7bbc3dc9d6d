//! Every number that bounds a trace. A reader checks them before it allocates.

/// First bytes of a trace. The high bit and the line ends show a transfer that mangled them.
pub const MAGIC: [u8; 8] = *b"\x89KTAPE\r\n";
/// Major version of the format: readers of another one refuse the file.
pub const MAJOR: u16 = 1;
/// Minor version: later ones may add codecs, records and columns.
pub const MINOR: u16 = 1;
/// First bytes of a chunk.
pub const SYNC: [u8; 8] = *b"\xf7ktCHNK\x1a";
/// First bytes of the index.
pub const INDEX: [u8; 8] = *b"\xf7ktINDX\x1a";
/// Last bytes of a complete trace.
pub const END: [u8; 8] = *b"\xf7ktEND.\x1a";

/// Most bytes of metadata in the header, and most memory that decoding it may take.
pub const MAX_META: usize = 1 << 20;
/// Most rows of a chunk. 32 Ki rows of one 8-byte column are 256 KiB: they stay in a core's L2 cache.
pub const MAX_ROWS: usize = 1 << 15;
/// Most columns of a chunk.
pub const MAX_COLUMNS: usize = 256;
/// Most process ids listed in a chunk head.
pub const MAX_TGIDS: usize = 8;
/// Most bytes of one text.
pub const MAX_TEXT: usize = 1 << 20;
/// Most bytes of one text column, lengths included.
pub const MAX_TEXT_COLUMN: usize = 1 << 24;
/// Most bytes of a chunk.
pub const MAX_CHUNK: usize = 1 << 26;
/// Most chunks of a trace; 2^24 chunks of 100 kB are 1.6 TB.
pub const MAX_CHUNKS: usize = 1 << 24;
/// Most bytes of the index, compressed or not.
pub const MAX_INDEX: usize = 1 << 30;
/// Most bytes of a chunk's entry in the index.
pub const MAX_INDEX_ENTRY: usize = 80;
/// How many columns may depend on each other in a row.
pub const MAX_DEPTH: usize = 4;
/// Most distinct values of a column, or pairs of two, that are numbered.
pub const MAX_KEYS: usize = 4096;
/// Most distinct values that have ranks: moving one to the front takes longer the more there are.
pub const MAX_RANKED: usize = 512;

/// Most bytes that the unpacked part of a number column may claim.
pub const fn max_soft(rows: usize) -> usize {
    rows * 32 + 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of them, by name. A test below finds one that is missing here.
    const ALL: &[(&str, usize)] = &[
        ("MAX_META", MAX_META),
        ("MAX_ROWS", MAX_ROWS),
        ("MAX_COLUMNS", MAX_COLUMNS),
        ("MAX_TGIDS", MAX_TGIDS),
        ("MAX_TEXT", MAX_TEXT),
        ("MAX_TEXT_COLUMN", MAX_TEXT_COLUMN),
        ("MAX_CHUNK", MAX_CHUNK),
        ("MAX_CHUNKS", MAX_CHUNKS),
        ("MAX_INDEX", MAX_INDEX),
        ("MAX_INDEX_ENTRY", MAX_INDEX_ENTRY),
        ("MAX_DEPTH", MAX_DEPTH),
        ("MAX_KEYS", MAX_KEYS),
        ("MAX_RANKED", MAX_RANKED),
    ];

    #[test]
    fn documented_limits_are_those_enforced() {
        let document = include_str!("../../FORMAT.md");
        let (_, section) = document.split_once("\n## 5. Limits\n").expect("section 5");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows: Vec<Vec<&str>> = section
            .lines()
            .filter(|line| line.contains("| `MAX_"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let documented: Vec<(&str, usize)> = rows
            .iter()
            .map(|row| (row[0].trim_matches('`'), row[1].parse().expect("a number")))
            .collect();
        assert_eq!(documented, ALL);
        let soft = format!("{} bytes per row and {} bytes", max_soft(1) - max_soft(0), max_soft(0));
        assert!(section.contains(&soft), "{soft}");
    }

    #[test]
    fn list_has_every_limit() {
        let own = include_str!("limits.rs").lines();
        let names =
            own.filter_map(|line| line.strip_prefix("pub const MAX_")?.split_once(": usize"));
        assert!(names.map(|(name, _)| name).eq(ALL.iter().map(|(name, _)| &name["MAX_".len()..])));
    }
}

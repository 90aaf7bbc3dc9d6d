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
/// How many columns may depend on each other in a row.
pub const MAX_DEPTH: usize = 4;

/// Most bytes that the unpacked part of a number column may claim.
pub const fn max_soft(rows: usize) -> usize {
    rows * 32 + 4096
}

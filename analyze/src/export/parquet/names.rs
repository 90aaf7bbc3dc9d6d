//! `Names`: what numbers of a trace stand for, each looked up once.

use std::rc::Rc;

use parquet::data_type::ByteArray;
use rustc_hash::FxHashMap;

use crate::context::{Context, UNKNOWN};
use crate::render::{escape_folded, frame_suffix};
use crate::stack_names::StackNames;

/// Texts are remembered up to this many bytes, then forgotten: a hostile trace can have a long one per
/// row.
const MOST_BYTES: usize = 64 << 20;
/// What a text takes besides its bytes: its places in memory and in a table.
const OVERHEAD: usize = 160;
/// Most bytes of a stack as a line: so many rows are made before it is asked how many bytes they take.
const MOST_LINE: usize = 64 << 10;
/// What stands for the frames beyond.
const TRUNCATED: &str = ";[truncated]";

/// Texts by what they stand for.
pub(super) struct Names<'a> {
    cx: &'a Context<'a>,
    stacks: StackNames<'a>,
    strings: FxHashMap<u32, ByteArray>,
    folded: FxHashMap<u32, ByteArray>,
    others: FxHashMap<Rc<[u8]>, ByteArray>,
    bytes: usize,
    made: usize,
}

impl<'a> Names<'a> {
    /// Of a context that was loaded with [`crate::context::Needs::CODE`].
    pub(super) fn new(cx: &'a Context<'a>) -> Self {
        Self {
            cx,
            stacks: StackNames::new(cx),
            strings: FxHashMap::default(),
            folded: FxHashMap::default(),
            others: FxHashMap::default(),
            bytes: 0,
            made: 0,
        }
    }

    /// Bytes of all texts that were made so far, remembered or not.
    pub(super) fn made(&self) -> usize {
        self.made
    }

    /// The string with an id; what is missing reads as unknown.
    pub(super) fn string(&mut self, id: Option<u32>) -> ByteArray {
        let Some(id) = id else { return self.text(UNKNOWN) };
        if let Some(text) = self.strings.get(&id) {
            return text.clone();
        }
        let text = array(self.cx.strings().get(id));
        self.remember(text.len());
        self.strings.insert(id, text.clone());
        text
    }

    /// A text that has no id.
    pub(super) fn text(&mut self, bytes: &[u8]) -> ByteArray {
        if let Some(text) = self.others.get(bytes) {
            return text.clone();
        }
        let text = array(bytes);
        self.remember(2 * text.len());
        self.others.insert(bytes.into(), text.clone());
        text
    }

    /// A stack as a folded line, root first.
    pub(super) fn stack(&mut self, id: u32) -> ByteArray {
        if let Some(text) = self.folded.get(&id) {
            return text.clone();
        }
        let mut places = Vec::new();
        // Which side it is of does not matter to a single stack.
        self.stacks.places(id, 0, &mut places);
        let mut line = String::new();
        for place in places {
            if !line.is_empty() {
                line.push(';');
            }
            line.push_str(&escape_folded(self.stacks.name(place.name)));
            line.push_str(frame_suffix(place.kind));
            if line.len() > MOST_LINE {
                line.truncate(line.floor_char_boundary(MOST_LINE - TRUNCATED.len()));
                line.push_str(TRUNCATED);
                break;
            }
        }
        let text = ByteArray::from(line.into_bytes());
        self.remember(text.len());
        self.folded.insert(id, text.clone());
        text
    }

    fn remember(&mut self, bytes: usize) {
        let bytes = bytes + OVERHEAD;
        self.made += bytes;
        self.bytes += bytes;
        if self.bytes > MOST_BYTES {
            self.bytes = bytes;
            self.strings.clear();
            self.folded.clear();
            self.others.clear();
        }
    }
}

/// A text as Parquet wants it: UTF-8.
fn array(bytes: &[u8]) -> ByteArray {
    ByteArray::from(String::from_utf8_lossy(bytes).into_owned().into_bytes())
}

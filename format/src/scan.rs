//! Finds the chunks of a trace without index, and names what lies between them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::chunk::{self, ChunkInfo, Entry};
use crate::limits::{INDEX, SYNC};

/// Bytes of a trace that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub len: u64,
    /// What is wrong with them.
    pub what: String,
    /// Whether they are the trailer's: then nothing is lost with them, a scan finds all chunks.
    pub trailer: bool,
}

/// How whole a trace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has its trailer.
    Complete,
    /// It has none: it is still being written, or its recorder was killed, or it was cut off. All
    /// chunks but perhaps the last are whole; the list has the rest of a last one, if any.
    Unfinished(Vec<Damage>),
    /// Bytes within it are wrong.
    Damaged(Vec<Damage>),
}

impl State {
    /// What cannot be used, in order of offset.
    pub fn damages(&self) -> &[Damage] {
        match self {
            State::Complete => &[],
            State::Unfinished(damages) | State::Damaged(damages) => damages,
        }
    }
}

/// Bytes read at a time while looking for a sync mark.
const WINDOW: usize = 1 << 16;

/// Reads all chunk heads in `start..end`; `end` is the end of the file or of its chunks.
pub(crate) fn scan(file: &File, start: u64, end: u64) -> io::Result<(Vec<ChunkInfo>, State)> {
    let mut chunks = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    let mut damaged = false;
    let mut head = Vec::new();
    let mut entries = Vec::new();
    let mut offset = start;
    while offset < end {
        let what = match candidate(file, offset, end, &mut head, &mut entries)? {
            Found::Chunk(info) => {
                offset += u64::from(info.len);
                chunks.push(info);
                continue;
            }
            Found::Cut(what) => {
                damages.push(damage(offset, end, what));
                break;
            }
            Found::Trailer => {
                damages.push(Damage { trailer: true, ..damage(offset, end, "trailer is cut off") });
                break;
            }
            Found::Nothing(what) => what,
        };
        damaged = true;
        let next = resync(file, offset + 1, end, &mut head, &mut entries)?;
        damages.push(damage(offset, next, what));
        offset = next;
    }
    let state = if damaged { State::Damaged(damages) } else { State::Unfinished(damages) };
    Ok((chunks, state))
}

fn damage(offset: u64, end: u64, what: &str) -> Damage {
    Damage { offset, len: end - offset, what: what.to_owned(), trailer: false }
}

/// What lies at an offset.
enum Found {
    /// A chunk.
    Chunk(ChunkInfo),
    /// The beginning of a chunk that goes beyond the end.
    Cut(&'static str),
    /// The beginning of the trailer.
    Trailer,
    /// Neither, and why.
    Nothing(&'static str),
}

fn candidate(
    file: &File,
    offset: u64,
    end: u64,
    head: &mut Vec<u8>,
    entries: &mut Vec<Entry>,
) -> io::Result<Found> {
    let left = end - offset;
    read(file, offset, left.min(chunk::FIXED as u64) as usize, head)?;
    if head.len() < chunk::FIXED {
        let mark = &head[..head.len().min(8)];
        return Ok(if SYNC.starts_with(mark) {
            Found::Cut("head of the last chunk is cut off")
        } else if INDEX.starts_with(mark) {
            Found::Trailer
        } else {
            Found::Nothing("no sync mark")
        });
    }
    if head[..8] == INDEX {
        return Ok(Found::Trailer);
    }
    let len = match chunk::head_len(head) {
        Ok(len) => len,
        Err(what) => return Ok(Found::Nothing(what)),
    };
    if len as u64 > left {
        return Ok(Found::Cut("head of the last chunk is cut off"));
    }
    read(file, offset, len, head)?;
    Ok(match chunk::decode(head, offset, entries) {
        Ok(info) if u64::from(info.len) > left => Found::Cut("last chunk is cut off"),
        Ok(info) => Found::Chunk(info),
        Err(what) => Found::Nothing(what),
    })
}

/// The offset of the next good chunk, or of the trailer, or `end`.
fn resync(
    file: &File,
    from: u64,
    end: u64,
    head: &mut Vec<u8>,
    entries: &mut Vec<Entry>,
) -> io::Result<u64> {
    let mut window = Vec::new();
    let mut at = from;
    while at + 8 <= end {
        read(file, at, (end - at).min(WINDOW as u64) as usize, &mut window)?;
        let marks = window
            .windows(8)
            .enumerate()
            .filter(|(_, bytes)| bytes[0] == SYNC[0] && (**bytes == SYNC || **bytes == INDEX));
        for (place, _) in marks {
            let offset = at + place as u64;
            match candidate(file, offset, end, head, entries)? {
                Found::Nothing(_) => {}
                // The mark of a trailer has no checksum of its own: only the last one counts.
                Found::Trailer if end - offset > TRAILER_SEARCH => {}
                _ => return Ok(offset),
            }
        }
        at += (window.len() - 7) as u64;
    }
    Ok(end)
}

/// How far from the end of a file the mark of a cut-off trailer is believed.
const TRAILER_SEARCH: u64 = 1 << 24;

fn read(file: &File, offset: u64, len: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(len, 0);
    file.read_exact_at(buffer, offset)
}

//! Every codec on one column, for tests and the fuzz target.

use super::keys::{Keys, Numbering, pair};
use super::*;
use crate::column::TextColumn;
use crate::error::Bad;
use crate::limits::{MAX_KEYS, MAX_RANKED};

/// A codec that needs no other column.
pub(crate) struct Plain {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&[u64], &mut Parts),
    pub(crate) decode: fn(Block<'_>, usize, &mut Vec<u64>) -> Result<(), Bad>,
}

/// All of them.
pub(crate) const PLAIN: &[Plain] = &[
    Plain { name: "planes", encode: planes::encode, decode: planes::decode },
    Plain { name: "runs", encode: runs::encode, decode: runs::decode },
    Plain { name: "packed", encode: packed::encode, decode: packed::decode },
    Plain {
        name: "delta",
        encode: |values, out| delta::encode(values, &mut Vec::new(), out),
        decode: delta::decode,
    },
    Plain {
        name: "delta2",
        encode: |values, out| delta2::encode(values, &mut Default::default(), out),
        decode: delta2::decode,
    },
    Plain {
        name: "tokens",
        encode: |values, out| tokens::encode(values.iter().copied(), out),
        decode: tokens::decode,
    },
    Plain {
        name: "delta tokens",
        encode: |values, out| delta_tokens::encode(values, &mut Vec::new(), out),
        decode: delta_tokens::decode,
    },
    Plain {
        name: "delta patched",
        encode: |values, out| delta_patched::encode(values, &mut Vec::new(), out),
        decode: delta_patched::decode,
    },
];

pub(crate) fn block(parts: &Parts) -> Block<'_> {
    Block { soft: &parts.soft, hard: &parts.hard }
}

pub(crate) fn number(values: &[u64]) -> Option<Keys> {
    let mut keys = Keys::default();
    Numbering::default().number(values, MAX_KEYS, &mut keys).then_some(keys)
}

/// Checks that all codecs give a column back; `times` and `key` are the columns that it may depend on.
pub(crate) fn check_all(values: &[u64], times: &[u64], key: &[u64]) {
    let rows = values.len();
    let mut out = vec![7; 3];
    for codec in PLAIN {
        let mut parts = Parts::default();
        (codec.encode)(values, &mut parts);
        (codec.decode)(block(&parts), rows, &mut out).expect(codec.name);
        assert_eq!(out, values, "{}", codec.name);
        assert!(parts.soft.len() <= crate::limits::max_soft(rows), "{}", codec.name);
    }
    if values.iter().all(|value| *value == values[0]) {
        let mut parts = Parts::default();
        constant::encode(values[0], &mut parts);
        constant::decode(block(&parts), rows, &mut out).unwrap();
        assert_eq!(out, values, "constant");
    }
    if !values.contains(&u64::MAX) {
        let mut parts = Parts::default();
        let mut scratch = Vec::new();
        equal::encode(values, times, None, &mut scratch, &mut parts);
        equal::decode(block(&parts), times, None, &mut scratch, &mut out).unwrap();
        assert_eq!(out, values, "equal");
        if let Some(key) = number(key) {
            let key = Some(key.key());
            parts.clear();
            equal::encode(values, times, key, &mut scratch, &mut parts);
            equal::decode(block(&parts), times, key, &mut scratch, &mut out).unwrap();
            assert_eq!(out, values, "equal by key");
        }
    }
    let (Some(own), Some(key)) = (number(values), number(key)) else { return };
    assert!(own.values.is_sorted(), "keys ascend");
    let mut parts = Parts::default();
    let mut ranks = Vec::new();
    recency::ranks(&own.codes, own.values.len(), &mut ranks);
    dictionary::encode_recent(&own, &ranks, &mut parts);
    let mut read = Keys::default();
    let decoded = dictionary::decode(block(&parts), rows, &mut read);
    assert_eq!(decoded.is_ok(), own.values.len() <= MAX_RANKED);
    assert!(decoded.is_err() || read.codes == own.codes, "recency ranks");
    let patched = |own: &Keys, parts: &mut Parts| {
        dictionary::encode_patched(own, &mut Vec::new(), parts);
    };
    for encode in [dictionary::encode, dictionary::encode_packed, patched] {
        let mut parts = Parts::default();
        encode(&own, &mut parts);
        let mut read = Keys::default();
        dictionary::decode(block(&parts), rows, &mut read).unwrap();
        dictionary::expand(&read, &mut out);
        assert_eq!(out, values, "dictionary");
    }
    let mut codes = Vec::new();
    let double = pair(key.key(), key.key(), &mut codes);
    for key in [Some(key.key()), double].into_iter().flatten() {
        let mut misses = keyed::Misses::default();
        assert!(misses.find(values, key, rows));
        let mut parts = Parts::default();
        if misses.number(&mut Numbering::default()) {
            keyed::encode(&misses, None, &mut parts);
            keyed::decode(block(&parts), rows, key, &mut out).unwrap();
            assert_eq!(out, values, "keyed");
            parts.clear();
        }
        keyed::encode(&misses, Some(&own), &mut parts);
        keyed::decode(block(&parts), rows, key, &mut out).unwrap();
        assert_eq!(out, values, "keyed with own keys");
        let mut read = Keys::default();
        keyed::decode_keys(block(&parts), rows, key, &mut read).unwrap();
        assert_eq!(read.codes, own.codes, "keyed as keys");
        dictionary::expand(&read, &mut out);
        assert_eq!(out, values, "keyed as keys");
    }

    let mut misses = Vec::new();
    assert!(since::misses(values, times, key.key(), rows, &mut misses));
    let mut parts = Parts::default();
    since::encode(&misses, &mut parts);
    since::decode(block(&parts), times, key.key(), &mut Vec::new(), &mut out).unwrap();
    assert_eq!(out, values, "since");
}

/// Decodes a block with every codec: a column of `rows` rows, or an error.
pub(crate) fn decode_all(soft: &[u8], hard: &[u8], rows: usize) {
    let block = Block { soft, hard };
    let mut out: Vec<u64> = Vec::new();
    for codec in PLAIN {
        if (codec.decode)(block, rows, &mut out).is_ok() {
            assert_eq!(out.len(), rows, "{}", codec.name);
        }
    }
    let times: Vec<u64> = (0..rows as u64).collect();
    let key = number(&times.iter().map(|time| time % 5).collect::<Vec<_>>()).unwrap();
    let mut keys = Keys::default();
    let _ = constant::decode(block, rows, &mut out);
    let _ = keyed::decode(block, rows, key.key(), &mut out);
    let _ = since::decode(block, &times, key.key(), &mut Vec::new(), &mut out);
    let mut scratch = Vec::new();
    let _ = equal::decode(block, &times, None, &mut scratch, &mut out);
    let _ = equal::decode(block, &times, Some(key.key()), &mut scratch, &mut out);
    if dictionary::decode(block, rows, &mut keys).is_ok() {
        dictionary::expand(&keys, &mut out);
    }
    let _ = text::decode(block, rows, &mut TextColumn::default());
}

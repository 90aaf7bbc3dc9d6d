//! Every codec gives back what it was given, and takes any bytes without a panic.

use proptest::prelude::*;

use super::every::{PLAIN, block, check_all, decode_all, number};
use super::*;
use crate::column::TextColumn;

/// A column whose values are multiples of a power of two, and only as that cheap.
#[test]
fn steps_are_not_paid_for() {
    let noise = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    let bits = |shift: u32| {
        let values: Vec<u64> = (0..1000).map(|row| noise(row) << shift).collect();
        let up: Vec<u64> = values
            .iter()
            .scan(0, |sum, value| {
                *sum += value;
                Some(*sum)
            })
            .collect();
        let other = vec![1; values.len()];
        let (mut delta, mut equal) = (Parts::default(), Parts::default());
        delta_tokens::encode(&up, &mut Vec::new(), &mut delta);
        equal::encode(&values, &other, None, &mut Vec::new(), &mut equal);
        check(&values);
        check(&up);
        check(&up.iter().rev().copied().collect::<Vec<_>>());
        delta.hard.len() + equal.hard.len()
    };
    assert_eq!(bits(0), bits(5));
}

fn check(values: &[u64]) {
    let times: Vec<u64> = (0..values.len() as u64).map(|row| row * 1000 + row % 3).collect();
    let key: Vec<u64> = (0..values.len() as u64).map(|row| row * row % 5).collect();
    check_all(values, &times, &key);
}

#[test]
fn edges() {
    check(&[0]);
    check(&[u64::MAX]);
    check(&[u64::MAX, 0, u64::MAX, 1, u64::MAX - 1]);
    check(&[5; 1000]);
    check(&[u64::MAX; 300]);
    check(&(0..1000).rev().collect::<Vec<_>>());
    check(&(0..64).map(|bit| 1 << bit).collect::<Vec<_>>());
    check(&(0..64).map(|bit| u64::MAX >> bit).collect::<Vec<_>>());
    check(&(0..5000).collect::<Vec<_>>());
    for rows in [127, 128, 129, 255, 256, 257] {
        check(&(0..rows).map(|row| row * 3 % 17).collect::<Vec<_>>());
    }
    for width in 1..64 {
        let seed = 0x9e37_79b9_7f4a_7c15u64;
        let value = |row: u64| row.wrapping_mul(seed) >> (64 - width);
        check(&(0..300).map(value).collect::<Vec<_>>());
    }
}

#[test]
fn no_rows() {
    for codec in PLAIN.iter().filter(|codec| !codec.name.starts_with("delta ")) {
        let mut parts = Parts::default();
        (codec.encode)(&[], &mut parts);
        let mut out = vec![1];
        (codec.decode)(block(&parts), 0, &mut out).expect(codec.name);
        assert!(out.is_empty(), "{}", codec.name);
    }
}

#[test]
fn narrow_types() {
    let values: Vec<u64> = (0..1000).map(|row| row * 31 % 251).collect();
    for encode in [planes::encode, packed::encode, runs::encode] {
        let mut parts = Parts::default();
        encode(&values, &mut parts);
        let mut out: Vec<u8> = Vec::new();
        let done = planes::decode(block(&parts), 1000, &mut out)
            .or_else(|_| packed::decode(block(&parts), 1000, &mut out))
            .or_else(|_| runs::decode(block(&parts), 1000, &mut out));
        done.unwrap();
        assert!(out.iter().zip(&values).all(|(&out, &value)| u64::from(out) == value));
    }
}

#[test]
fn tokens_are_in_order_and_within_a_byte() {
    let mut last = 0;
    for bit in 0..64u32 {
        for part in 0..4u64 {
            let value = (1u64 << bit) + (u128::from(part) << bit >> 2) as u64;
            let token = tokens::token(value);
            assert!(token >= last, "{value}");
            last = token;
        }
    }
    assert_eq!(tokens::token(u64::MAX), 255);
}

#[test]
fn since_costs_nothing_when_the_rows_before_foretell_it() {
    // Three threads take turns on one CPU.
    let times: Vec<u64> = (0..300u64).map(|row| 1_000_000 + row * 700 + row % 11).collect();
    let key: Vec<u64> = (0..300).map(|row| 100 + row % 3).collect();
    let values: Vec<u64> =
        (0..300).map(|row| if row < 3 { 5 } else { times[row] - times[row - 2] }).collect();
    let mut misses = Vec::new();
    assert!(since::misses(&values, &times, number(&key).unwrap().key(), 3, &mut misses));
    assert_eq!(misses.len(), 3);
    check_all(&values, &times, &key);
}

#[test]
fn codec_numbers_are_unique() {
    for codec in Codec::ALL {
        assert_eq!(Codec::from_id(codec as u8), Some(codec));
    }
}

fn columns() -> impl Strategy<Value = Vec<u64>> {
    let rows = 1..700usize;
    prop_oneof![
        prop::collection::vec(any::<u64>(), rows.clone()),
        prop::collection::vec(0..7u64, rows.clone()),
        prop::collection::vec(
            (0..64u32, any::<u64>()).prop_map(|(by, value)| value >> by),
            rows.clone()
        ),
        prop::collection::vec(0..2000u64, rows.clone()).prop_map(|steps| {
            steps
                .iter()
                .scan(1u64 << 52, |sum, step| {
                    *sum += step;
                    Some(*sum)
                })
                .collect()
        }),
        (any::<u64>(), rows).prop_map(|(value, rows)| vec![value; rows]),
    ]
}

proptest! {
    #[test]
    fn all_codecs(values in columns(), keys in prop::collection::vec(0..9u64, 700), step in 0..5000u64) {
        let rows = values.len();
        let times: Vec<u64> = (0..rows as u64).map(|row| row * step).collect();
        check_all(&values, &times, &keys[..rows]);
    }

    #[test]
    fn texts(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50)) {
        let mut column = TextColumn::default();
        list.iter().for_each(|text| column.push(text));
        let mut parts = Parts::default();
        text::encode(column.texts(), &mut parts);
        let mut out = TextColumn::default();
        text::decode(block(&parts), list.len(), &mut out).unwrap();
        prop_assert_eq!(out, column);
    }

    #[test]
    fn any_bytes(
        soft in prop::collection::vec(prop_oneof![0..20u8, any::<u8>()], 0..300),
        hard in prop::collection::vec(any::<u8>(), 0..100),
        rows in 1..400usize,
    ) {
        decode_all(&soft, &hard, rows);
    }
}

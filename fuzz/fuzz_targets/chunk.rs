//! Chunks with right checksums: every column, alone and with others, as values and as keys; and what
//! is decoded can be encoded and is the same again.
#![no_main]

use ktape_format::{Batch, Decoder, Options, Trace, Value, Writer};
use ktape_fuzz::mutate_chunks;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Ok(trace) = Trace::from_stream(data) else { return };
    let mut decoder = Decoder::new();
    let [mut all, mut alone, mut keyed] = [(); 3].map(|()| Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate().take(64) {
        let Some(record) = trace.record_by_id(chunk.record) else { continue };
        let mut names: Vec<&str> = record.fields.iter().map(|field| &*field.name).collect();
        names.dedup();
        let whole = decoder.read(&trace, index, &names, &mut all).is_ok();
        for (at, name) in names.iter().enumerate() {
            let read = decoder.read(&trace, index, &[name], &mut alone);
            assert!(!whole || read.is_ok(), "{name} alone: {read:?}");
            let as_keys = decoder.read_keyed(&trace, index, &[name], &[name], &mut keyed);
            assert_eq!(read.is_ok(), as_keys.is_ok(), "{name} as keys: {as_keys:?}");
            if read.is_err() {
                continue;
            }
            assert_eq!(alone.column(0).len(), alone.rows(), "{name}");
            if whole {
                assert_eq!(all.column(at), alone.column(0), "{name}");
            }
            let Some(keys) = keyed.keys(name) else { continue };
            for (row, code) in keys.codes.iter().enumerate() {
                let (key, value) = (keys.values[usize::from(*code)], alone.value(0, row));
                let same = match value {
                    Value::U64(value) => key == value,
                    Value::I64(value) => i64::try_from(key) == Ok(value),
                    Value::Text(_) => false,
                };
                assert!(same, "{name}, row {row}: key {key} and value {value:?}");
            }
        }
        if whole {
            again(&trace, index, &names, &all);
        }
    }
});

/// Writes decoded rows, and reads them back.
fn again(trace: &Trace, index: usize, names: &[&str], rows: &Batch) {
    let chunk = &trace.chunks()[index];
    let Some(record) = trace.record_by_id(chunk.record) else { return };
    let Ok(mut writer) = Writer::new(Vec::new(), trace.meta().clone(), Options::default()) else {
        return;
    };
    if writer.columns(record, chunk.ring, rows).is_err() {
        return;
    }
    let (bytes, _) = writer.finish().expect("written to memory");
    let copy = Trace::from_stream(&bytes[..]).expect("what was just written");
    let (mut decoder, mut read) = (Decoder::new(), Batch::new());
    let mut at = 0;
    for index in 0..copy.chunks().len() {
        decoder.read(&copy, index, names, &mut read).expect("what was just written");
        for column in 0..names.len() {
            for row in 0..read.rows() {
                assert_eq!(read.value(column, row), rows.value(column, at + row));
            }
        }
        at += read.rows();
    }
    assert_eq!(at, rows.rows());
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_chunks(data, size, max_size, seed)
});

//! Traces written and read back.

mod small;

use ktape_format::schema::{CpuSample, Desc, OffCpu, StringText, SyscallSlow, TaskExit, Type};
use ktape_format::{Batch, Decoder, Meta, Options, State, Trace, Value, Writer, verify};
use proptest::prelude::*;

/// Writes rows, reads them back column by column and all at once, and compares.
fn check(desc: &'static Desc, rows: &[u8]) {
    let write = || {
        let mut writer = Writer::new(Vec::new(), Meta::default(), Options::default()).unwrap();
        writer.rows(desc, 3, rows).unwrap();
        let summary = writer.summary().clone();
        let (file, end) = writer.finish().unwrap();
        assert_eq!(summary.records, end.records);
        assert_eq!(end.bytes, file.len() as u64);
        file
    };
    let file = write();
    assert!(file == write(), "same rows, other bytes");
    let trace = Trace::from_stream(&file[..]).unwrap();
    assert_eq!(*trace.state(), State::Complete);
    assert_eq!(verify(&trace), []);
    let names: Vec<&str> = desc.fields.iter().map(|field| field.name).collect();
    let mut decoder = Decoder::new();
    let (mut all, mut one) = (Batch::new(), Batch::new());
    let mut start = 0;
    for place in 0..trace.chunks().len() {
        decoder.read(&trace, place, &names, &mut all).unwrap();
        let chunk = &trace.chunks()[place];
        assert_eq!((chunk.record, chunk.ring, chunk.rows as usize), (desc.id, 3, all.rows()));
        for (column, field) in desc.fields.iter().enumerate() {
            decoder.read(&trace, place, &[field.name], &mut one).unwrap();
            assert_eq!(one.column(0), all.column(column), "{}", field.name);
            for row in 0..all.rows() {
                let bytes = &rows[(start + row) * desc.size + field.offset..];
                let mut wide = [0; 8];
                wide[..field.ty.size()].copy_from_slice(&bytes[..field.ty.size()]);
                let value = u64::from_le_bytes(wide);
                let expected = match field.ty {
                    Type::I32 => Value::I64((value as u32 as i32).into()),
                    Type::I64 => Value::I64(value as i64),
                    _ => Value::U64(value),
                };
                assert_eq!(all.value(column, row), expected, "{} row {row}", field.name);
            }
        }
        if let Some(time) = desc.time_field() {
            let times = all.u64(desc.fields[time].name);
            assert_eq!(chunk.first, *times.iter().min().unwrap());
            assert_eq!(chunk.last, *times.iter().max().unwrap());
        }
        if desc.field("tgid").is_some() {
            assert!(all.u32("tgid").iter().all(|&tgid| chunk.tgids.may_have(tgid)));
        }
        start += all.rows();
    }
    assert_eq!(start * desc.size, rows.len());
}

#[test]
fn simulated_loads() {
    for rows in small::off_cpu(200_000) {
        check(OffCpu::DESC, &rows.iter().flat_map(OffCpu::encode).collect::<Vec<_>>());
    }
    let slow = small::slow(3000);
    check(SyscallSlow::DESC, &slow.iter().flat_map(SyscallSlow::encode).collect::<Vec<_>>());
}

/// Processes with one thread have its number: that costs a byte each, not a table.
#[test]
fn processes_of_one_thread() {
    let rows = |process: fn(u32) -> u32| -> Vec<u8> {
        let row = |at: u32| {
            let tid = 1000 + at * 7919 % 400;
            OffCpu { end: u64::from(at) * 1000, tid, tgid: process(tid), ..OffCpu::default() }
        };
        (0..5000).flat_map(|at| row(at).encode()).collect()
    };
    let size = |rows: &[u8]| {
        check(OffCpu::DESC, rows);
        let mut writer = Writer::new(Vec::new(), Meta::default(), Options::default()).unwrap();
        writer.rows(OffCpu::DESC, 3, rows).unwrap();
        writer.finish().unwrap().1.bytes
    };
    assert!(size(&rows(|tid| tid)) < size(&rows(|_| 1000)) + 400);
    // One that has another: still right.
    check(OffCpu::DESC, &rows(|tid| if tid == 1234 { 1000 } else { tid }));
}

#[test]
fn few_rows_and_none() {
    let row = OffCpu { end: u64::MAX, runq: u64::MAX, tid: u32::MAX, ..OffCpu::default() };
    check(OffCpu::DESC, &[]);
    check(OffCpu::DESC, &row.encode());
    check(OffCpu::DESC, &[row.encode(), OffCpu::default().encode()].concat());
    check(OffCpu::DESC, &row.encode().repeat(1000));
}

#[test]
fn texts() {
    let texts: Vec<(u32, Vec<u8>)> =
        (0..70_000u32).map(|id| (id, vec![id as u8; id as usize % 40])).collect();
    let large = (70_000, vec![7; 1 << 20]);
    let mut writer = Writer::new(Vec::new(), Meta::default(), Options::default()).unwrap();
    writer.texts(&texts).unwrap();
    writer.texts(&vec![large.clone(); 9]).unwrap();
    writer.texts(&[]).unwrap();
    assert!(writer.texts(&[(1, vec![0; (1 << 20) + 1])]).is_err());
    let (file, _) = writer.finish().unwrap();
    let trace = Trace::from_stream(&file[..]).unwrap();
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut read = Vec::new();
    for place in 0..trace.chunks().len() {
        assert_eq!(trace.chunks()[place].record, StringText::DESC.id);
        decoder.read(&trace, place, &["text", "id"], &mut batch).unwrap();
        let ids = batch.u32("id").iter().copied();
        read.extend(ids.zip(batch.text("text").iter().map(<[u8]>::to_vec)));
    }
    assert!(read == [texts, vec![large; 9]].concat());
}

#[test]
fn batches_are_filtered_and_cut() {
    let file = small::trace(500);
    let trace = Trace::from_stream(&file[..]).unwrap();
    let place = trace.chunks().iter().position(|chunk| chunk.record == OffCpu::DESC.id).unwrap();
    let mut batch = Batch::new();
    Decoder::new().read(&trace, place, &["tid", "end", "state"], &mut batch).unwrap();
    let tids = batch.u32("tid").to_vec();
    let keep: Vec<bool> = tids.iter().map(|tid| tid % 3 == 0).collect();
    let part = batch.slice(5, 20);
    assert_eq!((part.rows(), part.u32("tid")), (15, &tids[5..20]));
    batch.retain(&keep);
    let kept: Vec<u32> = tids.iter().copied().filter(|tid| tid % 3 == 0).collect();
    assert_eq!(batch.u32("tid"), kept);
    assert_eq!((batch.rows(), batch.u64("end").len()), (kept.len(), kept.len()));
}

/// Rows in which every field is of some shape: anything, small, ascending, or all the same.
fn rows(desc: &'static Desc) -> impl Strategy<Value = Vec<u8>> {
    let shapes = prop::collection::vec(0..6u8, desc.fields.len());
    (shapes, 1..900usize, any::<u64>()).prop_map(move |(shapes, rows, seed)| {
        let mut random = small::simulate::Random(seed);
        let mut bytes = vec![0; rows * desc.size];
        for (field, shape) in desc.fields.iter().zip(shapes) {
            let base = random.next();
            let mut sum = base >> 20;
            for row in 0..rows {
                sum += random.below(1000);
                let value = match shape {
                    0 => random.next(),
                    1 => random.below(5),
                    2 => sum,
                    3 => base,
                    4 => base.wrapping_add(row as u64 % 7),
                    _ => random.next() >> random.below(64),
                };
                let at = row * desc.size + field.offset;
                let size = field.ty.size();
                bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_off_cpu(rows in rows(OffCpu::DESC)) {
        check(OffCpu::DESC, &rows);
    }

    #[test]
    fn any_syscall_slow(rows in rows(SyscallSlow::DESC)) {
        check(SyscallSlow::DESC, &rows);
    }

    #[test]
    fn any_cpu_sample(rows in rows(CpuSample::DESC)) {
        check(CpuSample::DESC, &rows);
    }

    #[test]
    fn any_task_exit(rows in rows(TaskExit::DESC)) {
        check(TaskExit::DESC, &rows);
    }
}

//! A small trace with every kind of column, as bytes.

#[path = "../simulate/mod.rs"]
pub(crate) mod simulate;

use ktape_format::schema::{OffCpu, SyscallSlow, TaskStart};
use ktape_format::{Meta, Options, Writer, own_schema};

use simulate::{LOADS, Random, simulate};

/// Metadata with a short schema, so that the trace is mostly chunks.
pub(crate) fn meta() -> Meta {
    let mut schema = own_schema();
    schema.retain(|record| {
        ["off_cpu", "string", "task_start", "syscall_slow"].contains(&record.name.as_str())
    });
    for record in &mut schema {
        record.doc.clear();
        for field in &mut record.fields {
            field.doc.clear();
            field.names.clear();
        }
    }
    let mut meta = Meta { schema, ..Meta::default() };
    meta.ktape_version = "0.1.0".to_owned();
    meta.host.hostname = "host".to_owned();
    meta.command_line = vec!["ktape".to_owned(), "record".to_owned()];
    meta
}

/// Rows of off_cpu per ring: all loads one after another, so that times also step back.
pub(crate) fn off_cpu(rows: usize) -> Vec<Vec<OffCpu>> {
    let mut rings = vec![Vec::new(); 2];
    for (seed, load) in LOADS.into_iter().enumerate() {
        for (ring, more) in simulate(load, rows / LOADS.len(), seed as u64).into_iter().enumerate()
        {
            rings[ring].extend(more);
        }
    }
    rings
}

/// Slow system calls: a signed column.
pub(crate) fn slow(rows: u64) -> Vec<SyscallSlow> {
    let mut random = Random(9);
    (0..rows)
        .map(|row| SyscallSlow {
            end: 5_000_000_000_000 + row * 1_000_000 + random.below(90_000),
            duration: 10_000_000 + random.below(1 << 30),
            ret: if row % 3 == 0 {
                -(random.below(133) as i64)
            } else {
                random.next() as i64 >> 20
            },
            tid: 100 + random.below(20) as u32,
            nr: random.below(300) as u32,
            ..SyscallSlow::default()
        })
        .collect()
}

/// A complete trace.
pub(crate) fn trace(rows: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), meta(), Options::default()).unwrap();
    let texts: Vec<_> =
        (1..30u32).map(|id| (id, format!("/usr/lib/text/{id}").into_bytes())).collect();
    writer.texts(&texts).unwrap();
    let start = TaskStart { time: 7, tid: 20, tgid: 20, comm: 3, ..TaskStart::default() };
    writer.rows(TaskStart::DESC, 0, &start.encode()).unwrap();
    for (ring, rows) in off_cpu(rows).iter().enumerate() {
        let bytes: Vec<u8> = rows.iter().flat_map(OffCpu::encode).collect();
        writer.rows(OffCpu::DESC, ring as u16, &bytes).unwrap();
    }
    let bytes: Vec<u8> = slow(rows as u64 / 4).iter().flat_map(SyscallSlow::encode).collect();
    writer.rows(SyscallSlow::DESC, 1, &bytes).unwrap();
    writer.finish().unwrap().0
}

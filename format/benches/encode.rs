//! What encoding and compressing off-CPU facts costs: `cargo bench -p ktape-format --bench encode --
//! TRACE`. Rows are taken as they lie in a ring, chunk by chunk, and written to nowhere. Prints one
//! JSON object.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use ktape_format::schema::OffCpu;
use ktape_format::{Batch, Decoder, Options, Trace, Writer};

/// Rounds; the median counts.
const ROUNDS: usize = 5;
/// Facts that are encoded in each.
const FACTS: usize = 2_000_000;

fn main() {
    let Some(path) = std::env::args().skip(1).find(|word| !word.starts_with('-')) else {
        // `cargo test --benches` runs this without a trace: nothing to measure.
        return;
    };
    let trace = Trace::open(path.as_ref()).expect("a trace");
    let chunks = rows(&trace);
    let facts: usize = chunks.iter().map(|(_, rows)| rows.len() / OffCpu::DESC.size).sum();
    let mut rounds: Vec<(Duration, u64)> = (0..ROUNDS).map(|_| round(&trace, &chunks)).collect();
    rounds.sort_unstable();
    let (took, bytes) = rounds[ROUNDS / 2];
    let line = format!(
        "{{\"facts\":{facts},\"encode_ns_per_fact\":{:.1},\"bytes_per_fact\":{:.3}}}",
        took.as_nanos() as f64 / facts as f64,
        bytes as f64 / facts as f64
    );
    writeln!(io::stdout(), "{line}").expect("standard output");
}

/// The first facts of a trace as they lay in their rings.
fn rows(trace: &Trace) -> Vec<(u16, Vec<u8>)> {
    let record = trace.record(OffCpu::DESC.name).expect("off_cpu in the schema").id;
    let names: Vec<&str> = OffCpu::DESC.fields.iter().map(|field| field.name).collect();
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    let (mut chunks, mut facts) = (Vec::new(), 0);
    for (at, info) in trace.chunks().iter().enumerate().filter(|(_, info)| info.record == record) {
        if facts >= FACTS {
            break;
        }
        decoder.read(trace, at, &names, &mut batch).expect("a chunk");
        let bytes = (0..batch.rows()).flat_map(|row| fact(&batch, row).encode()).collect();
        chunks.push((info.ring, bytes));
        facts += batch.rows();
    }
    chunks
}

fn fact(batch: &Batch, row: usize) -> OffCpu {
    OffCpu {
        end: batch.u64("end")[row],
        duration: batch.u64("duration")[row],
        runq: batch.u64("runq")[row],
        tid: batch.u32("tid")[row],
        tgid: batch.u32("tgid")[row],
        waker: batch.u32("waker")[row],
        waker_tgid: batch.u32("waker_tgid")[row],
        kstack: batch.u32("kstack")[row],
        ustack: batch.u32("ustack")[row],
        cpu: batch.u16("cpu")[row],
        prev_cpu: batch.u16("prev_cpu")[row],
        syscall: batch.u16("syscall")[row],
        state: batch.u8("state")[row],
        flags: batch.u8("flags")[row],
    }
}

/// Writes all chunks; how long that took, and how many bytes they became.
fn round(trace: &Trace, chunks: &[(u16, Vec<u8>)]) -> (Duration, u64) {
    let mut writer =
        Writer::new(io::sink(), trace.meta().clone(), Options::default()).expect("a writer");
    let before = writer.written();
    let began = Instant::now();
    for (ring, rows) in chunks {
        writer.rows(OffCpu::DESC, *ring, rows).expect("rows");
    }
    writer.flush().expect("a flush");
    (began.elapsed(), writer.written() - before)
}

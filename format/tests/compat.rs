//! Traces of released versions stay readable.

mod small;

use std::path::{Path, PathBuf};

use ktape_format::schema::{OffCpu, SyscallSlow};
use ktape_format::{Batch, Decoder, Trace, verify};

/// The fixture of a version. A new one is written with `KTAPE_BLESS=1`, and never again: what today's
/// writer writes tells nothing of a released one.
fn fixture(version: u32) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("compat/v{version}.ktape"));
    if !path.exists() && std::env::var_os("KTAPE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, small::trace(ROWS)).unwrap();
    }
    assert!(path.exists(), "{} is missing: take it from the repository", path.display());
    path
}

const ROWS: usize = 6000;

#[test]
fn version_1() {
    let trace = Trace::open(&fixture(1)).unwrap();
    assert_eq!(verify(&trace), []);
    assert_eq!(trace.meta().host.hostname, "host");
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut ends = vec![Vec::new(); 2];
    let mut returned = Vec::new();
    for (place, chunk) in trace.chunks().iter().enumerate() {
        let record = trace.record_by_id(chunk.record).unwrap();
        match record.name.as_str() {
            "off_cpu" => {
                let names = ["end", "duration", "runq", "tid", "waker_tgid", "prev_cpu", "state"];
                decoder.read(&trace, place, &names, &mut batch).unwrap();
                for row in 0..batch.rows() {
                    ends[usize::from(chunk.ring)].push(OffCpu {
                        end: batch.u64("end")[row],
                        duration: batch.u64("duration")[row],
                        runq: batch.u64("runq")[row],
                        tid: batch.u32("tid")[row],
                        waker_tgid: batch.u32("waker_tgid")[row],
                        prev_cpu: batch.u16("prev_cpu")[row],
                        state: batch.u8("state")[row],
                        ..OffCpu::default()
                    });
                }
            }
            "syscall_slow" => {
                decoder.read(&trace, place, &["ret"], &mut batch).unwrap();
                returned.extend_from_slice(batch.i64("ret"));
            }
            _ => {}
        }
    }
    let expected: Vec<Vec<OffCpu>> = small::off_cpu(ROWS)
        .into_iter()
        .map(|rows| {
            rows.into_iter()
                .map(|row| OffCpu {
                    tgid: 0,
                    waker: 0,
                    kstack: 0,
                    ustack: 0,
                    cpu: 0,
                    syscall: 0,
                    flags: 0,
                    ..row
                })
                .collect()
        })
        .collect();
    assert_eq!(ends, expected);
    let expected: Vec<i64> =
        small::slow(ROWS as u64 / 4).iter().map(|row: &SyscallSlow| row.ret).collect();
    assert_eq!(returned, expected);
}

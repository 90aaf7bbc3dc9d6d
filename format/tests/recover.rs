//! Damage is named, and what is left is saved.

mod small;

use std::io::Write;

use ktape_format::{
    Batch, Decoder, Meta, Options, Recovered, State, Trace, Value, Writer, recover, verify,
};

fn recovered(bytes: &[u8]) -> (Recovered, Trace) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut out = Vec::new();
    let report = recover(file.path(), &mut out).unwrap();
    let trace = Trace::from_stream(&out[..]).unwrap();
    assert_eq!(*trace.state(), State::Complete);
    assert_eq!(verify(&trace), []);
    assert_eq!(report.bytes, out.len() as u64);
    assert_eq!(report.chunks, trace.chunks().len() as u64);
    (report, trace)
}

/// Every value of a trace, chunk by chunk, as text.
fn content(trace: &Trace) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    (0..trace.chunks().len())
        .map(|chunk| {
            let record = trace.record_by_id(trace.chunks()[chunk].record).unwrap();
            let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
            decoder.read(trace, chunk, &names, &mut batch).unwrap();
            let values: Vec<Value<'_>> = (0..batch.rows())
                .flat_map(|row| (0..names.len()).map(move |column| (column, row)))
                .map(|(column, row)| batch.value(column, row))
                .collect();
            format!("{} {} {values:?}", record.name, batch.ring())
        })
        .collect()
}

#[test]
fn a_whole_trace_loses_nothing() {
    let bytes = small::trace(300);
    let whole = Trace::from_stream(&bytes[..]).unwrap();
    let (report, trace) = recovered(&bytes);
    assert_eq!((report.lost_bytes, report.lost_chunks, report.lost_rows), (0, 0, 0));
    assert_eq!(content(&trace), content(&whole));
    let notes = &trace.meta().notes;
    assert_eq!(notes[notes.len() - 2].0, "recovered from");
    assert_eq!(notes[notes.len() - 1].1, "0 bytes (0 chunks, 0 rows)");
}

#[test]
fn damage_costs_the_chunks_that_it_hits() {
    let bytes = small::trace(300);
    let whole = Trace::from_stream(&bytes[..]).unwrap();
    let chunks = whole.chunks();
    assert_eq!(chunks.len(), 5);

    // One bit in a column, the trailer being right.
    let mut bad = bytes.clone();
    bad[(chunks[2].offset + u64::from(chunks[2].len)) as usize - 20] ^= 1;
    let trace = Trace::from_stream(&bad[..]).unwrap();
    assert_eq!(*trace.state(), State::Complete);
    let problems = verify(&trace);
    assert_eq!((problems.len(), problems[0].offset), (1, chunks[2].offset));
    assert_eq!(
        (problems[0].record.as_str(), problems[0].what.as_str()),
        ("off_cpu", "checksum is wrong")
    );
    let (report, trace) = recovered(&bad);
    assert_eq!((report.lost_chunks, report.lost_rows), (1, chunks[2].rows.into()));
    assert_eq!(trace.chunks().len(), 4);

    // A head, no trailer: the rest is found by its sync mark.
    let mut bad = bytes[..(chunks[4].offset + u64::from(chunks[4].len)) as usize].to_vec();
    bad[chunks[1].offset as usize + 13] ^= 1;
    let trace = Trace::from_stream(&bad[..]).unwrap();
    let State::Damaged(damages) = trace.state() else { panic!("{:?}", trace.state()) };
    assert_eq!((damages.len(), damages[0].offset), (1, chunks[1].offset));
    assert_eq!(damages[0].len, u64::from(chunks[1].len));
    let (report, trace) = recovered(&bad);
    assert_eq!(report.lost_bytes, u64::from(chunks[1].len));
    let mut expected = content(&whole);
    expected.remove(1);
    assert_eq!(content(&trace), expected);

    // Zeros in the middle (a block that never reached the disk), and the index damaged too.
    let mut bad = bytes.clone();
    let from = chunks[1].offset as usize + 30;
    bad[from..chunks[3].offset as usize + 3].fill(0);
    let index = (chunks[4].offset + u64::from(chunks[4].len)) as usize + 12;
    bad[index] ^= 1;
    let (report, trace) = recovered(&bad);
    assert_eq!(trace.chunks().len(), 2);
    assert_eq!(report.damages.len(), 2);
    assert_eq!(report.damages[0].len, chunks[4].offset - chunks[1].offset);
}

#[test]
fn a_damaged_header_costs_the_metadata_only() {
    let rows: Vec<u8> = small::off_cpu(100)[0].iter().flat_map(|row| row.encode()).collect();
    let meta = Meta { ktape_version: "x".repeat(100), ..Meta::default() };
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).unwrap();
    writer.rows(ktape_format::schema::OffCpu::DESC, 0, &rows).unwrap();
    let (mut bytes, _) = writer.finish().unwrap();
    let whole = content(&Trace::from_stream(&bytes[..]).unwrap());
    bytes[40] ^= 4;
    assert!(Trace::from_stream(&bytes[..]).is_err());
    let (report, trace) = recovered(&bytes);
    assert!(report.header_lost);
    assert_eq!(content(&trace), whole);
}

#[test]
fn a_full_disk_leaves_a_valid_trace() {
    /// Takes so many bytes and no more.
    struct Full(Vec<u8>, usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let room = (self.1 - self.0.len()).min(bytes.len());
            if room == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let rows: Vec<u8> = small::off_cpu(4000)[0].iter().flat_map(|row| row.encode()).collect();
    let mut disk = Full(Vec::new(), 40_000);
    let mut writer = Writer::new(&mut disk, small::meta(), Options::default()).unwrap();
    let desc = ktape_format::schema::OffCpu::DESC;
    let mut fitted = 0;
    let error = rows.chunks(500 * desc.size).cycle().find_map(|part| {
        let written = writer.rows(desc, 0, part).err();
        fitted += u64::from(written.is_none());
        written
    });
    assert!(error.unwrap().to_string().starts_with("cannot write the trace at offset"));
    // Nothing more is written, even when there is room again.
    assert!(writer.rows(desc, 0, &rows).is_err());
    assert_eq!(writer.summary().chunks, fitted);
    drop(writer);
    let trace = Trace::from_stream(&disk.0[..]).unwrap();
    assert!(matches!(trace.state(), State::Unfinished(_)));
    assert_eq!(trace.chunks().len() as u64, fitted);
    assert_eq!(recovered(&disk.0).0.chunks, fitted);
}

/// A trace that was cut off says so whatever else befell it, and so does what is saved of it.
#[test]
fn a_cut_off_trace_stays_unfinished() {
    let bytes = small::trace(300);
    let whole = Trace::from_stream(&bytes[..]).unwrap();
    let chunks = whole.chunks();
    let cut = &bytes[..(chunks[4].offset + 40) as usize];
    let check = |bytes: &[u8], finished: bool| {
        let (report, trace) = recovered(bytes);
        assert_eq!((report.finished, trace.is_finished()), (finished, finished));
    };
    check(&bytes, true);
    check(cut, false);
    for at in [0, chunks[1].offset as usize] {
        // The header or a sync mark is damaged, too.
        let mut bad = cut.to_vec();
        bad[at + 16] ^= 1;
        check(&bad, false);
        let mut bad = bytes.clone();
        bad[at + 16] ^= 1;
        check(&bad, true);
    }
}

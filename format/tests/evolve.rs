//! Files of other versions: a reader takes what it knows and says what it does not.

mod small;

use ktape_format::schema::{OffCpu, Type};
use ktape_format::{
    Batch, Column, Decoder, Error, FieldSchema, Meta, Options, RecordSchema, State, TextColumn,
    Trace, Value, Writer, verify,
};

fn field(name: &str, ty: Type, kind: &str) -> FieldSchema {
    FieldSchema { name: name.into(), ty: ty as u8, kind: kind.into(), ..FieldSchema::default() }
}

fn write(record: RecordSchema, columns: Vec<(String, Column)>) -> Trace {
    let meta = Meta { schema: vec![record.clone()], ..Meta::default() };
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).unwrap();
    let batch = Batch::from_columns(record.id, 5, columns);
    writer.columns(&record, 5, &batch).unwrap();
    let (bytes, _) = writer.finish().unwrap();
    let trace = Trace::from_stream(&bytes[..]).unwrap();
    assert_eq!(*trace.state(), State::Complete);
    assert_eq!(verify(&trace), []);
    trace
}

#[test]
fn unknown_record_is_read_by_the_files_own_schema() {
    let mut texts = TextColumn::default();
    [&b"a"[..], b"", b"ccc"].iter().for_each(|text| texts.push(text));
    let record = RecordSchema {
        id: 900,
        name: "from_the_future".into(),
        class: 1,
        fields: vec![
            field("when", Type::U64, "time_ns"),
            field("delta", Type::I64, "furlongs"),
            field("small", Type::I32, "number"),
            field("what", Type::Text, "text"),
        ],
        ..RecordSchema::default()
    };
    let trace = write(
        record,
        vec![
            ("when".into(), Column::U64(vec![30, 10, 20])),
            ("delta".into(), Column::I64(vec![i64::MIN, 0, i64::MAX])),
            ("small".into(), Column::I32(vec![-1, i32::MIN, i32::MAX])),
            ("what".into(), Column::Text(texts)),
        ],
    );
    let chunk = &trace.chunks()[0];
    assert_eq!((chunk.ring, chunk.first, chunk.last), (5, 10, 30));
    let mut batch = Batch::new();
    let names = ["what", "delta", "when", "small"];
    Decoder::new().read(&trace, 0, &names, &mut batch).unwrap();
    assert_eq!(batch.names().collect::<Vec<_>>(), names);
    assert_eq!(batch.u64("when"), [30, 10, 20]);
    assert_eq!(batch.i64("delta"), [i64::MIN, 0, i64::MAX]);
    assert_eq!(batch.i32("small"), [-1, i32::MIN, i32::MAX]);
    assert_eq!(batch.text("what").get(2), b"ccc");
    assert_eq!(batch.value(0, 0), Value::Text(b"a"));
    assert_eq!(batch.value(1, 0), Value::I64(i64::MIN));
    assert_eq!(batch.value(2, 1), Value::U64(10));
}

#[test]
fn columns_go_by_name_missing_ones_are_absent_narrow_ones_widen() {
    // An off_cpu of another version: other order, a column more, columns less, other widths.
    let record = RecordSchema {
        id: OffCpu::DESC.id,
        name: "off_cpu".into(),
        class: 1,
        fields: vec![
            field("mood", Type::U8, "enum"),
            field("tid", Type::U16, "tid"),
            field("end", Type::U64, "time_ns"),
            field("cpu", Type::U64, "cpu"),
        ],
        ..RecordSchema::default()
    };
    let trace = write(
        record,
        vec![
            ("mood".into(), Column::U8(vec![1, 2])),
            ("tid".into(), Column::U16(vec![77, 78])),
            ("end".into(), Column::U64(vec![5, 6])),
            ("cpu".into(), Column::U64(vec![1 << 40, 2])),
        ],
    );
    let mut batch = Batch::new();
    let names = ["end", "tid", "duration", "cpu", "nonsense", "mood"];
    Decoder::new().read(&trace, 0, &names, &mut batch).unwrap();
    assert_eq!(batch.u64("end"), [5, 6]);
    assert_eq!(batch.u32("tid"), [77, 78]);
    assert_eq!(batch.u8("mood"), [1, 2]);
    assert_eq!(batch.u64("duration"), [0, 0]);
    // Eight bytes do not fit into the two that the program knows: not converted, but absent.
    assert_eq!(batch.u16("cpu"), [0, 0]);
    let has: Vec<bool> = names.iter().map(|name| batch.has(name)).collect();
    assert_eq!(has, [true, true, false, false, false, true]);
}

#[test]
fn a_later_major_version_is_refused_a_later_minor_one_is_not() {
    let good = small::trace(20);
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] += 1;
        let crc = crc32c::crc32c(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        Trace::from_stream(&bytes[..])
    };
    let Err(error) = changed(8) else { panic!("opened") };
    assert!(matches!(error, Error::TooNew { major: 2, minor: 1, .. }));
    assert!(error.to_string().contains("use a newer ktape"));
    assert_eq!(verify(&changed(10).unwrap()), []);
}

#[test]
fn an_unknown_codec_spoils_its_column_only() {
    let mut bytes = small::trace(60);
    let trace = Trace::from_stream(&bytes[..]).unwrap();
    let start = trace.chunks()[0].offset as usize;
    assert_eq!(trace.chunks()[0].record, 16);
    // The directory of the string chunk: its first column is the id.
    bytes[start + 40 + 2] = 200;
    let crc = crc32c::crc32c(&bytes[start..start + 40 + 2 * 22]);
    bytes[start + 84..start + 88].copy_from_slice(&crc.to_le_bytes());
    let trace = Trace::from_stream(&bytes[..]).unwrap();
    let mut batch = Batch::new();
    let mut decoder = Decoder::new();
    let error = decoder.read(&trace, 0, &["id"], &mut batch).unwrap_err().to_string();
    assert!(error.contains("record string, column id: codec 200 is unknown"), "{error}");
    assert_eq!(batch.rows(), 0);
    decoder.read(&trace, 0, &["text"], &mut batch).unwrap();
    assert_eq!(batch.text("text").get(0), b"/usr/lib/text/1");
    assert_eq!(verify(&trace).len(), 1);
}

#[test]
fn a_batch_that_does_not_fit_the_schema_is_an_error() {
    let record = RecordSchema {
        id: 901,
        name: "r".into(),
        fields: vec![field("a", Type::U8, "number")],
        ..RecordSchema::default()
    };
    let meta = Meta { schema: vec![record.clone()], ..Meta::default() };
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).unwrap();
    let mut check = |name: &str, column: Column, expected: &str| {
        let batch = Batch::from_columns(901, 0, vec![(name.to_owned(), column)]);
        let error = writer.columns(&record, 0, &batch).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("a", Column::U32(vec![256]), "256 does not fit");
    check("a", Column::I64(vec![-1]), "-1 does not fit");
    check("b", Column::U8(vec![1]), "does not have its field b");
    let mut texts = TextColumn::default();
    texts.push(b"x");
    check("a", Column::Text(texts), "is text");
    let rows = OffCpu::default().encode();
    let error = writer.rows(OffCpu::DESC, 0, &rows).unwrap_err().to_string();
    assert!(error.contains("the schema of the trace does not have it"), "{error}");
}

/// The bytes of a chunk behind the header of a schema that says something else of it.
#[test]
fn keys_are_read_as_their_column_is() {
    let record = |ty| RecordSchema {
        id: 900,
        name: "lie".into(),
        class: 1,
        fields: vec![field("key", ty, "number")],
        ..RecordSchema::default()
    };
    let header = |ty| {
        let meta = Meta { schema: vec![record(ty)], ..Meta::default() };
        Writer::new(Vec::new(), meta, Options::default()).unwrap()
    };
    let values: Vec<u64> = (0..200).map(|row| [7, 5855, 1 << 40][(row * row + row / 5) % 3]).collect();
    let mut writer = header(Type::U64);
    let column = vec![("key".to_owned(), Column::U64(values.clone()))];
    writer.columns(&record(Type::U64), 0, &Batch::from_columns(900, 0, column)).unwrap();
    let (whole, _) = writer.finish().unwrap();
    let chunks = Trace::from_stream(&whole[..]).unwrap().header_len() as usize;
    let read = |ty| {
        let (empty, _) = header(ty).finish().unwrap();
        let start = Trace::from_stream(&empty[..]).unwrap().header_len() as usize;
        let bytes = [&empty[..start], &whole[chunks..]].concat();
        let trace = Trace::from_stream(&bytes[..]).unwrap();
        let (mut decoder, mut alone, mut keyed) = (Decoder::new(), Batch::new(), Batch::new());
        let alone = decoder.read(&trace, 0, &["key"], &mut alone).map(|()| alone);
        let done = decoder.read_keyed(&trace, 0, &["key"], &["key"], &mut keyed);
        (alone.ok(), done.map(|()| keyed).ok())
    };
    let (_, keyed) = read(Type::U64);
    assert_eq!(keyed.unwrap().keys("key").unwrap().values, [7, 5855, 1 << 40], "a dictionary");
    for ty in [Type::U8, Type::U16, Type::U32] {
        let (alone, keyed) = read(ty);
        let keyed = keyed.unwrap();
        assert!(keyed.keys("key").is_none(), "{ty:?}");
        assert_eq!(keyed.column(0), alone.unwrap().column(0), "{ty:?}");
    }
    let (alone, keyed) = read(Type::Text);
    assert!(alone.is_none() && keyed.is_none());
}

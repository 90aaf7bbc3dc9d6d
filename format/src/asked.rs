//! `Asked`: the columns that are asked for, found in the schemas once for all chunks of a record.

use ktape_schema::Type;

use crate::reader::Trace;

/// Columns of one record of one trace.
#[derive(Default)]
pub(crate) struct Asked {
    /// Of the trace; and of the record.
    of: Option<(u64, u16)>,
    pub(crate) columns: Vec<AskedColumn>,
}

/// One column.
pub(crate) struct AskedColumn {
    pub(crate) name: String,
    /// Whether it is wanted as keys.
    pub(crate) keyed: bool,
    /// The type that it is read as: the program's own, else the file's.
    pub(crate) ty: Type,
    /// Its position in the file's schema, and its type there.
    pub(crate) field: Option<(usize, Type)>,
    /// The column before it that is the same: a hostile schema gives two fields one name, and who asks
    /// for all fields then asks for one twice.
    pub(crate) same: Option<usize>,
}

impl Asked {
    /// Looks the columns up; `None` when the trace's schema does not have the record.
    pub(crate) fn new(
        trace: &Trace,
        record: u16,
        columns: &[&str],
        keyed: &[&str],
    ) -> Option<Asked> {
        let schema = trace.record_by_id(record)?;
        let own = ktape_schema::by_name(&schema.name);
        let columns = columns.iter().enumerate().map(|(at, &name)| {
            let own = own.and_then(|own| Some(own.fields[own.field(name)?].ty));
            let field = schema
                .field(name)
                .and_then(|field| Some((field, Type::from_code(schema.fields[field].ty)?)));
            let ty = own.or(field.map(|field| field.1)).unwrap_or(Type::U64);
            let same = columns[..at].iter().position(|before| *before == name);
            AskedColumn { name: name.to_owned(), keyed: keyed.contains(&name), ty, field, same }
        });
        Some(Asked { of: Some((trace.serial, record)), columns: columns.collect() })
    }

    /// Whether these are the columns of that record.
    pub(crate) fn is(&self, trace: &Trace, record: u16, columns: &[&str], keyed: &[&str]) -> bool {
        let same = |(known, &name): (&AskedColumn, &&str)| {
            known.name == name && known.keyed == keyed.contains(&name)
        };
        self.of == Some((trace.serial, record))
            && self.columns.len() == columns.len()
            && self.columns.iter().zip(columns).all(same)
    }
}

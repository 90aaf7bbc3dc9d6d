//! `File`: one Parquet file, written in row groups.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, Repetition, TimeUnit, Type,
};
use parquet::basic::{TimestampType, ZstdLevel};
use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type as SchemaType};

use super::column::{Column, Physical};
use super::values::Values;

/// A file under way.
pub(super) struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> File<W> {
    /// Begins a file of these columns; `facts` are told in its metadata.
    pub(super) fn new(
        out: W,
        record: &str,
        columns: &[Column],
        level: i32,
        facts: Vec<KeyValue>,
    ) -> Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<_>>()?;
        let schema = SchemaType::group_type_builder(record).with_fields(fields).build()?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
            .set_created_by(concat!("ktape ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(facts));
        for column in columns.iter().filter(|column| column.distinct) {
            let path = ColumnPath::new(vec![column.name.clone()]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
        let properties = Arc::new(properties.build());
        Ok(Self { writer: SerializedFileWriter::new(out, Arc::new(schema), properties)? })
    }

    /// Writes a row group; `values` has one entry per column.
    pub(super) fn group(&mut self, values: &[Values]) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        for values in values {
            let mut column = group
                .next_column()?
                .ok_or_else(|| ParquetError::General("fewer columns than values".to_owned()))?;
            match values {
                Values::I32(values) => {
                    column.typed::<Int32Type>().write_batch(values, None, None)?;
                }
                Values::I64(values) => {
                    column.typed::<Int64Type>().write_batch(values, None, None)?;
                }
                Values::Text(values, levels) => {
                    column.typed::<ByteArrayType>().write_batch(values, Some(levels), None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Writes the footer.
    pub(super) fn finish(self) -> Result<W> {
        self.writer.into_inner()
    }
}

fn field(column: &Column) -> Result<Arc<SchemaType>> {
    let (ty, repetition) = match column.physical {
        Physical::I32 => (Type::INT32, Repetition::REQUIRED),
        Physical::I64 | Physical::Timestamp => (Type::INT64, Repetition::REQUIRED),
        Physical::Text => (Type::BYTE_ARRAY, Repetition::OPTIONAL),
    };
    let builder = SchemaType::primitive_type_builder(&column.name, ty).with_repetition(repetition);
    let builder = match column.physical {
        Physical::Text => builder
            .with_converted_type(ConvertedType::UTF8)
            .with_logical_type(Some(LogicalType::String)),
        Physical::Timestamp => {
            builder.with_logical_type(Some(LogicalType::Timestamp(TimestampType {
                is_adjusted_to_u_t_c: true,
                unit: TimeUnit::MICROS,
            })))
        }
        Physical::I32 | Physical::I64 => builder,
    };
    Ok(Arc::new(builder.build()?))
}

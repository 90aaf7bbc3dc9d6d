//! Facts as Parquet files, one per record: for DuckDB, Spark, Polars and their like.

mod column;
mod file;
mod names;
mod options;
mod values;
mod write;

pub use options::ParquetExport;
pub use write::{Exported, parquet};

//! Rows as a Parquet file (feature `parquet`): typed columns, in groups of rows that are written as they fill.
//!
//! A cell that is empty is null. Left out: compression, which would bring a library for each kind; readers take it plain.

use std::sync::Arc;

use anyhow::Context;
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::report::story::rows::Kind;
use crate::report::write::Streamed;

/// Rows in a group: some megabytes.
const GROUP: usize = 65_536;

/// The cells of one column that wait to be written.
#[derive(Debug)]
enum Column {
    Text(Vec<ByteArray>),
    Count(Vec<i64>),
    Number(Vec<f64>),
    Flag(Vec<bool>),
}

/// A Parquet file that is written group by group.
pub(super) struct Columns {
    writer: SerializedFileWriter<Streamed>,
    cells: Vec<Column>,
    /// For each column whether each row has a value: 1 or 0.
    known: Vec<Vec<i16>>,
}

impl Columns {
    pub(super) fn create(file: Streamed, head: &[(&str, Kind)]) -> anyhow::Result<Columns> {
        let field = |&(name, kind): &(&str, Kind)| {
            let (physical, converted) = match kind {
                Kind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
                Kind::Count => (Physical::INT64, ConvertedType::UINT_64),
                Kind::Number => (Physical::DOUBLE, ConvertedType::NONE),
                Kind::Flag => (Physical::BOOLEAN, ConvertedType::NONE),
            };
            let builder = Type::primitive_type_builder(name, physical).with_converted_type(converted);
            builder.with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
        };
        let fields = head.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("rows").with_fields(fields).build()?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(WriterProperties::new()))?;
        let empty = |&(_, kind): &(&str, Kind)| match kind {
            Kind::Text => Column::Text(Vec::new()),
            Kind::Count => Column::Count(Vec::new()),
            Kind::Number => Column::Number(Vec::new()),
            Kind::Flag => Column::Flag(Vec::new()),
        };
        Ok(Columns {
            writer,
            cells: head.iter().map(empty).collect(),
            known: vec![Vec::new(); head.len()],
        })
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        let columns = self.cells.iter_mut().zip(&mut self.known);
        for ((column, known), cell) in columns.zip(cells) {
            known.push(i16::from(!cell.is_empty()));
            if cell.is_empty() {
                continue;
            }
            match column {
                Column::Text(all) => all.push(ByteArray::from(cell.into_bytes())),
                // The type says that the bits are those of an unsigned number.
                Column::Count(all) => all.push(cell.parse::<u64>().context("not a count")?.cast_signed()),
                Column::Number(all) => all.push(cell.parse().context("not a number")?),
                Column::Flag(all) => all.push(cell == "true"),
            }
        }
        if self.known.first().is_some_and(|rows| rows.len() >= GROUP) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let mut group = self.writer.next_row_group()?;
        for (column, known) in self.cells.iter_mut().zip(&mut self.known) {
            let Some(mut writer) = group.next_column()? else { break };
            let levels = Some(known.as_slice());
            match column {
                Column::Text(all) => {
                    writer.typed::<ByteArrayType>().write_batch(all, levels, None)?;
                    all.clear();
                }
                Column::Count(all) => {
                    writer.typed::<Int64Type>().write_batch(all, levels, None)?;
                    all.clear();
                }
                Column::Number(all) => {
                    writer.typed::<DoubleType>().write_batch(all, levels, None)?;
                    all.clear();
                }
                Column::Flag(all) => {
                    writer.typed::<BoolType>().write_batch(all, levels, None)?;
                    all.clear();
                }
            }
            writer.close()?;
            known.clear();
        }
        group.close()?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if self.known.first().is_some_and(|rows| !rows.is_empty()) {
            self.flush()?;
        }
        Ok(self.writer.into_inner()?.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    #[test]
    fn what_is_written_is_read_back_with_its_types() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("rows.parquet");
        let head = [
            ("name", Kind::Text),
            ("id", Kind::Count),
            ("s", Kind::Number),
            ("is", Kind::Flag),
        ];
        let mut columns = Columns::create(Streamed::create(&path).unwrap(), &head).unwrap();
        let rows = [["a", "18446744073709551615", "0.25", "true"], ["", "", "", ""]];
        for i in 0..GROUP + 2 {
            columns.row(rows[i % 2].map(str::to_owned)).unwrap();
        }
        columns.finish().unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let all: Vec<Vec<Field>> = (reader.get_row_iter(None).unwrap())
            .map(|row| row.unwrap().get_column_iter().map(|(_, field)| field.clone()).collect())
            .collect();
        assert_eq!(all.len(), GROUP + 2);
        assert_eq!(
            all[0],
            [
                Field::Str("a".into()),
                Field::ULong(u64::MAX),
                Field::Double(0.25),
                Field::Bool(true)
            ]
        );
        assert!(all[1].iter().all(|field| *field == Field::Null));
    }
}

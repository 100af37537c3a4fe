//! Rows of a Parquet file (feature `parquet`), plain or packed with Snappy, whose inner members have names that points part.
//!
//! The file is held in memory as it is, up to [`MOST`], since its columns are read from its end. A timestamp is a date in UTC, whatever
//! its unit. Left out: lists and maps, which have no text; other ways to pack, each of which would bring a library.

use std::borrow::Cow;
use std::io::Read;

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::{ColumnDescriptor, Type};
use bytes::Bytes;

use super::TraceError;
use super::forms::Column;
use super::records::Records;
use crate::form::diagnose::quoted;
use crate::import::source::MOST_OF_LOG as MOST;
use crate::kernel::calendar::date;

/// The rows of a Parquet file.
pub(super) struct Parquet {
    rows: RowIter<'static>,
    header: Vec<String>,
    /// For each name where its value lies: the place in the row, then in the group that is there.
    places: Vec<Vec<usize>>,
    /// Whether the column is a number of nanoseconds since 1970, which the library gives as a number.
    of_nanos: Vec<bool>,
    row: Option<Row>,
    number: u64,
}

impl Parquet {
    /// The rows of the file that `source` gives.
    pub(super) fn new(source: impl Read) -> Result<Parquet, TraceError> {
        let wrong = |what: String| TraceError::Source(quoted(&what));
        let mut bytes = Vec::new();
        let read = source.take(MOST + 1).read_to_end(&mut bytes);
        read.map_err(|error| wrong(error.to_string()))?;
        if bytes.len() as u64 > MOST {
            let text = "it is a Parquet file of more than 1 GB, which is held in memory: part it, or write it as CSV";
            return Err(TraceError::Source(text.to_owned()));
        }
        let file = SerializedFileReader::new(Bytes::from(bytes));
        let file = file.map_err(|error| wrong(error.to_string()))?;
        let about = file.metadata().file_metadata().schema_descr_ptr();
        // The library stops the program at a type that it does not know.
        if let Some(column) = about.columns().iter().find(|column| !is_known(column)) {
            return Err(wrong(format!(
                "the Parquet column {} is {:?}, which is not read: leave it out",
                column.path().string(),
                column.converted_type()
            )));
        }
        let (mut header, mut places) = (Vec::new(), Vec::new());
        names(about.root_schema(), "", &[], &mut header, &mut places);
        let is_nanos = |name: &String| {
            let columns = about.columns().iter();
            let of_name = columns.filter(|column| column.path().string() == *name);
            of_name
                .filter_map(|column| column.logical_type_ref())
                .any(|logical| matches!(logical, LogicalType::Timestamp(of) if matches!(of.unit, TimeUnit::NANOS)))
        };
        let of_nanos = header.iter().map(is_nanos).collect();
        Ok(Parquet {
            rows: RowIter::from_file_into(Box::new(file)),
            header,
            places,
            of_nanos,
            row: None,
            number: 0,
        })
    }

    fn field(&self, column: usize) -> Option<&Field> {
        let (first, inner) = self.places.get(column)?.split_first()?;
        let mut field = self.row.as_ref()?.get_column_iter().nth(*first)?.1;
        for place in inner {
            let Field::Group(row) = field else { return None };
            field = row.get_column_iter().nth(*place)?.1;
        }
        Some(field)
    }
}

/// Whether values of the column can be had.
fn is_known(column: &ColumnDescriptor) -> bool {
    use ::parquet::basic::Type as Physical;
    use ConvertedType as Is;
    let is = column.converted_type();
    match column.physical_type() {
        Physical::BOOLEAN | Physical::INT96 | Physical::FLOAT | Physical::DOUBLE => true,
        Physical::INT32 => matches!(
            is,
            Is::NONE | Is::INT_8 | Is::INT_16 | Is::INT_32 | Is::UINT_8 | Is::UINT_16 | Is::UINT_32 | Is::DATE
        ),
        Physical::INT64 => matches!(
            is,
            Is::NONE | Is::INT_64 | Is::UINT_64 | Is::TIME_MICROS | Is::TIMESTAMP_MILLIS | Is::TIMESTAMP_MICROS
        ),
        Physical::BYTE_ARRAY => matches!(is, Is::NONE | Is::UTF8 | Is::ENUM | Is::JSON | Is::BSON),
        Physical::FIXED_LEN_BYTE_ARRAY => is == Is::NONE,
    }
}

/// Adds the names of a group's members that have a text, and where they lie.
fn names(group: &Type, before: &str, way: &[usize], header: &mut Vec<String>, places: &mut Vec<Vec<usize>>) {
    for (place, member) in group.get_fields().iter().enumerate() {
        let name = format!("{before}{}", member.name());
        let way = [way, &[place]].concat();
        if member.is_primitive() {
            header.push(name);
            places.push(way);
        } else {
            names(member, &format!("{name}."), &way, header, places);
        }
    }
}

impl Records for Parquet {
    fn header(&mut self) -> Result<&[String], TraceError> {
        Ok(&self.header)
    }

    fn next(&mut self) -> Result<Option<u64>, TraceError> {
        self.number += 1;
        let row = self.rows.next().transpose();
        self.row = row.map_err(|error| TraceError::Source(quoted(&format!("row {}: {error}", self.number))))?;
        Ok(self.row.as_ref().map(|_| self.number))
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        let Some(field) = self.field(column.place) else {
            return Cow::Borrowed("");
        };
        match field {
            Field::Null => Cow::Borrowed(""),
            Field::Str(text) => Cow::Borrowed(text),
            Field::Long(nanos) if self.of_nanos[column.place] => Cow::Owned(moment(i128::from(*nanos))),
            Field::TimestampMillis(millis) => Cow::Owned(moment(i128::from(*millis) * 1_000_000)),
            Field::TimestampMicros(micros) => Cow::Owned(moment(i128::from(*micros) * 1_000)),
            Field::Date(days) => Cow::Owned(format!("{} 00:00:00", date(i64::from(*days)))),
            Field::Bool(_)
            | Field::Byte(_)
            | Field::Short(_)
            | Field::Int(_)
            | Field::Long(_)
            | Field::UByte(_)
            | Field::UShort(_)
            | Field::UInt(_)
            | Field::ULong(_)
            | Field::Float16(_)
            | Field::Float(_)
            | Field::Double(_) => Cow::Owned(field.to_string()),
            Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()),
            Field::Decimal(_)
            | Field::TimeMillis(_)
            | Field::TimeMicros(_)
            | Field::Group(_)
            | Field::ListInternal(_)
            | Field::MapInternal(_) => Cow::Borrowed(""),
        }
    }
}

/// A time since 1970 as a date with a clock.
fn moment(nanos: i128) -> String {
    const DAY: i128 = 86_400 * 1_000_000_000;
    // What a file of 64 bits can hold lies within the days that fit.
    let (days, of_day) = (nanos.div_euclid(DAY) as i64, nanos.rem_euclid(DAY));
    let seconds = of_day / 1_000_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        "{} {hour:02}:{minute:02}:{second:02}.{:09}Z",
        date(days),
        of_day % 1_000_000_000
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::basic::Compression;
    use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::import::trace;
    use crate::kernel::time::Span;
    use crate::traffic::arrivals::TimeUnit::Seconds;
    use crate::traffic::arrivals::{Reading, TraceColumns};

    const SCHEMA: &str = "message rows {
        REQUIRED INT64 created_at (TIMESTAMP(NANOS, true));
        REQUIRED BYTE_ARRAY model (UTF8);
        REQUIRED group usage { REQUIRED INT64 input; REQUIRED INT64 output; }
    }";

    /// A file with the columns of [`SCHEMA`].
    fn file(columns: [&[i64]; 3], packed: Compression) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(packed).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut at = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            if at == 1 {
                let names = vec![ByteArray::from("gpt"); columns[0].len()];
                column.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap();
            } else {
                let values = columns[at - usize::from(at > 1)];
                column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
            }
            column.close().unwrap();
            at += 1;
        }
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    fn reading() -> Reading {
        Reading {
            columns: Some(TraceColumns {
                time: "created_at".to_owned(),
                input: "usage.input".to_owned(),
                output: "usage.output".to_owned(),
                requests: None,
                unit: Seconds,
            }),
            ..Reading::default()
        }
    }

    #[test]
    fn rows_are_those_of_the_file_packed_or_not() {
        let noon = 1_700_000_000_123_456_700;
        for packed in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let bytes = file([&[noon + 1_500_000_000, noon], &[20, 10], &[2, 1]], packed);
            let trace = trace::read(&bytes[..], &reading()).unwrap();
            assert_eq!(trace.facts.starts, Some(i128::from(noon)));
            let rows: Vec<_> = trace.rows.iter().map(|row| (row.at, row.input, row.output)).collect();
            assert_eq!(rows, [(Span::ZERO, 10, 1), (Span::from_millis(1500), 20, 2)]);
        }
    }

    #[test]
    fn what_is_broken_is_told() {
        let mut bytes = file([&[1], &[2], &[3]], Compression::UNCOMPRESSED);
        let end = bytes.len();
        bytes.truncate(end - 6);
        let error = trace::read(&bytes[..], &reading()).unwrap_err().to_string();
        assert!(error.contains("Parquet"), "{error}");
    }

    #[test]
    fn a_type_without_a_text_is_refused_by_name() {
        let schema = "message rows { REQUIRED INT32 cost (DECIMAL(9, 2)); }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let bytes = writer.into_inner().unwrap();
        let error = trace::read(&bytes[..], &reading()).unwrap_err();
        let text = "the Parquet column cost is DECIMAL, which is not read: leave it out";
        assert_eq!(error, TraceError::Source(text.to_owned()));
    }

    #[test]
    fn a_time_has_all_its_digits() {
        assert_eq!(moment(1_700_000_000_123_456_789), "2023-11-14 22:13:20.123456789Z");
        assert_eq!(moment(-1), "1969-12-31 23:59:59.999999999Z");
    }
}

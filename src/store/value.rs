//! Numbers and text as they stand in rows. What a file says is not believed: `None` is a value that makes no sense.

use std::ops::Range;

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::flow::{Mac, Wall};

/// Numbers of rows. The upper half of what a [`crate::flow::FlowId`] can hold stays free, so that a file that claims the
/// highest number leaves room for new ones.
pub const IDS: Range<i64> = 1..1 << 31;

/// Times, in seconds since 1970: up to the year 4147. The bound keeps sums in SQL from overflowing.
pub const TIMES: Range<i64> = 0..1 << 36;

/// A time as it is stored.
pub fn time(wall: Wall) -> i64 {
    wall.seconds.clamp(TIMES.start, TIMES.end - 1)
}

/// An integer in a range.
pub fn within(row: &Row, column: usize, range: Range<i64>) -> Option<i64> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) if range.contains(&number) => Some(number),
        _ => None,
    }
}

/// Text of at most so many bytes, or nothing.
pub fn text(row: &Row, column: usize, most: usize) -> Option<Option<String>> {
    match row.get_ref(column).ok()? {
        ValueRef::Null => Some(None),
        ValueRef::Text(bytes) if bytes.len() <= most => {
            let text = std::str::from_utf8(bytes).ok()?;
            (!text.contains(char::is_control)).then(|| Some(text.to_owned()))
        }
        _ => None,
    }
}

/// The address of a number.
pub fn mac(number: i64) -> Option<Mac> {
    Mac::from_u64(u64::try_from(number).ok()?)
}

/// A number to be bound, or nothing.
pub fn number_or_null(number: Option<i64>) -> ToSqlOutput<'static> {
    number.map_or(ToSqlOutput::Borrowed(ValueRef::Null), ToSqlOutput::from)
}

/// A value as it stands in a row, to be bound elsewhere.
pub fn as_it_is<'row>(row: &'row Row, column: usize) -> ToSqlOutput<'row> {
    ToSqlOutput::Borrowed(row.get_ref(column).unwrap_or(ValueRef::Null))
}

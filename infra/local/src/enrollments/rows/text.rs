//! CSV.

use std::io::Read;
use std::ops::ControlFlow;

use csv::{ByteRecord, Reader, Writer};

use super::metered::Meter;
use super::{Place, Row, Take, fit};

/// The header line, as it is sent.
pub(super) fn header<R: Read>(reader: &mut Reader<R>) -> anyhow::Result<Vec<u8>> {
    let header = reader.byte_headers()?.clone();
    anyhow::ensure!(!header.is_empty(), "it is empty");
    encode(&header)
}

/// Every row below it.
pub(super) fn each<R: Read>(reader: &mut Reader<R>, meter: &Meter, take: Take<'_>) -> anyhow::Result<()> {
    let header = reader.byte_headers()?.clone();
    let unread = u64::from(reader.position().line() == 1 + line_feeds(&header));
    let mut record = ByteRecord::new();
    for number in 1.. {
        meter.next_row();
        if !reader.read_byte_record(&mut record)? {
            break;
        }
        let content = if record.len() != header.len() {
            let cells = header.len();
            Err(format!("must have {cells} cells, as the header line has, and has {}", record.len()))
        } else if record.iter().any(|cell| std::str::from_utf8(cell).is_err()) {
            Err("must be UTF-8".to_owned())
        } else {
            fit(encode(&record)?)
        };
        let line = Some(line(&record, reader.position().line(), unread));
        if take(Row { place: Place { number, line, read: meter.read() }, content }) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// The line that a record begins in. The reader stands at `next`: in the line below it, but for a line feed that follows
/// a carriage return, which is left `unread` until the next record. It counts empty lines as the next record's.
fn line(record: &ByteRecord, next: u64, unread: u64) -> u64 {
    let by_start = record.position().map_or(0, csv::Position::line) + unread;
    // Too few by one at the end of a file that does not end with a line break.
    let by_end = (next + unread).saturating_sub(1 + line_feeds(record));
    by_start.max(by_end)
}

fn line_feeds(record: &ByteRecord) -> u64 {
    record.iter().flatten().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn encode(record: &ByteRecord) -> anyhow::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_byte_record(record)?;
    Ok(writer.into_inner()?)
}

//! JSON: one array, or a value in each line.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::metered::Meter;
use super::{Place, Row, Take, fit};

/// What some programs begin a file with, to say that it is UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

const NOT_AN_OBJECT: &str = "must be an object";

/// A reader that stands behind the mark, if there is one.
pub(super) fn without_mark<R: Read>(reader: R) -> io::Result<BufReader<R>> {
    let mut reader = BufReader::new(reader);
    if reader.fill_buf()?.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(reader)
}

/// Every line's value.
pub(super) fn each_line(mut reader: impl BufRead, meter: &Meter, take: Take<'_>) -> anyhow::Result<()> {
    let (mut line, mut number) = (Vec::new(), 0);
    for line_number in 1.. {
        line.clear();
        meter.next_row();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let row = line.trim_ascii();
        if row.is_empty() {
            continue;
        }
        number += 1;
        let content = match serde_json::from_slice::<&RawValue>(row) {
            Ok(value) => object(value),
            Err(error) => Err(format!("is not JSON: {error}")),
        };
        let place = Place { number, line: Some(line_number), read: meter.read() };
        if take(Row { place, content }) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// Every element of the array.
pub(super) fn each(reader: impl Read, meter: &Meter, take: Take<'_>) -> anyhow::Result<()> {
    let mut stopped = false;
    let mut json = serde_json::Deserializer::from_reader(reader);
    meter.next_row();
    let read = Document { meter, take, stopped: &mut stopped }.deserialize(&mut json).and_then(|()| json.end());
    match read {
        Err(_) if stopped => Ok(()),
        read => Ok(read?),
    }
}

fn object(value: &RawValue) -> Result<Vec<u8>, String> {
    let text = value.get();
    if text.starts_with('{') { fit(text.as_bytes().to_vec()) } else { Err(NOT_AN_OBJECT.to_owned()) }
}

/// The whole file. What it holds is handed out while it is read, and not kept.
struct Document<'a> {
    meter: &'a Meter,
    take: Take<'a>,
    stopped: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of enrollments, or an object whose `enrollments` is one")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            number += 1;
            let place = Place { number, line: None, read: self.meter.read() };
            if (self.take)(Row { place, content: object(&row) }) == ControlFlow::Break(()) {
                *self.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
            self.meter.next_row();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { meter, take, stopped } = self;
        let mut found = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "enrollments" && !found {
                found = true;
                map.next_value_seed(Array(Document { meter, take: &mut *take, stopped: &mut *stopped }))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("enrollments")) }
    }
}

/// The array alone.
struct Array<'a>(Document<'a>);

impl<'de> DeserializeSeed<'de> for Array<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self.0)
    }
}

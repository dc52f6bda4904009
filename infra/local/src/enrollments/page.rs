//! A page of rows, as it is sent.

use bytes::Bytes;

use super::rows::{Format, Place};

/// Most rows of a page.
pub(super) const MAX_ROWS: usize = 500;

/// Most bytes of a page, half of what the service takes.
const MAX_BYTES: usize = 512 * 1024;

/// Rows that are sent together.
pub(super) struct Page {
    format: Format,
    header: Vec<u8>,
    body: Vec<u8>,
    places: Vec<Place>,
}

impl Page {
    /// Without rows yet.
    pub(super) fn new(format: Format, header: Vec<u8>) -> Self {
        Self { format, body: header.clone(), header, places: Vec::new() }
    }

    /// What its body is. JSON is sent as an array, since the rows of a file may have line breaks in them.
    pub(super) const fn content_type(&self) -> &'static str {
        match self.format {
            Format::Csv => "text/csv",
            Format::Json | Format::Ndjson => "application/json",
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether one more row finds a place.
    pub(super) fn has_room_for(&self, row: &[u8]) -> bool {
        self.places.len() < MAX_ROWS && self.body.len() + row.len() < MAX_BYTES
    }

    pub(super) fn push(&mut self, place: Place, row: &[u8]) {
        match self.format {
            Format::Csv => {}
            Format::Json | Format::Ndjson => self.body.push(if self.is_empty() { b'[' } else { b',' }),
        }
        self.body.extend_from_slice(row);
        self.places.push(place);
    }

    /// Its body, and where its rows are in the file. It is empty after that.
    pub(super) fn take(&mut self) -> (Bytes, Vec<Place>) {
        let mut body = std::mem::replace(&mut self.body, self.header.clone());
        match self.format {
            Format::Csv => {}
            Format::Json | Format::Ndjson => body.push(b']'),
        }
        (body.into(), std::mem::take(&mut self.places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { number: 1, line: None, read: 0 };

    fn bodies(format: Format, header: &str, rows: &[&str]) -> Vec<String> {
        let mut page = Page::new(format, header.into());
        let mut bodies = Vec::new();
        for _ in 0..2 {
            for row in rows {
                page.push(PLACE, row.as_bytes());
            }
            let (body, places) = page.take();
            assert_eq!((places.len(), page.is_empty()), (rows.len(), true));
            bodies.push(String::from_utf8(body.to_vec()).unwrap());
        }
        bodies
    }

    #[test]
    fn every_page_has_the_header_line_or_is_an_array() {
        assert_eq!(bodies(Format::Csv, "a\n", &["1\n", "2\n"]), ["a\n1\n2\n"; 2]);
        assert_eq!(bodies(Format::Json, "", &["{}", "{\n}"]), ["[{},{\n}]"; 2]);
        assert_eq!(bodies(Format::Ndjson, "", &["{}"]), ["[{}]"; 2]);
    }

    #[test]
    fn a_page_is_full_by_rows_or_by_bytes() {
        let mut page = Page::new(Format::Json, Vec::new());
        for _ in 0..MAX_ROWS {
            assert!(page.has_room_for(b"{}"));
            page.push(PLACE, b"{}");
        }
        assert!(!page.has_room_for(b"{}"));
        page.take();
        page.push(PLACE, &vec![b'x'; MAX_BYTES - 100]);
        assert!(page.has_room_for(&[b'x'; 90]) && !page.has_room_for(&[b'x'; 110]));
    }
}

use std::io::Write as _;

use super::*;

type Read = (u64, Option<u64>, Result<String, String>);

fn read(format: Format, text: &[u8]) -> (anyhow::Result<()>, Vec<Read>, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let rows = Rows::open(file.path(), format).unwrap();
    let header = String::from_utf8(rows.header.clone()).unwrap();
    let mut all = Vec::new();
    let end = rows.each(&mut |Row { place, content }| {
        all.push((place.number, place.line, content.map(|row| String::from_utf8(row).unwrap())));
        ControlFlow::Continue(())
    });
    (end, all, header)
}

fn good(number: u64, line: Option<u64>, row: &str) -> Read {
    (number, line, Ok(row.to_owned()))
}

#[test]
fn rows_of_csv_keep_their_cells_and_know_their_lines() {
    let text = "\u{feff}user_id,course_name|1,\"Safety, \"\"first\"\"|of all\"|||2,x,y|3,?|4,last";
    for end_of_line in ["\n", "\r\n"] {
        let mut text = text.replace('|', end_of_line).into_bytes();
        let mark = text.iter().position(|byte| *byte == b'?').unwrap();
        text[mark] = 0xff;
        let (end, rows, header) = read(Format::Csv, &text);
        end.unwrap();
        assert_eq!(header, "user_id,course_name\n");
        let first = format!("1,\"Safety, \"\"first\"\"{end_of_line}of all\"\n");
        let cells = "must have 2 cells, as the header line has, and has 3".to_owned();
        let expected = [
            good(1, Some(2), &first),
            (2, Some(6), Err(cells)),
            (3, Some(7), Err("must be UTF-8".to_owned())),
            good(4, Some(8), "4,last\n"),
        ];
        assert_eq!(rows, expected);
    }
}

#[test]
fn rows_of_json_are_the_elements_of_the_array_or_of_its_enrollments() {
    let array = b"\xef\xbb\xbf[ {\"a\": 1.0} , 2, {\"b\":[{}]}]\n";
    let inside = br#"{"page": {"enrollments": [7]}, "enrollments": [{"a": 1.0}, 2, {"b":[{}]}], "more": [1]}"#;
    for text in [&array[..], inside] {
        let (end, rows, _) = read(Format::Json, text);
        end.unwrap();
        let expected = [good(1, None, "{\"a\": 1.0}"), (2, None, Err(NOT.to_owned())), good(3, None, "{\"b\":[{}]}")];
        assert_eq!(rows, expected);
    }
}

const NOT: &str = "must be an object";

#[test]
fn rows_of_lines_leave_empty_ones_out_and_name_those_that_are_no_json() {
    let (end, rows, _) = read(Format::Ndjson, b"{\"a\":1}\r\n\n  {\"a\":2} \n{\"a\":\n[]\n{\"a\":\"\xff\"}\n{}");
    end.unwrap();
    assert_eq!(rows[..2], [good(1, Some(1), "{\"a\":1}"), good(2, Some(3), "{\"a\":2}")]);
    assert!(rows[2].2.as_ref().unwrap_err().starts_with("is not JSON: "), "{rows:?}");
    assert_eq!(rows[3].2, Err(NOT.to_owned()));
    assert!(rows[4].2.is_err());
    assert_eq!(rows[5], good(6, Some(7), "{}"));
}

#[test]
fn what_comes_before_a_fault_of_the_file_is_handed_out() {
    let (end, rows, _) = read(Format::Json, b"[{\"a\":1},{\"a\":2},{\"a\"");
    assert!(end.unwrap_err().to_string().contains("EOF"));
    assert_eq!(rows.len(), 2);
    for (text, fault) in [("3", "an array of enrollments"), ("{}", "enrollments"), ("[{}] x", "trailing")] {
        let (end, _, _) = read(Format::Json, text.as_bytes());
        let error = end.unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn a_row_without_end_is_not_read_into_memory() {
    let long = "x".repeat(3 * 1024 * 1024);
    for (format, text) in [
        (Format::Csv, format!("a\n\"{long}")),
        (Format::Json, format!("[\"{long}\"]")),
        (Format::Ndjson, format!("\"{long}\"")),
    ] {
        let (end, rows, _) = read(format, text.as_bytes());
        let error = format!("{:#}", end.unwrap_err());
        assert!(error.contains("a row has no end") && rows.is_empty(), "{error}");
    }
}

#[test]
fn a_long_row_is_refused_and_the_next_one_is_not() {
    let long = "x".repeat(MAX_ROW_BYTES);
    for (format, text) in [
        (Format::Csv, format!("a\n{long}\nb\n")),
        (Format::Json, format!("[{{\"a\":\"{long}\"}},{{}}]")),
        (Format::Ndjson, format!("{{\"a\":\"{long}\"}}\n{{}}\n")),
    ] {
        let (end, rows, _) = read(format, text.as_bytes());
        end.unwrap();
        assert_eq!(rows[0].2, Err("must be at most 65536 bytes long".to_owned()));
        assert!(rows[1].2.is_ok() && rows.len() == 2, "{format:?}");
    }
}

#[test]
fn reading_ends_when_nobody_wants_more() {
    for (format, text) in [(Format::Csv, "a\n1\n2\n"), (Format::Json, "[{},{}]"), (Format::Ndjson, "{}\n{}\n")] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut taken = 0;
        let take = &mut |_| {
            taken += 1;
            ControlFlow::Break(())
        };
        Rows::open(file.path(), format).unwrap().each(take).unwrap();
        assert_eq!(taken, 1);
    }
}

#[test]
fn a_file_is_what_its_name_says() {
    let of = |name: &str| Format::of(Path::new(name));
    assert_eq!(of("a.CSV").unwrap(), Format::Csv);
    assert_eq!(of("a.b.json").unwrap(), Format::Json);
    assert_eq!((of("a.ndjson").unwrap(), of("a.jsonl").unwrap()), (Format::Ndjson, Format::Ndjson));
    assert!(of("csv").unwrap_err().to_string().contains("--format"));
}

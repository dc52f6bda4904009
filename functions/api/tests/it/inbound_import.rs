use std::fmt::Write as _;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::Source;

use crate::arrange;
use crate::inbound::{self, below, send};
use crate::support::{Answer, NOW, Service};

pub(crate) const CSV: &str = "text/csv";
pub(crate) const NDJSON: &str = "application/x-ndjson";

pub(crate) async fn start() -> (Service, Source) {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, Some("lms")).await;
    (service, source)
}

/// The report, a row in a line.
fn report(answer: &Answer) -> String {
    answer.shown().replace("},{", "},\n{").replace("[{", "[\n{")
}

pub(crate) async fn listed(service: &Service, source: &Source) -> Value {
    service.get(&below(source, "/enrollments")).await.json()["data"].clone()
}

#[tokio::test]
async fn an_import_reports_what_became_of_each_row() {
    let (service, source) = start().await;
    inbound::enroll(&service.store, &source, &json!([{"user_id": 1, "course_id": 1, "status": "subscribed"}])).await;
    let rows = json!([
        {"user_id": 1, "course_id": 1, "status": "completed", "updated_at": "2027-01-01 00:00:00"},
        {"user_id": 1, "course_id": 1, "username": "jane"},
        {"user_id": "2", "course_id": "1", "status": "subscribed"},
        {"user_id": 0, "course_id": -1, "level": 7, "completion_date": "soon", "satus": "x"},
        "jane",
        {"user_id": 3, "course_id": 1, "updated_at": "2025-12-31T00:00:00Z"},
        {"user_id": 2, "course_id": 1, "status": "subscribed"},
        {"user_id": 4, "course_id": 1, "deleted_at": "2027-01-14 00:00:00"},
    ]);
    let answer = service.post(&below(&source, "/enrollments"), &rows).await;
    assert_snapshot!(report(&answer), @r#"
    200
    {"created":3,"updated":1,"unchanged":2,"refused":2,"rows":[
    {"row":1,"result":"unchanged"},
    {"row":2,"result":"updated"},
    {"row":3,"result":"created"},
    {"row":4,"result":"refused","faults":["`satus` is not known here","`user_id` must be a whole number from 1 to 9007199254740991, or a text of its digits","`course_id` must be a whole number from 1 to 9007199254740991, or a text of its digits","`level` must be a text of at most 1000 characters, or null","`completion_date` must be a time from 1970 on, like `2024-03-13 14:58:26` (UTC) or `2024-03-13T14:58:26Z`, or null"]},
    {"row":5,"result":"refused","faults":["must be an object"]},
    {"row":6,"result":"created"},
    {"row":7,"result":"unchanged"},
    {"row":8,"result":"created"}]}
    "#);
    let again = service.post(&below(&source, "/enrollments"), &json!({"enrollments": rows})).await;
    assert_snapshot!(report(&again), @r#"
    200
    {"created":0,"updated":0,"unchanged":6,"refused":2,"rows":[
    {"row":1,"result":"unchanged"},
    {"row":2,"result":"unchanged"},
    {"row":3,"result":"unchanged"},
    {"row":4,"result":"refused","faults":["`satus` is not known here","`user_id` must be a whole number from 1 to 9007199254740991, or a text of its digits","`course_id` must be a whole number from 1 to 9007199254740991, or a text of its digits","`level` must be a text of at most 1000 characters, or null","`completion_date` must be a time from 1970 on, like `2024-03-13 14:58:26` (UTC) or `2024-03-13T14:58:26Z`, or null"]},
    {"row":5,"result":"refused","faults":["must be an object"]},
    {"row":6,"result":"unchanged"},
    {"row":7,"result":"unchanged"},
    {"row":8,"result":"unchanged"}]}
    "#);
}

#[tokio::test]
async fn the_three_forms_of_a_list_say_the_same() {
    let (service, json_source) = start().await;
    let rows =
        json!([{"user_id": 1, "course_id": 2, "username": "a,\u{e4}\"", "status": ""}, {"user_id": 2, "course_id": 2}]);
    let answer = service.post(&below(&json_source, "/enrollments"), &rows).await;
    assert_eq!((answer.status, &answer.json()["created"]), (200, &json!(2)), "{answer:?}");
    let expected = listed(&service, &json_source).await;
    let csv = "user_id, course_id ,username,status\r\n1,2,\"a,\u{e4}\"\"\",\r\n\r\n2,2,,\r\n";
    let ndjson = "{\"user_id\":1,\"course_id\":2,\"username\":\"a,\u{e4}\\\"\"}\r\n\n {\"user_id\":2,\"course_id\":2}";
    let lists = [
        (CSV, csv.to_owned()),
        ("text/csv; charset=utf-8", format!("\u{feff}{csv}")),
        ("TEXT/CSV", csv.replace("\r\n", "\n").trim_end().to_owned()),
        (NDJSON, ndjson.to_owned()),
        ("application/jsonl", format!("\u{feff}{ndjson}\n")),
        ("application/ndjson; charset=utf-8", ndjson.to_owned()),
        ("application/json; charset=utf-8", json!({"enrollments": rows}).to_string()),
    ];
    for (number, (content_type, list)) in (2..).zip(lists) {
        let source = arrange::source(&service.store, 1, number, None).await;
        let answer = send(&service, &below(&source, "/enrollments"), content_type, list).await;
        assert_eq!((answer.status, &answer.json()["created"]), (200, &json!(2)), "{content_type}: {answer:?}");
        assert_eq!(listed(&service, &source).await, expected, "{content_type}");
    }
}

#[tokio::test]
async fn a_bad_row_harms_no_other_in_any_form() {
    let (service, source) = start().await;
    let path = below(&source, "/enrollments");
    let csv = "user_id,course_id\r\n1,1\r\n2\r\n3,1,1\r\nx,1\r\n5,1\r\n";
    assert_snapshot!(report(&send(&service, &path, CSV, csv).await), @r#"
    200
    {"created":2,"updated":0,"unchanged":0,"refused":3,"rows":[
    {"row":1,"result":"created"},
    {"row":2,"result":"refused","faults":["must have a cell for each column: 2, and not 1"]},
    {"row":3,"result":"refused","faults":["must have a cell for each column: 2, and not 3"]},
    {"row":4,"result":"refused","faults":["`user_id` must be a whole number from 1 to 9007199254740991, or a text of its digits"]},
    {"row":5,"result":"created"}]}
    "#);
    let ndjson = "{\"user_id\":1,\"course_id\":2}\n{\"user_id\":2,\n[]\n{\"user_id\":1,\"user_id\":2}\n\
                  {\"user_id\":5,\"course_id\":2}";
    assert_snapshot!(report(&send(&service, &path, NDJSON, ndjson).await), @r#"
    200
    {"created":2,"updated":0,"unchanged":0,"refused":3,"rows":[
    {"row":1,"result":"created"},
    {"row":2,"result":"refused","faults":["the line is not acceptable JSON: EOF while parsing a value at line 1 column 13."]},
    {"row":3,"result":"refused","faults":["must be an object"]},
    {"row":4,"result":"refused","faults":["the line is not acceptable JSON: property \"user_id\" twice in one object at line 1 column 22."]},
    {"row":5,"result":"created"}]}
    "#);
    assert_eq!(listed(&service, &source).await.as_array().unwrap().len(), 4);
}

/// Else one line of a megabyte would be compared with itself.
#[tokio::test]
async fn a_sheet_of_very_many_columns_is_refused_at_once() {
    let (service, source) = start().await;
    let columns: Vec<_> = (0..101).map(|number| number.to_string()).collect();
    let answer = send(&service, &below(&source, "/enrollments"), CSV, columns.join(",")).await;
    assert_snapshot!(answer.faults(), @r#"["body"] value_error "must have at most 100 columns""#);
}

#[tokio::test]
async fn what_is_wrong_with_a_whole_list_is_told_and_nothing_is_imported() {
    let (service, source) = start().await;
    let path = below(&source, "/enrollments");
    let cases: [(&str, &[u8]); 16] = [
        (CSV, b""),
        (CSV, b"\r\n"),
        (CSV, b"user_id;course_id\r\n1;1\r\n"),
        (CSV, b"user_id,course_id,satus,user_id\r\n1,1,x,1\r\n"),
        (CSV, b"1,1,subscribed\r\n"),
        (CSV, b"user_id,course_id,username\r\n1,1,j\xe4ne\r\n"),
        (CSV, b"\xff\xfeu\x00s\x00"),
        (NDJSON, b"{\"user_id\":1,\"course_id\":1,\"username\":\"\xff\"}\n"),
        ("application/json", b""),
        ("application/json", b"[{\"user_id\":1"),
        ("application/json", b"[{\"user_id\":1,\"user_id\":2}]"),
        ("application/json", b"7"),
        ("application/json", b"{\"user_id\":1,\"course_id\":1}"),
        ("application/json", b"{\"enrollments\":[],\"more\":true}"),
        ("application/x-www-form-urlencoded", b"user_id,course_id\r\n1,1\r\n"),
        ("application/vnd.ms-excel", b"user_id,course_id\r\n1,1\r\n"),
    ];
    let mut answers = String::new();
    for (content_type, list) in cases {
        let answer = send(&service, &path, content_type, list).await;
        let shown = answer.shown().replace('\n', " ");
        writeln!(answers, "{content_type} {}\n  {shown}", list.escape_ascii()).unwrap();
    }
    assert_snapshot!(answers, @r#"
    text/csv 
      422 {"detail":[{"loc":["body","user_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","course_id"],"msg":"must be a column","type":"value_error.missing"}]}
    text/csv \r\n
      422 {"detail":[{"loc":["body","user_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","course_id"],"msg":"must be a column","type":"value_error.missing"}]}
    text/csv user_id;course_id\r\n1;1\r\n
      422 {"detail":[{"loc":["body","user_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","course_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","user_id;course_id"],"msg":"is not known here as a column","type":"value_error.extra"}]}
    text/csv user_id,course_id,satus,user_id\r\n1,1,x,1\r\n
      422 {"detail":[{"loc":["body","satus"],"msg":"is not known here as a column","type":"value_error.extra"},{"loc":["body","user_id"],"msg":"is a column twice","type":"value_error"}]}
    text/csv 1,1,subscribed\r\n
      422 {"detail":[{"loc":["body","user_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","course_id"],"msg":"must be a column","type":"value_error.missing"},{"loc":["body","1"],"msg":"is not known here as a column","type":"value_error.extra"},{"loc":["body","1"],"msg":"is a column twice","type":"value_error"},{"loc":["body","subscribed"],"msg":"is not known here as a column","type":"value_error.extra"}]}
    text/csv user_id,course_id,username\r\n1,1,j\xe4ne\r\n
      400 {"code":"generic_error","detail":"The body is not UTF-8 from byte 33 on."}
    text/csv \xff\xfeu\x00s\x00
      400 {"code":"generic_error","detail":"The body is not UTF-8 from byte 0 on."}
    application/x-ndjson {\"user_id\":1,\"course_id\":1,\"username\":\"\xff\"}\n
      400 {"code":"generic_error","detail":"The body is not UTF-8 from byte 39 on."}
    application/json 
      400 {"code":"generic_error","detail":"The body is empty where JSON is expected."}
    application/json [{\"user_id\":1
      400 {"code":"generic_error","detail":"The body is not acceptable JSON: EOF while parsing an object at line 1 column 13."}
    application/json [{\"user_id\":1,\"user_id\":2}]
      400 {"code":"generic_error","detail":"The body is not acceptable JSON: property \"user_id\" twice in one object at line 1 column 23."}
    application/json 7
      422 {"detail":[{"loc":["body"],"msg":"must be a list, or an object with nothing but a list `enrollments`","type":"type_error"}]}
    application/json {\"user_id\":1,\"course_id\":1}
      422 {"detail":[{"loc":["body"],"msg":"must be a list, or an object with nothing but a list `enrollments`","type":"type_error"}]}
    application/json {\"enrollments\":[],\"more\":true}
      422 {"detail":[{"loc":["body"],"msg":"must be a list, or an object with nothing but a list `enrollments`","type":"type_error"}]}
    application/x-www-form-urlencoded user_id,course_id\r\n1,1\r\n
      415 {"code":"unsupported_media_type","detail":"The body must be CSV, JSON or NDJSON: `content-type: text/csv`, `application/json` or `application/x-ndjson`."}
    application/vnd.ms-excel user_id,course_id\r\n1,1\r\n
      415 {"code":"unsupported_media_type","detail":"The body must be CSV, JSON or NDJSON: `content-type: text/csv`, `application/json` or `application/x-ndjson`."}
    "#);
    assert_eq!(listed(&service, &source).await, json!([]));
}

#[tokio::test]
async fn a_list_has_at_most_a_thousand_rows_and_a_mebibyte() {
    let (service, source) = start().await;
    let path = below(&source, "/enrollments");
    let row = |user: usize| format!("{{\"user_id\":{user},\"course_id\":1}}");
    let rows: Vec<_> = (1..=1001).map(row).collect();
    let line = |user: usize| format!("{user},2\r\n");
    let csv: Vec<_> = std::iter::once("user_id,course_id\r\n".to_owned()).chain((1..=1001).map(line)).collect();
    let too_many =
        [("application/json", format!("[{}]", rows.join(","))), (NDJSON, rows.join("\n")), (CSV, csv.concat())];
    for (content_type, list) in too_many {
        let answer = send(&service, &path, content_type, list).await;
        assert_eq!(answer.faults(), "  [\"body\"] value_error \"must have at most 1000 rows\"\n", "{content_type}");
    }
    assert_eq!(listed(&service, &source).await, json!([]));
    let fitting = [
        ("application/json", format!("[{}]", rows[..1000].join(",")), "created"),
        (NDJSON, rows[..1000].join("\n"), "unchanged"),
        (CSV, csv[..1001].concat(), "created"),
    ];
    for (content_type, list, result) in fitting {
        let answer = send(&service, &path, content_type, list).await;
        assert_eq!((answer.status, &answer.json()[result]), (200, &json!(1000)), "{content_type}");
    }
    let mut large = csv[..2].concat();
    large += &"\r\n".repeat((1024 * 1024 - large.len()) / 2);
    large += &" "[..1024 * 1024 - large.len()];
    let fits = send(&service, &path, CSV, large.clone()).await;
    assert_eq!((fits.status, &fits.json()["unchanged"]), (200, &json!(1)), "{fits:?}");
    for content_type in [CSV, NDJSON, "application/json"] {
        assert_eq!(send(&service, &path, content_type, format!("{large} ")).await.status, 413, "{content_type}");
    }
}

#[tokio::test]
async fn an_empty_list_is_imported() {
    let (service, source) = start().await;
    for (content_type, list) in [("application/json", "[]"), (NDJSON, ""), (CSV, "user_id,course_id\r\n")] {
        let answer = send(&service, &below(&source, "/enrollments"), content_type, list).await;
        let nothing = json!({"created": 0, "updated": 0, "unchanged": 0, "refused": 0, "rows": []});
        assert_eq!((answer.status, answer.json()), (200, nothing), "{content_type}");
    }
}

#[tokio::test]
async fn a_list_is_as_old_as_it_says_and_what_was_told_later_stays() {
    let (service, source) = start().await;
    let path = below(&source, "/enrollments");
    let row = |status: &str| json!([{"user_id": 1, "course_id": 1, "status": status}]);
    let first = format!("{path}?as_of=2027-01-10T00:00:00Z");
    assert_eq!(service.post(&first, &row("subscribed")).await.json()["created"], 1);
    let earlier = format!("{path}?as_of=2027-01-09T00:00:00Z");
    assert_eq!(service.post(&earlier, &row("completed")).await.json()["unchanged"], 1);
    let later = format!("{path}?as_of=2027-01-11T01:00:00%2B01:00");
    assert_eq!(service.post(&later, &row("completed")).await.json()["updated"], 1);
    let enrollment = &listed(&service, &source).await[0];
    assert_eq!(
        (&enrollment["status"], &enrollment["updated_at"]),
        (&json!("completed"), &json!("2027-01-11T00:00:00.000Z"))
    );

    // A clock that is ahead does not let its list win over what happens from now on.
    let ahead = format!("{path}?as_of={}", NOW + Duration::from_hours(23));
    assert_eq!(service.post(&ahead, &row("suspended")).await.json()["updated"], 1);
    assert_eq!(listed(&service, &source).await[0]["updated_at"], json!(NOW));
    let mut faults = String::new();
    for as_of in ["2027-01-17T00:00:00Z", "yesterday", "2027-01-10", "&as_of=2027-01-10T00:00:00Z"] {
        faults += &service.post(&format!("{path}?as_of={as_of}"), &row("x")).await.faults();
    }
    assert_snapshot!(faults, @r#"
    ["query","as_of"] value_error "must be at most a day ahead"
    ["query","as_of"] value_error "must be a date and time as in RFC 3339"
    ["query","as_of"] value_error "must be a date and time as in RFC 3339"
    ["query","as_of"] value_error "must be there once"
    "#);
}

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::source::Source;

use crate::arrange;
use crate::inbound::{self, below};
use crate::inbound_enrollment::some;
use crate::support::{Answer, Service};

/// Where the next page is.
fn next(path: &str, answer: &Answer) -> Option<String> {
    let link = answer.headers.get(LINK)?.to_str().unwrap();
    let reference = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(reference.starts_with('?'), "{link}");
    Some(format!("{}{reference}", path.split('?').next().unwrap()))
}

/// All pages of an export.
pub(crate) async fn pages(service: &Service, path: &str) -> Vec<String> {
    let (mut pages, mut path) = (Vec::new(), path.to_owned());
    loop {
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        pages.push(answer.body.clone());
        match next(&path, &answer) {
            Some(next) => path = next,
            None => return pages,
        }
    }
}

fn text(answer: &Answer, header: http::HeaderName) -> &str {
    answer.headers[header].to_str().unwrap()
}

#[tokio::test]
async fn an_export_is_csv_with_a_line_of_names() {
    let (service, source) = some().await;
    let answer = service.get(&below(&source, "/enrollments/export")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(text(&answer, CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
    assert_eq!(text(&answer, CONTENT_DISPOSITION), "attachment; filename=\"enrollments.csv\"");
    assert_eq!(answer.headers.get(LINK), None);
    assert_snapshot!(answer.body.replace("\r\n", "|\n"), @"
    user_id,course_id,session_id,username,course_name,session_name,level,status,enrollment_date,enrollment_date_begin_validity,enrollment_date_end_validity,subscribed_by_id,completion_date,deleted_at,updated_at|
    2,37,,,,,,subscribed,,,,,,2027-01-02T00:00:00.000Z,2027-01-02T00:00:00.000Z|
    10,37,9,,,,,subscribed,,,,,,,2027-01-15T08:00:00.000Z|
    10,370,,,,,,completed,,,,,,,2027-01-15T08:00:00.000Z|
    13250,37,,jane,Safety,,learner,completed,2026-12-13T14:58:26Z,,,7,2026-12-24T08:00:00Z,,2026-12-24T08:00:00.007Z|
    13250,38,,,,,,subscribed,,,,,,,2027-01-15T08:00:00.000Z|
    13250,38,5,,,Monday,,subscribed,,,,,,,2027-01-15T08:00:00.000Z|
    ");
}

#[tokio::test]
async fn an_export_as_ndjson_is_what_the_list_shows() {
    let (service, source) = some().await;
    let answer = service.get(&below(&source, "/enrollments/export?format=ndjson")).await;
    assert_eq!(text(&answer, CONTENT_TYPE), "application/x-ndjson; charset=utf-8");
    assert_eq!(text(&answer, CONTENT_DISPOSITION), "attachment; filename=\"enrollments.ndjson\"");
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), service.get(&below(&source, "/enrollments")).await.json()["data"]);
}

#[tokio::test]
async fn the_columns_are_the_properties_of_an_enrollment_in_their_order() {
    let (service, source) = some().await;
    let csv = service.get(&below(&source, "/enrollments/export?limit=1")).await.body;
    let list = service.get(&below(&source, "/enrollments?user_id=13250")).await.json();
    let of_a_session: Vec<_> = list["data"][2].as_object().unwrap().keys().cloned().collect();
    assert_eq!(csv.lines().next().unwrap(), of_a_session.join(","));
}

#[tokio::test]
async fn pages_of_an_export_make_one_file_of_which_the_first_has_the_names() {
    let (service, source) = some().await;
    let path = below(&source, "/enrollments/export");
    for format in ["csv", "ndjson"] {
        let whole = pages(&service, &format!("{path}?format={format}")).await;
        assert_eq!(whole.len(), 1);
        for limit in 1..=7 {
            let pages = pages(&service, &format!("{path}?format={format}&limit={limit}")).await;
            assert_eq!(pages.concat(), whole[0], "{format} {limit}");
            assert_eq!(pages.len(), 6_usize.div_ceil(limit), "{format} {limit}");
        }
    }
    let first = service.get(&format!("{path}?limit=5")).await;
    let second = service.get(&next(&path, &first).unwrap()).await;
    assert_eq!(text(&second, CONTENT_TYPE), "text/csv; charset=utf-8; header=absent");
}

#[tokio::test]
async fn the_next_page_is_of_the_same_query() {
    let (service, source) = some().await;
    inbound::enroll(&service.store, &source, &json!([{"user_id": 10, "course_id": 38, "status": "a&b=c \u{e4}"}]))
        .await;
    inbound::enroll(&service.store, &source, &json!([{"user_id": 10, "course_id": 39, "status": "a&b=c \u{e4}"}]))
        .await;
    let query = "format=ndjson&user_id=10&status=a%26b%3Dc+%C3%A4&deleted=false&limit=1";
    let path = below(&source, &format!("/enrollments/export?{query}"));
    let first = service.get(&path).await;
    assert_snapshot!(text(&first, LINK), @r#"<?format=ndjson&user_id=10&status=a%26b%3Dc+%C3%A4&deleted=false&limit=1&iterator=10.38>; rel="next""#);
    assert_eq!(pages(&service, &path).await.len(), 2);
    let course = pages(&service, &below(&source, "/enrollments/export?format=ndjson&course_id=37&limit=2")).await;
    assert_eq!(course.concat().lines().count(), 3);
}

#[tokio::test]
async fn cells_are_quoted_where_they_must_be_and_formulas_are_guarded() {
    let (service, source) = some().await;
    let names =
        ["=1+1", "+49", "-1", "@SUM(A1)", "\tx", "\rx", "'=x", "a,b", "say \"hi\"", "two\r\nlines", "'t is", " "];
    let row = |(user, name)| json!({"user_id": user, "course_id": 99, "username": name});
    let rows: Vec<_> = (1..).zip(names).map(row).collect();
    inbound::enroll(&service.store, &source, &json!(rows)).await;
    let answer = service.get(&below(&source, "/enrollments/export?course_id=99")).await;
    let cells = answer.body.replace(",99,,", ",99,, ").replace(",,,,,,,,,,2027-01-15T08:00:00.000Z", " ,...");
    assert_snapshot!(format!("{cells:?}").replace("\\r\\n", "\\r\\n\n"), @r#"
    "user_id,course_id,session_id,username,course_name,session_name,level,status,enrollment_date,enrollment_date_begin_validity,enrollment_date_end_validity,subscribed_by_id,completion_date,deleted_at,updated_at\r\n
    1,99,, '=1+1, ,...\r\n
    2,99,, '+49, ,...\r\n
    3,99,, '-1, ,...\r\n
    4,99,, '@SUM(A1), ,...\r\n
    5,99,, '\tx, ,...\r\n
    6,99,, \"'\rx\", ,...\r\n
    7,99,, ''=x, ,...\r\n
    8,99,, \"a,b\", ,...\r\n
    9,99,, \"say \"\"hi\"\"\", ,...\r\n
    10,99,, \"two\r\n
    lines\", ,...\r\n
    11,99,, 't is, ,...\r\n
    12,99,,  , ,...\r\n
    "
    "#);
    // What a program reads is no cell of a sheet.
    let ndjson = service.get(&below(&source, "/enrollments/export?course_id=99&format=ndjson&limit=1")).await;
    assert!(ndjson.body.contains("\"username\":\"=1+1\""), "{}", ndjson.body);
}

#[tokio::test]
async fn a_page_is_no_larger_than_an_answer_may_be() {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, None).await;
    large(&service, &source).await;
    let path = below(&source, "/enrollments/export");
    for format in ["csv", "ndjson"] {
        let pages = pages(&service, &format!("{path}?format={format}")).await;
        assert_eq!(pages.len(), 2, "{format}");
        assert!(pages.iter().all(|page| page.len() <= 2 * 1024 * 1024));
        let head = usize::from(format == "csv");
        assert_eq!(pages.concat().lines().count(), head + 280, "{format}");
    }
}

/// 280 enrollments of some 8 KB each.
async fn large(service: &Service, source: &Source) {
    let text = "\u{20ac}".repeat(680);
    let row = |user| {
        let (username, course_name, level) = (&text, &text, &text);
        json!({"user_id": user, "course_id": 1, "username": username, "course_name": course_name, "level": level,
               "status": text})
    };
    inbound::enroll(&service.store, source, &json!((1..=280).map(row).collect::<Vec<_>>())).await;
}

#[tokio::test]
async fn an_export_of_nothing_is_a_line_of_names_or_nothing() {
    let service = Service::start().await;
    let source = arrange::source(&service.store, 1, 1, None).await;
    let csv = service.get(&below(&source, "/enrollments/export")).await;
    assert_eq!((csv.status, csv.body.lines().count(), csv.headers.get(LINK)), (200, 1, None));
    let ndjson = service.get(&below(&source, "/enrollments/export?format=ndjson")).await;
    assert_eq!((ndjson.status, &*ndjson.body, ndjson.headers.get(LINK)), (200, "", None));
}

#[tokio::test]
async fn a_bad_query_of_an_export_is_refused_with_every_fault() {
    let (service, source) = some().await;
    let path = below(&source, "/enrollments/export");
    let answer = service.get(&format!("{path}?format=xlsx&limit=10001&iterator=-1.2&user_id=x&deleted=1")).await;
    assert_snapshot!(answer.faults(), @r#"
    ["query","format"] value_error "must be `csv` or `ndjson`"
    ["query","user_id"] value_error "must be a whole number from 1 to 9007199254740991"
    ["query","deleted"] value_error "must be `true` or `false`"
    ["query","limit"] value_error "must be a number from 1 to 10000"
    ["query","iterator"] value_error "must be `<user>.<course>` or `<user>.<course>.<session>`"
    "#);
    assert_eq!(service.get(&format!("{path}?limit=0")).await.status, 422);
    assert_eq!(service.get("/in/else/enrollments/export").await.status, 404);
}

#[test]
fn the_document_says_what_is_answered_and_taken_besides_json() {
    let document = crate::documents::documents().remove(0);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let export = &document["paths"]["/in/{source}/enrollments/export"]["get"]["responses"]["200"];
    assert_eq!(keys(&export["content"]), "text/csv application/x-ndjson");
    assert_eq!(keys(&export["headers"]), "content-disposition link");
    let import = &document["paths"]["/in/{source}/enrollments"]["post"];
    assert_eq!(keys(&import["requestBody"]["content"]), "application/json application/x-ndjson text/csv");
    let list = &document["components"]["schemas"]["EnrollmentsIn"]["oneOf"];
    assert_eq!((&list[0]["type"], &list[1]["required"]), (&json!("array"), &json!(["enrollments"])), "{list}");
    let row = &document["components"]["schemas"]["EnrollmentIn"];
    assert_eq!(row["required"], json!(["user_id", "course_id"]));
    let shown = &document["components"]["schemas"]["EnrollmentOut"]["properties"];
    assert_eq!(keys(&row["properties"]), keys(shown));
}

//! `tidings enrollments`, at a running service.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::inbound::{ago, make_source, told};
use crate::support::{Service, run, tidings};

const ROWS: u64 = 1200;

/// A file with so many rows, of which those at these positions cannot be.
fn csv(rows: u64, bad: &[u64]) -> String {
    let at = ago(Duration::from_secs(3600));
    let mut text = "user_id,course_id,username,course_name,status,enrollment_date\n".to_owned();
    for row in 1..=rows {
        let user = if bad.contains(&row) { "nobody".to_owned() } else { row.to_string() };
        // A cell that is a formula to a spreadsheet, one with a quote, and one with nothing.
        writeln!(text, "{user},37,=user{row},\"Safety, \"\"first\"\"\",,{at}").unwrap();
    }
    text
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = tidings(&["enrollments"]);
    command.args(arguments).arg("--data").arg(data);
    command
}

/// Whether it went well, what it printed, and what it said meanwhile.
fn enrollments(data: &Path, arguments: &[&str]) -> (bool, String, String) {
    let (status, text, error) = run(&mut command(data, arguments));
    (status.success(), text, error)
}

#[test]
fn help_tells_of_both_ways() {
    assert!(run(&mut tidings(&["--help"])).1.contains("enrollments"));
    for (way, parts) in
        [("import", ["--as-of", "--source", "--token"]), ("export", ["--status", "--deleted", "--server"])]
    {
        let help = run(&mut tidings(&["enrollments", way, "--help"])).1;
        assert!(parts.iter().all(|part| help.contains(part)), "{help}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_is_imported_with_a_report_and_to_import_it_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    make_source(&client, json!({})).await;
    let file = folder.path().join("all.csv");
    fs::write(&file, csv(ROWS, &[17, 1100])).unwrap();
    let file = file.to_str().unwrap();

    let (well, report, progress) = enrollments(folder.path(), &["import", file, "--source", "docebo"]);
    assert!(!well, "rows were refused");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    for (line, start) in lines.iter().zip(["row 17 (line 18): ", "row 1100 (line 1101): "]) {
        assert!(line.starts_with(start) && line.contains("user_id"), "{line}");
    }
    assert!(lines[2].contains("1200 rows: 1198 created, 0 updated, 0 unchanged, 2 refused"), "{report}");
    assert!(progress.contains("1200 rows (100 %)") && progress.contains("2 of 1200 rows were refused"), "{progress}");

    let one = client.get("/in/docebo/enrollments?user_id=1200&course_id=37").await.body["data"][0].clone();
    assert_eq!((&one["username"], &one["course_name"]), (&json!("=user1200"), &json!("Safety, \"first\"")));
    assert_eq!(client.all("/in/docebo/enrollments").await.len(), 1198);
    let (_, again, _) = enrollments(folder.path(), &["import", file, "--source", "docebo"]);
    assert!(again.contains("1200 rows: 0 created, 0 updated, 1198 unchanged, 2 refused"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_exported_can_be_imported_and_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let client = service.client();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    make_source(&client, json!({})).await;
    fs::write(path("all.csv"), csv(ROWS, &[])).unwrap();
    let time = told(&ago(Duration::from_secs(1800)));
    let (well, report, error) = enrollments(folder.path(), &["import", &path("all.csv"), "--as-of", &time]);
    assert!(well && report.contains("1200 created"), "{report}{error}");
    let one = client.get("/in/docebo/enrollments?user_id=7").await.body["data"][0].clone();
    assert!(one["updated_at"].as_str().unwrap().starts_with(&time[..19]), "{one}");

    let export = |source: &str, format: &str, name: &str| {
        let arguments = ["export", &path(name), "--source", source, "--format", format];
        let (well, _, error) = enrollments(folder.path(), &arguments);
        assert!(well && error.contains("1200 rows exported"), "{error}");
        fs::read_to_string(path(name)).unwrap()
    };
    let (text, lines) = (export("docebo", "csv", "first.csv"), export("docebo", "ndjson", "first.ndjson"));
    assert_eq!((text.lines().count(), lines.lines().count()), (1201, 1200));
    let values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values, client.all("/in/docebo/enrollments").await);
    fs::write(path("first.json"), json!({"enrollments": values}).to_string()).unwrap();
    for (number, file) in ["first.csv", "first.ndjson", "first.json"].into_iter().enumerate() {
        let source = format!("copy-{number}");
        make_source(&client, json!({"name": source, "uid": source})).await;
        let (well, report, error) = enrollments(folder.path(), &["import", &path(file), "--source", &source]);
        assert!(well && report.contains("1200 rows: 1200 created"), "{report}{error}");
        assert_eq!(export(&source, "csv", "copy.csv"), text, "{file}");
        assert_eq!(export(&source, "ndjson", "copy.ndjson"), lines, "{file}");
    }

    let (_, some, _) = enrollments(folder.path(), &["export", "--user", "7", "--format", "ndjson"]);
    assert_eq!(serde_json::from_str::<Value>(&some).unwrap(), one);
    let (_, none, said) = enrollments(folder.path(), &["export", "--status", "completed"]);
    assert!(none.starts_with("user_id,course_id,") && none.lines().count() == 1, "{none}");
    assert!(said.contains("0 rows exported"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_import_goes_on_after_the_service_was_killed() {
    const MANY: u64 = 6000;
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &[]);
    make_source(&service.client(), json!({})).await;
    let file = folder.path().join("all.csv");
    fs::write(&file, csv(MANY, &[])).unwrap();
    let mut command = command(folder.path(), &["import", file.to_str().unwrap()]);
    let mut import = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(import.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = progress.next().unwrap();
    assert!(first.contains(" %)"), "{first}");
    service.kill();
    let waits = progress.by_ref().find(|line| line.contains("trying again in")).unwrap();
    assert!(waits.starts_with("no answer"), "{waits}");
    let port = service.url.rsplit(':').next().unwrap();
    let service = Service::spawn(&mut tidings(&["serve", "--port", port, "--data", folder.path().to_str().unwrap()]));
    let rest: Vec<String> = progress.collect();
    let output = import.wait_with_output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report} {rest:?}");
    // The page that was on its way may have been written before the kill, or in part.
    assert!(report.contains("6000 rows: ") && report.contains(" 0 refused"), "{report}");
    let users: Vec<_> = service.client().all("/in/docebo/enrollments").await;
    let users: Vec<u64> = users.iter().map(|one| one["user_id"].as_u64().unwrap()).collect();
    assert_eq!(users, (1..=MANY).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_done_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = |name: &str, text: &str| {
        fs::write(data.join(name), text).unwrap();
        data.join(name).to_str().unwrap().to_owned()
    };
    let good = file("good.csv", &csv(1, &[]));
    let fails = |arguments: &[&str], part: &str| {
        let (well, report, error) = enrollments(data, arguments);
        assert!(!well && error.contains(part), "no {part:?}: {report}{error}");
        report
    };
    fails(&["import", &good], "no service has used the data folder");
    let service = Service::start(data, &[]);
    fails(&["import", &good], "404");
    fails(&["export"], "404");
    make_source(&service.client(), json!({})).await;
    fails(&["import", "nowhere.csv"], "cannot read nowhere.csv");
    fails(&["import", &file("what.txt", "")], "--format");
    fails(&["import", &file("empty.csv", "")], "it is empty");
    fails(&["import", &good, "--as-of", "yesterday"], "must be a time");
    fails(&["import", &good, "--server", "https://tidings.example"], "--token");
    fails(&["import", &good, "--token", "nobody"], "401");
    let report =
        fails(&["import", &file("broken.json", "[{\"user_id\":1,\"course_id\":2},{")], "the import is not complete");
    assert!(report.contains("1 rows: 1 created"), "what came before the fault was imported: {report}");
    let report = fails(&["import", &file("rows.ndjson", "{}\n\n[]\nx\n")], "3 of 3 rows were refused");
    assert!(
        report.contains("row 2 (line 3): must be an object") && report.contains("row 3 (line 4): is not JSON"),
        "{report}"
    );
    assert_eq!(service.client().all("/in/docebo/enrollments").await.len(), 1);
}

use tidings_harness::Table;

use crate::support::{Client, Service, run, tidings};

#[test]
fn help_names_every_command() {
    let (status, help, _) = run(&mut tidings(&["--help"]));
    assert!(status.success());
    for command in ["serve", "token", "keys", "table", "openapi", "--port", "--data", "--memory", "--endpoint"] {
        assert!(help.contains(command), "no {command}: {help}");
    }
}

#[tokio::test]
async fn a_token_is_good_at_the_service_of_its_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let service = Service::start(folder.path(), &[]);
    let token = |arguments: &[&str]| {
        let (status, token, error) = run(&mut tidings(&[&["token", "--data", data], arguments].concat()));
        assert!(status.success(), "{error}");
        token.trim().to_owned()
    };
    let status = async |token: &str| Client::new(&service.url, token).get("/webhook").await.status;
    assert_eq!(status(&token(&[])).await, 200);
    assert_eq!(status(&token(&["--org", "org_2dmHlPBrNdbSXHkUrzEyTQ3mEXz", "--role", "admin"])).await, 200);
    assert_eq!(status(&token(&["--app", "app_2dmHlPBrNdbSXHkUrzEyTQ3mEXz"])).await, 403);
    assert_eq!(status(&token(&["--expires", "0s"])).await.as_u16() / 100, 2, "within the leeway of clocks");
}

#[test]
fn a_token_that_cannot_be_is_refused_with_a_reason() {
    for (arguments, part) in [
        (vec!["token", "--org", "acme"], "org_"),
        (vec!["token", "--role", "god"], "admin"),
        (vec!["token", "--expires", "soon"], "--expires"),
    ] {
        let (status, _, error) = run(&mut tidings(&arguments));
        assert!(!status.success());
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_beside_a_running_service_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let keys = |arguments: &[&str]| {
        let (status, text, error) = run(&mut tidings(&[&["keys"], arguments, &["--data", &data]].concat()));
        (status.success(), text, error)
    };
    let create = |description: &str| {
        let (made, text, error) = keys(&["create", "--description", description]);
        assert!(made, "{error}");
        let mut lines = text.lines();
        (lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned())
    };
    let (_, first_key) = create("before");
    let service = Service::start(folder.path(), &[]);
    let (second, second_key) = create("beside");
    for key in [&first_key, &second_key] {
        assert_eq!(Client::new(&service.url, key).get("/webhook").await.status, 200);
    }
    let listed = keys(&["list"]).1;
    assert!(listed.contains("before") && listed.contains("beside") && !listed.contains("tdk_"), "{listed}");

    assert!(keys(&["revoke", &second]).0);
    let again = keys(&["revoke", &second]);
    assert!(!again.0 && again.2.contains("404"), "{again:?}");
    drop(service);
    let again = keys(&["revoke", &second]);
    assert!(!again.0 && again.2.contains("no key"), "{again:?}");
    assert!(!keys(&["list"]).1.contains("beside"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_table_is_made_and_described_at_an_endpoint() {
    let table = Table::start().await;
    let command = |action: &str| {
        let mut command = tidings(&["table", action, "--endpoint", &table.url()]);
        command.envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")]);
        command.env("TABLE_NAME", "another");
        run(&mut command)
    };
    let (status, _, error) = command("describe");
    assert!(!status.success() && error.contains("there is no table another"), "{error}");
    assert!(command("create").1.contains("created the table another"));
    assert!(command("create").1.contains("was there already"));
    let described = command("describe").1;
    assert!(described.contains("ACTIVE") && described.contains("gsi1"), "{described}");
}

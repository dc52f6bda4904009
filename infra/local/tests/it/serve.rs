use std::time::{Duration, Instant};

use tidings_harness::{Plan, Receiver, Reply, Table, wait_until};

use crate::support::{Client, Service, job, run, tidings};

const STEADY: (&str, &str) = ("FAILURE_PROBABILITY", "0");

#[tokio::test]
async fn the_banner_shows_urls_a_token_and_a_curl_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Plan::status(200)).await;
    let service = Service::start(folder.path(), &[]);
    for part in ["/docs", "/openapi.json", "curl -i", "/webhook", "-d '{\"providers\""] {
        assert!(service.banner.contains(part), "no {part}: {}", service.banner);
    }
    // The body of the banner's own `curl`, with a receiver that can be asked.
    let body = service.banner.split("-d '").nth(1).unwrap().split('\'').next().unwrap();
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["callbackUrl"] = receiver.url().into();

    let accepted = service.client().post("/webhook", &body).await;
    assert_eq!(accepted.status, 201, "{accepted:?}");
    let id = accepted.body["jobId"].as_str().unwrap();
    let read = async || service.client().get(&format!("/webhook/{id}")).await.body;
    // Half of the mock's answers are failures, and a failed try waits for a minute: most jobs need none.
    if read().await["attempts"] == 0 {
        wait_until("the first try ends", Duration::from_secs(20), async || read().await["attempts"] != 0).await;
    }
    let read = read().await;
    if read["status"] == "complete" {
        assert_eq!(receiver.deliveries_of(id).len(), 1);
        assert_eq!(receiver.deliveries_of(id)[0].json()["data"].as_array().unwrap().len(), 2);
    } else {
        assert!(read["lastError"].as_str().unwrap().contains("answered with status 500"), "{read}");
    }
}

#[tokio::test]
async fn without_a_command_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::spawn(&mut tidings(&["--port", "0", "--data", folder.path().to_str().unwrap()]));
    assert_eq!(service.client().get("/api/v1/health").await.status, 204);
}

#[tokio::test]
async fn health_docs_and_openapi_need_no_credential_and_everything_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), &[]);
    let stranger = Client::new(&service.url, "nobody");
    for (path, status) in [("/api/v1/health", 204), ("/docs", 200), ("/openapi.json", 200), ("/webhook", 401)] {
        assert_eq!(stranger.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn data_survives_a_restart_and_memory_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &[STEADY]);
    let url = format!("{}/complete", service.url);
    let id = service.client().post("/webhook", &job(&url)).await.body["jobId"].as_str().unwrap().to_owned();
    let token = service.token.clone();
    service.kill();
    let service = Service::start(folder.path(), &[STEADY]);
    let client = Client::new(&service.url, &token);
    assert_eq!(client.get(&format!("/webhook/{id}")).await.status, 200, "the old token, the old job");

    let memory = Service::spawn(&mut tidings(&["serve", "--port", "0", "--memory"]));
    assert_eq!(memory.client().get(&format!("/webhook/{id}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_that_is_asked_to_stop_finishes_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Reply::After(Duration::from_millis(800), Box::new(Reply::Status(200)));
    let receiver = Receiver::start(Plan::always(slow)).await;
    let mut service = Service::start(folder.path(), &[STEADY]);
    let accepted = service.client().post("/webhook", &job(&receiver.url())).await;
    let id = accepted.body["jobId"].as_str().unwrap().to_owned();
    receiver.wait_for(1).await;
    assert!(service.terminate().success());

    let service = Service::start(folder.path(), &[STEADY]);
    assert_eq!(service.client().get(&format!("/webhook/{id}")).await.body["status"], "complete");
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn an_open_connection_does_not_keep_it_alive() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &[]);
    let address = service.url.strip_prefix("http://").unwrap();
    let _idle = std::net::TcpStream::connect(address).unwrap();
    let asked = Instant::now();
    assert!(service.terminate().success());
    assert!(asked.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_taken_port_is_said_to_be_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, _, error) = run(&mut tidings(&["serve", "--memory", "--port", &port]));
    assert!(!status.success());
    assert!(error.contains(&format!("cannot listen on 127.0.0.1:{port}")) && error.contains("--port"), "{error}");
}

#[test]
fn an_unwritable_folder_is_named_with_what_helps() {
    let (status, _, error) = run(&mut tidings(&["serve", "--port", "0", "--data", "/dev/null/data"]));
    assert!(!status.success());
    assert!(error.contains("/dev/null/data") && error.contains("--memory"), "{error}");
}

#[test]
fn a_folder_in_use_is_said_to_be_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _service = Service::start(folder.path(), &[]);
    let (status, _, error) = run(&mut tidings(&["serve", "--port", "0", "--data", folder.path().to_str().unwrap()]));
    assert!(!status.success());
    assert!(error.contains("in use by another process"), "{error}");
}

#[test]
fn every_wrong_setting_is_reported_at_once() {
    let mut command = tidings(&["serve", "--memory", "--port", "0"]);
    command.env("GRACE_SECONDS", "soon").env("JOB_RETRY_SCHEDULE", "x").env("TIDINGS_JWT_SECRET", "short");
    let (status, _, error) = run(&mut command);
    assert!(!status.success());
    for name in ["GRACE_SECONDS", "JOB_RETRY_SCHEDULE", "TIDINGS_JWT_SECRET"] {
        assert!(error.contains(name), "no {name}: {error}");
    }
}

#[tokio::test]
async fn another_engine_is_used_by_its_endpoint() {
    let table = Table::start().await;
    let mut command = tidings(&["serve", "--port", "0", "--endpoint", &table.url()]);
    command.envs([STEADY, ("GRACE_SECONDS", "1"), ("AWS_REGION", "us-east-1")]);
    command.envs([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("TABLE_NAME", Table::NAME)]);
    let service = Service::spawn(&mut command);
    let client = service.client();
    let url = format!("{}/complete", service.url);
    let id = client.post("/webhook", &job(&url)).await.body["jobId"].as_str().unwrap().to_owned();
    // There is no stream, so this is the schedule's work.
    wait_until("the job is complete", Duration::from_secs(10), async || {
        client.get(&format!("/webhook/{id}")).await.body["status"] == "complete"
    })
    .await;
}

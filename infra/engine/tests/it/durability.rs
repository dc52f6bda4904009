//! Files: what is acknowledged stays, and the file has one owner.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tidings_engine::{Engine, OpenError, Storage};

use crate::support::{create_table, get, item, put};

/// Tells the test binary, started again, that it is the one to be killed.
const CHILD: &str = "ENGINE_TEST_DATABASE";

/// On the disk that holds the build: a memory file system would make syncs free.
fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(path: &Path) -> Engine {
    Engine::open(Storage::File(path.to_owned())).unwrap()
}

#[tokio::test]
async fn data_survives_reopening_and_closing_leaves_no_log() {
    let folder = folder();
    let path = folder.path().join("new").join("tidings.db");
    let engine = open(&path);
    let client = engine.client();
    create_table(&client).await;
    put(&client, item("a", "1", 7)).await;
    assert!(engine.syncs() >= 2);
    engine.close().await;
    assert!(!path.with_file_name("tidings.db-wal").exists());

    let engine = open(&path);
    assert_eq!(get(&engine.client(), "a", "1").await.unwrap(), item("a", "1", 7));
}

#[tokio::test]
async fn dropping_the_last_handle_lets_go_of_the_file() {
    let folder = folder();
    let path = folder.path().join("tidings.db");
    let engine = open(&path);
    let client = engine.client();
    drop(engine);
    create_table(&client).await;
    drop(client);
    crate::support::eventually("the lock is gone", || Engine::open(Storage::File(path.clone())).is_ok()).await;
}

#[tokio::test]
async fn a_second_engine_on_the_same_file_is_refused() {
    let folder = folder();
    let path = folder.path().join("tidings.db");
    let first = open(&path);
    let error = Engine::open(Storage::File(path.clone())).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is in use by another process"));
    first.close().await;
    open(&path);
}

#[test]
fn what_is_no_database_or_no_folder_is_refused() {
    let folder = folder();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are notes, and long enough to be a header").unwrap();
    let error = Engine::open(Storage::File(text.clone())).unwrap_err();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert!(fs::read_to_string(&text).unwrap().starts_with("these"));

    let below_a_file = text.join("tidings.db");
    let error = Engine::open(Storage::File(below_a_file)).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");

    let error = Engine::open(Storage::File(folder.path().to_owned())).unwrap_err();
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_share_syncs() {
    let folder = folder();
    let engine = open(&folder.path().join("tidings.db"));
    let client = engine.client();
    create_table(&client).await;
    let before = engine.syncs();
    let writers = (0..64).map(|writer| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in 0..10 {
                put(&client, item(&format!("w{writer}"), &number.to_string(), number)).await;
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let syncs = engine.syncs() - before;
    assert!(syncs > 0, "writes were answered without a sync");
    assert!(syncs < 640, "{syncs} syncs for 640 writes");
}

/// The process that is killed; nothing in an ordinary run of the tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let engine = open(Path::new(&path));
    let client = engine.client();
    create_table(&client).await;
    let writers = (0..8).map(|writer| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in 0.. {
                put(&client, item(&format!("w{writer}"), &number.to_string(), number)).await;
                println!("acknowledged w{writer} {number} .");
            }
        })
    });
    futures::future::join_all(writers).await;
}

#[tokio::test]
async fn a_killed_process_keeps_every_acknowledged_write() {
    let folder = folder();
    let path = folder.path().join("tidings.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["durability::child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        // The last line may be cut off.
        if let ["acknowledged", writer, number, "."] = words.as_slice() {
            acknowledged.push((writer.to_string(), number.to_string()));
        }
        if acknowledged.len() == 500 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= 500, "{}", acknowledged.len());
    let client = open(&path).client();
    for (writer, number) in acknowledged {
        assert!(get(&client, &writer, &number).await.is_some(), "{writer} {number}");
    }
}

//! Ad hoc.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, clippy::disallowed_methods, missing_docs, reason="x")]
use std::sync::atomic::{AtomicUsize, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use aws_sdk_dynamodb::types::*;
use tidings_engine::*;

#[path = "../tests/it/support.rs"]
#[allow(dead_code, unused_imports, reason="x")]
mod support;
use support::*;

fn cpu() -> f64 {
    let t = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = t.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn threads() -> String {
    let mut out = String::new();
    for d in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = d.unwrap().path();
        let Ok(t) = std::fs::read_to_string(p.join("stat")) else {continue};
        let name = t.split('(').nth(1).unwrap().split(')').next().unwrap().to_owned();
        let f: Vec<&str> = t.rsplit(')').next().unwrap().split_whitespace().collect();
        let c = (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0;
        out += &format!("{name}={c:.2} ");
    }
    out
}

async fn run(storage: Storage, what: &'static str, clients: usize, feed: bool, secs: f64) {
    let file = matches!(storage, Storage::File(_));
    let engine = Engine::open(storage).unwrap();
    let client = engine.client();
    create_table(&client).await;
    let got = Arc::new(AtomicUsize::new(0));
    if feed {
        let feed = engine.feed(FeedOptions { queue: 1_000_000, ..FeedOptions::default() });
        let got = got.clone();
        tokio::spawn(feed.run(move |e| { got.fetch_add(e.records.len(), Ordering::Relaxed); async { vec![] } }));
    }
    let count = Arc::new(AtomicUsize::new(0));
    let micros = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let c0 = cpu();
    let s0 = engine.syncs();
    let end = start + Duration::from_secs_f64(secs);
    let tasks: Vec<_> = (0..clients).map(|w| {
        let client = client.clone();
        let count = count.clone();
        let micros = micros.clone();
        tokio::spawn(async move {
            let body = "x".repeat(900);
            let mut i = 0u64;
            while Instant::now() < end {
                i += 1;
                let pk = format!("p{w}-{}", i / 50);
                let mut it = item(&pk, &format!("{i:09}"), i as i64);
                it.insert("owner".into(), s(format!("o{w}")));
                it.insert("body".into(), s(body.clone()));
                let t = Instant::now();
                match what {
                    "put" => put(&client, it).await,
                    "put-new" => { client.put_item().table_name(TABLE).set_item(Some(it)).condition_expression("attribute_not_exists(pk)").send().await.unwrap(); }
                    "update" => { client.update_item().table_name(TABLE).set_key(Some(key(&format!("p{w}"), "1"))).update_expression("ADD #v :o").expression_attribute_names("#v","value").expression_attribute_values(":o", n(1)).send().await.unwrap(); }
                    "update-exists" => { 
                        if i == 1 { put(&client, item(&format!("p{w}"), "1", 0)).await }
                        client.update_item().table_name(TABLE).set_key(Some(key(&format!("p{w}"), "1"))).condition_expression("attribute_exists(pk)").update_expression("ADD #v :o").expression_attribute_names("#v","value").expression_attribute_values(":o", n(1)).send().await.unwrap(); }
                    "get" => { if i == 1 { put(&client, item("g", "1", 0)).await } get(&client, "g", "1").await.unwrap(); }
                    "batch2" => {
                        let mk = |it| WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(it)).build().unwrap()).build();
                        let entry = item(&format!("DUE#{}", w % 16), &format!("{w}-{i}"), 1);
                        client.batch_write_item().request_items(TABLE, vec![mk(it), mk(entry)]).send().await.unwrap();
                    }
                    "transact2" => {
                        let mk = |it| TransactWriteItem::builder().put(Put::builder().table_name(TABLE).set_item(Some(it)).build().unwrap()).build();
                        let entry = item(&format!("DUE#{}", w % 16), &format!("{w}-{i}"), 1);
                        client.transact_write_items().transact_items(mk(it)).transact_items(mk(entry)).send().await.unwrap();
                    }
                    _ => panic!(),
                }
                micros.fetch_add(t.elapsed().as_micros() as u64, Ordering::Relaxed);
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    }).collect();
    for t in tasks { t.await.unwrap(); }
    let el = start.elapsed().as_secs_f64();
    let n = count.load(Ordering::Relaxed);
    println!("{:6} {what:13} clients={clients:2} feed={feed:5} {:6.0}/s  mean {:6.0}us  cpu/op {:4.0}us  ops/sync {:.1}  fed {} | {}", if file {"file"} else {"memory"}, n as f64 / el, micros.load(Ordering::Relaxed) as f64 / n as f64, (cpu()-c0)/n as f64*1e6, n as f64 / (engine.syncs()-s0).max(1) as f64, got.load(Ordering::Relaxed), threads());
    engine.close().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let what: &'static str = Box::leak(args[1].clone().into_boxed_str());
    for file in [false, true] {
        for feed in [false, true] {
            for clients in [1, 16, 64] {
                let dir = tempfile::TempDir::new_in("/work/main/target").unwrap();
                let storage = if file { Storage::File(dir.path().join("x.db")) } else { Storage::Memory };
                run(storage, what, clients, feed, 2.0).await;
            }
        }
    }
}

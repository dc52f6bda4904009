//! The engine over HTTP.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use tidings_engine::{Engine, FeedOptions, Storage, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::{create_table, get, item, put};

#[tokio::test]
async fn requests_over_http_reach_the_same_engine() {
    let engine = Engine::open(Storage::Memory).unwrap();
    let feed = engine.feed(FeedOptions::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, engine.clone(), async {
        let _ = stopped.await;
    }));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .endpoint_url(url)
        .build();
    let client = Client::from_conf(config);
    create_table(&client).await;
    put(&client, item("a", "1", 7)).await;
    assert_eq!(get(&engine.client(), "a", "1").await.unwrap(), item("a", "1", 7));
    assert_eq!(feed.stats().waiting(), 1);
    assert!(client.describe_table().table_name("absent").send().await.is_err());
    drop(client);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

//! Proxies that the environment names are not used: they would choose the destination in the guard's place.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Command;

use crate::server::{Server, egress, get};

#[tokio::test]
async fn an_answer_comes_from_the_destination_itself() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ndirect").await;

    let answer = egress().send(get(server.url("/"))).await.unwrap();

    assert_eq!(answer.body, "direct");
}

/// The environment belongs to the process, so the test above is run in one of its own.
#[test]
fn a_proxy_from_the_environment_is_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxies::an_answer_comes_from_the_destination_itself"]);
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &url);
    }

    let output = command.output().unwrap();

    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(proxy.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

//! Servers that do as they are told, and the egress that may reach them.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method};
use ipnet::IpNet;
use tidings_egress::{Egress, Lookup, Options, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A server on loopback that runs `script` for each connection. It ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start<F, D>(script: F) -> Self
    where
        F: Fn(TcpStream) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(stream));
            }
        });
        Self { address, connections }
    }

    /// Answers every request of a connection with `answer`, as it stands.
    pub(crate) async fn answering(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::start(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                while read_head(&mut stream).await.is_some() {
                    if stream.write_all(answer.as_bytes()).await.is_err() || answer.contains("connection: close") {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) fn url_by_name(&self, name: &str) -> Url {
        format!("http://{name}:{}/", self.address.port()).parse().unwrap()
    }
}

/// The head of the next request, or `None` at the end of the connection.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

pub(crate) fn get(url: Url) -> Request {
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: Duration::from_secs(10),
        body_limit: 1024,
    }
}

/// An egress that reaches 127.0.0.1, and nothing else that is not public.
pub(crate) fn egress() -> Egress {
    egress_with(Options { allow: vec![ip("127.0.0.1").into()], ..Options::default() })
}

pub(crate) fn egress_with(options: Options) -> Egress {
    Egress::new(options).unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A DNS server that somebody else runs: one answer after the other, then none.
pub(crate) struct Answers {
    left: Mutex<VecDeque<Vec<IpAddr>>>,
}

impl Answers {
    pub(crate) fn of(answers: &[&[&str]]) -> Arc<Self> {
        let left = answers.iter().map(|answer| answer.iter().copied().map(ip).collect()).collect();
        Arc::new(Self { left: Mutex::new(left) })
    }

    pub(crate) fn left(&self) -> usize {
        self.left.lock().unwrap().len()
    }
}

impl Lookup for Answers {
    fn lookup(&self, _host: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let answer = self.left.lock().unwrap().pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such host")) })
    }
}

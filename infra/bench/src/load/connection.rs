//! The least HTTP client that does: on the same cores as the service, what the clients cost is in every figure.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), line: String::new(), body: Vec::new() })
    }

    /// Sends a whole request, and reads the answer: status and body. It must have a `content-length`.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.get_mut().write_all(request).await?;
        let status_line = self.next_line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("no status line")?;
        let mut length = None;
        loop {
            let line = self.next_line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        self.body.resize(length.context("no content-length")?, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok((status, &self.body))
    }

    async fn next_line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line).await?;
        anyhow::ensure!(read > 0, "the service closed the connection");
        Ok(self.line.trim_end())
    }
}

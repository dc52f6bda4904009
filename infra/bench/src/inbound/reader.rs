//! Asking what became of webhooks.

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use tidings_domain::Timestamp;
use tokio::time::sleep;

use crate::load::{Connection, LOOK, Server};

/// Of a list.
const PAGE: usize = 250;

/// Asks what became of webhooks.
pub(super) struct Reader<'a> {
    server: &'a Server,
    pub(super) connection: Connection,
}

impl<'a> Reader<'a> {
    pub(super) async fn open(server: &'a Server) -> anyhow::Result<Self> {
        Ok(Self { server, connection: Connection::open(server.address).await? })
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        let request = self.server.request("GET", path, &format!("Bearer {}", self.server.token), "");
        let (status, body) = self.connection.send(&request).await?;
        anyhow::ensure!(status == 200, "{path}: {status}: {}", String::from_utf8_lossy(body));
        Ok(serde_json::from_slice(body)?)
    }

    /// So many elements of a list, from its beginning.
    pub(super) async fn all(&mut self, path: &str, count: usize) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut page = self.get(&format!("{path}?limit={PAGE}{next}")).await?;
            let data = page.get_mut("data").and_then(Value::as_array_mut).context("no list")?;
            all.append(data);
            if all.len() >= count || page.get("done") == Some(&Value::Bool(true)) {
                all.truncate(count);
                return Ok(all);
            }
            next = format!("&iterator={}", page.get("iterator").and_then(Value::as_str).context("no iterator")?);
        }
    }

    /// Waits until a transaction is computed: the one that was answered last, so that the lists need not be read meanwhile.
    pub(super) async fn wait_for(&mut self, id: &str) -> anyhow::Result<()> {
        while self.get(&format!("/in/docebo/transactions/{id}")).await?.get("status") != Some(&json!("computed")) {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// When each of the latest transactions was received and computed, once all are.
    pub(super) async fn computed(&mut self, count: usize) -> anyhow::Result<HashMap<String, (Timestamp, Timestamp)>> {
        loop {
            let list = self.all("/in/docebo/transactions", count).await?;
            let failed = list.iter().find(|one| one.get("status") == Some(&json!("failed")));
            anyhow::ensure!(failed.is_none(), "a webhook could not be computed: {failed:?}");
            let times = list.iter().filter_map(times).collect::<HashMap<_, _>>();
            if times.len() == count {
                return Ok(times);
            }
            sleep(10 * LOOK).await;
        }
    }
}

/// A transaction's id, when it was received, and when it was computed, if it is.
fn times(transaction: &Value) -> Option<(String, (Timestamp, Timestamp))> {
    let time = |name| serde_json::from_value(transaction.get(name)?.clone()).ok();
    Some((transaction.get("id")?.as_str()?.to_owned(), (time("receivedAt")?, time("computedAt")?)))
}

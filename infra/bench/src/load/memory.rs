//! The most memory that processes had, by looking again and again.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::process_time;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) struct Watch {
    most: JoinHandle<anyhow::Result<f64>>,
    stop: oneshot::Sender<()>,
}

pub(crate) fn watch(pids: Vec<u32>) -> Watch {
    let (stop, mut stopped) = oneshot::channel::<()>();
    let now = move || pids.iter().map(|pid| process_time::memory_mb(*pid)).sum::<anyhow::Result<f64>>();
    let most = tokio::spawn(async move {
        let mut most = now()?;
        while timeout(LOOK, &mut stopped).await.is_err() {
            most = most.max(now()?);
        }
        Ok(most)
    });
    Watch { most, stop }
}

impl Watch {
    pub(crate) async fn stop(self) -> anyhow::Result<f64> {
        drop(self.stop);
        self.most.await?
    }
}

//! Telling connections what happened.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use futures::StreamExt as _;
use tidings_domain::connection::{Connection, ConnectionId};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::Reference;
use tidings_store::StoreError;
use tidings_store::stream::Change;
use tidings_telemetry::{chain, ignore};
use tokio::time::sleep;
use tracing::{error, warn};

use crate::announcement::{Announcement, read};
use crate::conversation::OVER;
use crate::frame::Told;
use crate::outbox::{Letter, Outbox};
use crate::{Context, PostError, Posted, live};

/// Connections that are written to at once.
const AT_ONCE: usize = 64;

/// A connection that is younger may not be open yet: its handshake waits for the answer.
const YOUNG: Duration = Duration::from_secs(5);

/// Pause before a new connection is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Records of failed batches that are remembered: more than a batch has.
const REMEMBERED: usize = 1000;

/// What became of a letter.
enum Ended {
    Delivered,
    Lost,
}

/// Tells of a batch. A record that cannot be read is named, and so is the first one whose listeners could not be found
/// out; what stands behind that one was not looked at and comes again with it.
pub(crate) async fn announce(context: &Context, changes: Vec<Change>) -> Vec<String> {
    let mut outbox = Outbox::default();
    let (mut failed, mut told) = (Vec::new(), Vec::new());
    for change in changes {
        let record = match change {
            Change::Record(record) => record,
            Change::Unreadable { sequence_number, problem } => {
                error!(sequence_number, problem, "a record of the stream cannot be read");
                failed.push(sequence_number);
                continue;
            }
        };
        let number = record.change.sequence_number.clone().unwrap_or_default();
        if context.was_told(&number) {
            continue;
        }
        match context.address(&mut outbox, *record).await {
            Ok(()) => told.push(number),
            Err(Unaddressed::Unreadable(problem)) => {
                error!(sequence_number = number, error = chain(&problem), "a record of the stream cannot be read");
                failed.push(number);
            }
            Err(Unaddressed::Store(problem)) => {
                warn!(error = chain(&problem), "cannot find out who listens: the rest of the batch comes again");
                failed.push(number);
                break;
            }
        }
    }
    context.deliver(outbox).await;
    if !failed.is_empty() {
        context.remember(told);
    }
    failed
}

enum Unaddressed {
    Unreadable(tidings_store::DecodeError),
    Store(StoreError),
}

impl Context {
    /// Finds out whom a change concerns.
    async fn address(&self, outbox: &mut Outbox, record: EventRecord) -> Result<(), Unaddressed> {
        match read(record).map_err(Unaddressed::Unreadable)? {
            Announcement::Opened(connection) => outbox.greet(&connection),
            Announcement::Happened { organization, application, event } => {
                self.tell(outbox, organization, application, &event).await.map_err(Unaddressed::Store)?;
            }
            Announcement::Nothing => {}
        }
        Ok(())
    }

    async fn tell(
        &self,
        outbox: &mut Outbox,
        organization: OrganizationId,
        application: ApplicationId,
        event: &live::Event,
    ) -> Result<(), StoreError> {
        let store = &self.options.store;
        let now = self.options.clock.now();
        let listeners = store.cached_listeners(organization, now).await?;
        if listeners.is_empty() {
            return Ok(());
        }
        // Of an application that is gone nobody is told: who may know of it cannot be told any more.
        let Some(application) = store.cached_application(organization, &Reference::Id(application), now).await? else {
            return Ok(());
        };
        let told = Told::new(event);
        for connection in listeners.iter().filter(|connection| connection.hears(&application, now)) {
            outbox.tell(connection, &told);
        }
        Ok(())
    }

    async fn deliver(&self, outbox: Outbox) {
        let lost = futures::stream::iter(outbox.into_letters())
            .map(|letter| self.send(letter))
            .buffer_unordered(AT_ONCE)
            .filter(|ended| std::future::ready(matches!(ended, Ended::Lost)))
            .count()
            .await;
        if lost > 0 {
            warn!(connections = lost, "some connections were not told");
        }
    }

    async fn send(&self, letter: Letter) -> Ended {
        let Letter { connection, greets, frames } = letter;
        if let (Some(caller), Some(credential)) = (&connection.caller, &connection.credential) {
            match self.options.credentials.still_good(caller, credential).await {
                Ok(true) => {}
                Ok(false) => {
                    self.end(&connection, OVER).await;
                    return Ended::Delivered;
                }
                Err(problem) => {
                    warn!(error = chain(&problem), "cannot find out whether a credential was taken back");
                    return Ended::Lost;
                }
            }
        }
        let mut tries = if greets { self.options.greetings.max(1) } else { 1 };
        for frame in &frames {
            match self.post(&connection.id, frame, &mut tries).await {
                Ok(Posted::Sent) => {}
                Ok(Posted::Gone) => {
                    self.drop_gone(&connection).await;
                    return Ended::Delivered;
                }
                Err(problem) => {
                    warn!(error = chain(&problem), "a connection was not told");
                    return Ended::Lost;
                }
            }
        }
        Ended::Delivered
    }

    /// Tries a connection that may not be open yet again.
    async fn post(&self, id: &ConnectionId, frame: &str, tries: &mut u32) -> Result<Posted, PostError> {
        loop {
            *tries -= 1;
            let posted = self.options.connections.post(id, frame).await?;
            if posted == Posted::Sent || *tries == 0 {
                *tries = 1;
                return Ok(posted);
            }
            sleep(PAUSE).await;
        }
    }

    /// Forgets a connection that is gone. One that has only just come may be about to open.
    async fn drop_gone(&self, connection: &Connection) {
        if self.options.clock.now().since(connection.created_at) >= YOUNG {
            ignore(self.options.store.delete_connection(&connection.id).await, "it ends with its time");
        }
    }

    fn was_told(&self, number: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|one| one == number)
    }

    /// Lambda sends a failed batch again from its first failure on; what was told of it is not told twice.
    fn remember(&self, numbers: Vec<String>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(numbers.into_iter().filter(|number| !number.is_empty()));
        let beyond = told.len().saturating_sub(REMEMBERED);
        let kept: VecDeque<String> = told.drain(beyond..).collect();
        *told = kept;
    }
}

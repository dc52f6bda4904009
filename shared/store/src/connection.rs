//! Connections that get live updates: each a partition of its own, for it is found by its name. The index lists an
//! organization's.

mod item;

use aws_sdk_dynamodb::types::ReturnValue;
use tidings_domain::Timestamp;
use tidings_domain::connection::{Connection, ConnectionId};
use tidings_domain::ids::OrganizationId;
use tidings_domain::page::{Order, Position};

pub use self::item::from_image;
use self::item::{connection_item, decode};
use crate::batch::Write;
use crate::list::{List, Walk};
use crate::query::key_of;
use crate::{Store, StoreError, keys};

/// Entries of the index that one query looks at.
const PAGE: usize = 1000;

/// Entries that are looked at to find one that is good.
const FEW: usize = 10;

/// Whether a connection is an organization's, and its time not over. What is read may be newer than what the index had.
fn listens(connection: &Connection, organization: OrganizationId, now: Timestamp) -> bool {
    let is_theirs = connection.caller.as_ref().is_some_and(|caller| caller.organization == organization);
    is_theirs && now < connection.until
}

impl Store {
    /// Writes a connection, new or as it is now.
    pub async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let written = self.write(vec![Write::put(connection_item(connection))?]).await;
        let organization = connection.caller.as_ref().map(|caller| caller.organization);
        self.forget_listener(&connection.id, organization);
        written
    }

    /// A connection, whether its time is over or not. One consistent read.
    pub async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        Ok(self.item(&keys::connection(id)).await?.map(decode).transpose()?)
    }

    /// Deletes a connection, if it is there.
    pub async fn delete_connection(&self, id: &ConnectionId) -> Result<(), StoreError> {
        let key = keys::connection(id).attributes();
        let sent = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .set_key(Some(key))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        let before = sent.as_ref().ok().and_then(|answer| answer.attributes.clone()).and_then(|old| decode(old).ok());
        let organization = before.and_then(|connection| connection.caller).map(|caller| caller.organization);
        self.forget_listener(id, organization);
        sent?;
        Ok(())
    }

    /// Whether an organization has a connection whose time is not over. It stops at the first: mostly one query of the index
    /// and one batch of reads, however many there are.
    pub(crate) async fn has_listener(&self, organization: OrganizationId, now: Timestamp) -> Result<bool, StoreError> {
        let partition = keys::connection_index_partition(organization);
        let list = List { is_index: true, partition, prefix: "" };
        let mut walk = Walk::new(list, None::<Position<ConnectionId>>, Order::Ascending);
        while !walk.is_over() {
            let wanted: Vec<_> = walk.next(self, FEW).await?.iter().filter_map(key_of).collect();
            for (_, stored) in self.read(&wanted).await? {
                if listens(&decode(stored)?, organization, now) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// An organization's connections whose time is not over. One query of the index and batches of reads.
    pub async fn listeners(&self, organization: OrganizationId, now: Timestamp) -> Result<Vec<Connection>, StoreError> {
        let partition = keys::connection_index_partition(organization);
        let list = List { is_index: true, partition, prefix: "" };
        let mut walk = Walk::new(list, None::<Position<ConnectionId>>, Order::Ascending);
        let mut wanted = Vec::new();
        while !walk.is_over() {
            wanted.extend(walk.next(self, PAGE).await?.iter().filter_map(key_of));
        }
        let mut found = Vec::new();
        for (_, stored) in self.read(&wanted).await? {
            found.push(decode(stored)?);
        }
        found.retain(|connection| listens(connection, organization, now));
        found.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(found)
    }
}

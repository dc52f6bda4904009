//! Removing what a deleted application owned.

use tidings_domain::ids::{ApplicationId, OrganizationId};

use crate::batch::Write;
use crate::expression::s;
use crate::query::key_of;
use crate::{Store, StoreError, keys};

impl Store {
    /// Removes the endpoints of a deleted application, their uids, its messages and broadcasts, in pages, as long as `until`
    /// does not say that the time is over. Whether nothing is left; if something is, the next call goes on with it.
    ///
    /// Attempts, `eventId`s and counters stand in other partitions and expire by themselves. A message that a process
    /// accepted within the seconds that it remembers the application can come after the purge; nobody finds it,
    /// and it expires, too.
    pub async fn purge_application(
        &self,
        organization: OrganizationId,
        application: ApplicationId,
        until: impl Fn() -> bool,
    ) -> Result<bool, StoreError> {
        // Ids are not used twice, so this would be a mistake of ours, and the worst one.
        if self.item(&keys::application(organization, application)).await?.is_some() {
            tracing::error!(application.id = %application, "an application that is there is not purged");
            return Ok(true);
        }
        let own = keys::application_partition(organization, application);
        let broadcasts = keys::broadcast_partition(organization, application);
        Ok(self.purge_partition(&own, &until).await? && self.purge_partition(&broadcasts, &until).await?)
    }

    async fn purge_partition(&self, partition: &str, until: &impl Fn() -> bool) -> Result<bool, StoreError> {
        while !until() {
            let page = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", keys::PK)
                .expression_attribute_names("#sk", keys::SK)
                .expression_attribute_values(":pk", s(partition))
                .projection_expression("#pk, #sk")
                .consistent_read(true)
                .limit(PAGE)
                .send()
                .await?;
            let is_last = page.last_evaluated_key.is_none();
            let found = page.items.unwrap_or_default();
            let writes = found.iter().filter_map(key_of).map(Write::delete).collect::<Result<_, _>>()?;
            self.write(writes).await?;
            if is_last {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Items that are removed between two looks at the clock.
const PAGE: i32 = 100;

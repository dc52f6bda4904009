//! Sources: asked for before every inbound webhook is read.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::ids::{OrganizationId, SourceId};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::source::Source;
use tokio::time::timeout;

use crate::{Store, StoreError};

/// How long a sender waits for a source to be read that is known as it was a little earlier. It has little patience, and its
/// webhook is yet to be written.
const PATIENCE: Duration = Duration::from_millis(500);

/// How old a source may be that is used because the table is slow. With the time that a sender is answered in it is less
/// than the fifteen seconds after which a source's records get the end that it says now.
const OLDEST: Duration = Duration::from_secs(6);

/// How long it is remembered whose a uid was, to look there first.
const UID_KEPT: Duration = Duration::from_secs(60);

/// What a source is asked for by: a reference within an organization, or, at the open door, its id alone.
pub(super) type Asked = (Option<OrganizationId>, Reference<SourceId>);

impl Store {
    /// A source of this organization, as it was at most three seconds ago, or, while the table is slow, six; that there is
    /// none is kept, too.
    pub async fn cached_source(
        &self,
        organization: OrganizationId,
        reference: &Reference<SourceId>,
        now: Timestamp,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        self.kept_source((Some(organization), reference.clone()), now).await
    }

    /// A source of whatever organization, as it was at most three seconds ago, or, while the table is slow, six; that there
    /// is none is kept, too.
    pub async fn cached_source_by_id(&self, id: SourceId, now: Timestamp) -> Result<Option<Arc<Source>>, StoreError> {
        self.kept_source((None, Reference::Id(id)), now).await
    }

    async fn kept_source(&self, asked: Asked, now: Timestamp) -> Result<Option<Arc<Source>>, StoreError> {
        let kept = &self.cache.sources;
        let forgotten = match kept.get(&asked, now) {
            Ok(source) => return Ok(source),
            Err(forgotten) => forgotten,
        };
        // Not that there was none: who makes a source tells its sender, who comes soon.
        let before = kept.get_within(OLDEST, &asked, now).flatten();
        let mut reading = pin!(self.asked_source(&asked, now));
        let source = match (timeout(PATIENCE, &mut reading).await, before) {
            (Ok(source), _) => source?,
            (Err(_), Some(before)) => return Ok(Some(before)),
            (Err(_), None) => reading.await?,
        };
        let source = source.map(Arc::new);
        kept.keep(asked.clone(), source.clone(), 1, now, forgotten);
        Ok(source)
    }

    async fn asked_source(&self, asked: &Asked, now: Timestamp) -> Result<Option<Source>, StoreError> {
        match asked {
            (Some(organization), Reference::Uid(uid)) => self.source_of_kept_uid(*organization, uid, now).await,
            (Some(organization), reference) => self.source(*organization, reference).await,
            (None, Reference::Id(id)) => self.source_by_id(*id).await,
            (None, Reference::Uid(_)) => Ok(None),
        }
    }

    /// Whose a uid is changes seldom, and the source says whether it still has it: mostly one read in the place of two.
    async fn source_of_kept_uid(
        &self,
        organization: OrganizationId,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<Option<Source>, StoreError> {
        let kept = &self.cache.source_uids;
        let key = (organization, uid.clone());
        let is_its = |source: &Source| source.organization == organization && source.uid.as_ref() == Some(uid);
        if let Some(id) = kept.get_within(UID_KEPT, &key, now) {
            let source = self.source_by_id(id).await?.filter(is_its);
            if source.is_some() {
                return Ok(source);
            }
        }
        let forgotten = kept.get(&key, now).err();
        let Some(id) = self.source_with_uid(organization, uid).await? else { return Ok(None) };
        // At once: a request that is given up before it reads the source has less to read when it comes again.
        if let Some(forgotten) = forgotten {
            kept.keep(key, id, 1, now, forgotten);
        }
        Ok(self.source_by_id(id).await?.filter(is_its))
    }

    /// A source was written: what it was, and that there was none of its names.
    pub(crate) fn forget_source(&self, written: &Source) {
        let Source { id, organization, uid, .. } = written;
        self.cache.sources.forget_where(|(within, reference), source| {
            let is_its_name = || {
                let name = reference.to_string();
                name == id.to_string() || uid.as_ref().is_some_and(|uid| uid.as_str() == name)
            };
            let is_it = source.as_ref().is_some_and(|source| source.id == *id);
            is_it || (within.is_none_or(|within| within == *organization) && is_its_name())
        });
    }
}

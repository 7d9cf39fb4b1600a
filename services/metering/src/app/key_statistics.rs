//! How each provider key fared, and when it was last used.

use futures::future::try_join_all;
use jiff::Timestamp;
use keyward_money::BasisPoints;
use keyward_runtime::{page, time};

use super::App;
use super::access::Access;
use super::sums::{page_of, period, place};
use crate::MeteringError;
use crate::domain::filter::{Filter, Hour};
use crate::domain::requester::Requester;
use crate::domain::sums::{Dimension, Dimensions, GroupSum};
use crate::store::RecordQuery;

/// What keys are told apart by: those that came with their requests have no id.
const KEYS: [Dimension; 3] = [
    Dimension::ProviderKey,
    Dimension::Provider,
    Dimension::KeySource,
];

/// Keys that are asked for.
#[derive(Debug, Clone)]
pub(crate) struct KeysRequest {
    pub(crate) account: String,
    pub(crate) filter: Filter,
    pub(crate) page_size: u32,
    pub(crate) page_token: String,
}

/// How a key fared.
#[derive(Debug, Clone)]
pub(crate) struct KeyStatistics {
    pub(crate) sum: GroupSum,
    /// When the last attempt with it was dispatched; `None` where its record is not kept any more.
    pub(crate) last_used: Option<Timestamp>,
}

/// A page of keys.
#[derive(Debug, Clone)]
pub(crate) struct KeysPage {
    pub(crate) keys: Vec<KeyStatistics>,
    pub(crate) next_page_token: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// The markup of the reader's tier now, as in sums.
    pub(crate) markup: BasisPoints,
}

impl App {
    /// How the keys fared that an account used.
    pub(crate) async fn key_statistics(
        &self,
        requester: &Requester,
        asked: KeysRequest,
    ) -> Result<KeysPage, MeteringError> {
        let access = self.access(requester, &asked.account).await?;
        let after = place(&asked.page_token)?;
        let hours = period(&asked.filter, time::now())?;
        let filter = &asked.filter;
        let sums = self.sums_of(&access, hours, filter.clone(), KEYS.into());
        let groups = sums.await?.groups;
        let size = page::size(asked.page_size);
        let (groups, next_page_token) = page_of(groups, after.as_ref(), size);
        let keys = groups.into_iter().map(async |sum| {
            let last_used = self.last_used(&access, hours, filter, &sum).await?;
            Ok::<_, MeteringError>(KeyStatistics { sum, last_used })
        });
        Ok(KeysPage {
            keys: try_join_all(keys).await?,
            next_page_token,
            start: hours.0.start(),
            end: hours.1.start(),
            markup: self.current_tiers().markup(&requester.tier),
        })
    }

    /// Sums say in which hour it was, so that few records are looked at.
    async fn last_used(
        &self,
        access: &Access,
        hours: (Hour, Hour),
        filter: &Filter,
        key: &GroupSum,
    ) -> Result<Option<Timestamp>, MeteringError> {
        let of_key = Filter {
            provider_key_id: key.group.provider_key_id.clone(),
            provider: key.group.provider.clone(),
            key_source: key.group.key_source,
            ..filter.clone()
        };
        let by: Dimensions = [Dimension::Hour].into();
        let newest = self.sums_of(access, hours, of_key.clone(), by).await?;
        let newest = newest.groups.first().and_then(|newest| newest.group.hour);
        let Some(hour) = newest.map(Hour::new) else {
            return Ok(None);
        };
        let records = self.store.records(RecordQuery {
            account: access.key,
            user_uid: access.only_user,
            inference_id: None,
            filter: Filter {
                start: Some(hour.start()),
                end: Some(Hour::new(hour.get() + 1).start()),
                ..of_key
            },
            before: None,
            limit: 1,
        });
        let last = records.await?.into_iter().next();
        Ok(last.map(|record| record.event.dispatched(record.time)))
    }
}

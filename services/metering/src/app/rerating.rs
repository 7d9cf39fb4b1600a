//! What past usage would have cost by a version of the price book. A report: it reads what was
//! measured, and changes nothing.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use keyward_money::{BasisPoints, Prices};
use keyward_runtime::time;
use uuid::Uuid;

use super::App;
use super::sums::period;
use crate::MeteringError;
use crate::domain::account::AccountKey;
use crate::domain::filter::Filter;
use crate::domain::receipt::Record;
use crate::domain::requester::Requester;
use crate::domain::rerating::Rerated;
use crate::store::RecordQuery;

/// Who stands for every account.
const EVERYBODY: &str = "-";

/// How many records are read at once.
const PAGE: u32 = 1_000;

/// The most records of a report: they are priced one by one while somebody waits.
const RECORDS_MAX: u64 = 1_000_000;

/// A model at a provider.
pub(crate) type Place = (String, String);

/// A report that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct RerateRequest {
    pub(crate) account: String,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    /// The one in force where 0.
    pub(crate) price_version: u64,
    /// Each record's own markup where empty.
    pub(crate) tier: String,
}

/// The report.
#[derive(Debug, Clone)]
pub(crate) struct Rerating {
    pub(crate) price_version: u64,
    /// By model and provider, the dearest first.
    pub(crate) models: Vec<(Place, Rerated)>,
    pub(crate) total: Rerated,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl App {
    /// Prices what was used in a period anew.
    pub(crate) async fn rerate(
        &self,
        requester: &Requester,
        asked: RerateRequest,
    ) -> Result<Rerating, MeteringError> {
        let filter = Filter {
            start: asked.start,
            end: asked.end,
            ..Filter::default()
        };
        let (first, last) = period(&filter, time::now())?;
        let start = asked.start.unwrap_or_else(|| first.start());
        let end = asked.end.unwrap_or_else(|| last.start());
        let markup = self.markup_asked(&asked.tier)?;
        let accounts = if asked.account == EVERYBODY {
            if !requester.is_platform_admin {
                return Err(MeteringError::NotAllowed);
            }
            let accounts = self.store.accounts_used(first, last).await?;
            accounts
                .into_iter()
                .map(|account| (account, None))
                .collect()
        } else {
            let access = self.access(requester, &asked.account).await?;
            vec![(access.key, access.only_user)]
        };
        let price_version = match asked.price_version {
            0 => self.book().prices.version,
            version => version,
        };
        let mut report = Report {
            prices: self.prices_by_place(price_version).await?,
            markup,
            models: BTreeMap::new(),
            read: 0,
        };
        for account in accounts {
            self.rerate_account(account, (start, end), &mut report)
                .await?;
        }
        let (models, total) = report.finish();
        Ok(Rerating {
            price_version,
            models,
            total,
            start,
            end,
        })
    }

    fn markup_asked(&self, tier: &str) -> Result<Option<BasisPoints>, MeteringError> {
        if tier.is_empty() {
            return Ok(None);
        }
        let tiers = self.current_tiers();
        let known = tiers.get(tier).ok_or(MeteringError::NotFound("tier"))?;
        Ok(Some(known.terms.markup))
    }

    async fn prices_by_place(&self, version: u64) -> Result<PricesByPlace, MeteringError> {
        let rows = self.store.price_rows(version).await?;
        if rows.is_empty() {
            return Err(MeteringError::NotFound("price version"));
        }
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| ((row.model, row.provider), row.prices))
            .collect())
    }

    async fn rerate_account(
        &self,
        (account, user_uid): (AccountKey, Option<Uuid>),
        (start, end): (Timestamp, Timestamp),
        report: &mut Report,
    ) -> Result<(), MeteringError> {
        let mut query = RecordQuery {
            account,
            user_uid,
            inference_id: None,
            filter: Filter {
                start: Some(start),
                end: Some(end),
                ..Filter::default()
            },
            before: None,
            limit: PAGE,
        };
        loop {
            let page = self.store.records(query.clone()).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            query.before = Some(last.place);
            for record in &page {
                report.add(record)?;
            }
        }
    }
}

type PricesByPlace = HashMap<Place, Prices>;

/// What has been added up so far.
struct Report {
    prices: PricesByPlace,
    markup: Option<BasisPoints>,
    models: BTreeMap<Place, Rerated>,
    read: u64,
}

impl Report {
    fn add(&mut self, record: &Record) -> Result<(), MeteringError> {
        self.read += 1;
        if self.read > RECORDS_MAX {
            let message = format!(
                "there are more than {RECORDS_MAX} records: name a shorter period or one account"
            );
            return Err(MeteringError::invalid("start_time", message));
        }
        let message = &record.event.message;
        let place = (message.model.clone(), message.provider.clone());
        let rerated = Rerated::of(record, self.prices.get(&place), self.markup);
        self.models.entry(place).or_default().add(&rerated);
        Ok(())
    }

    fn finish(self) -> (Vec<(Place, Rerated)>, Rerated) {
        let mut total = Rerated::default();
        for rerated in self.models.values() {
            total.add(rerated);
        }
        let mut models: Vec<_> = self.models.into_iter().collect();
        models.sort_by_key(|(_, rerated)| std::cmp::Reverse(rerated.new_list_cost));
        (models, total)
    }
}

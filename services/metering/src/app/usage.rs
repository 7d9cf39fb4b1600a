//! Usage records and receipts.

use futures::future::try_join_all;
use keyward_money::Prices;
use keyward_proto::metering::v1::{RecordUsageRequest, UsageEvent};
use keyward_runtime::{page, time};
use prost::Message as _;

use super::App;
use crate::MeteringError;
use crate::domain::charging::price_own_key;
use crate::domain::event::{EVENT_BYTES_MAX, Event};
use crate::domain::filter::Filter;
use crate::domain::ledger::{NewRecord, QuarantineReason, Reject};
use crate::domain::receipt::{Record, RecordPlace, Summary, served, summarize};
use crate::domain::requester::{Requester, Visibility};
use crate::store::RecordQuery;

/// What became of a batch of reported attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Every event of the batch up to this sequence is stored.
    pub(crate) sequence: u64,
}

/// The records of a page where none are asked for, and the most: so many that a list of all of them
/// does not take a call for every few.
const PAGE_SIZE_DEFAULT: u32 = 50;
const PAGE_SIZE_MAX: u32 = 1_000;

/// Records that are asked for.
#[derive(Debug, Clone)]
pub(crate) struct RecordsRequest {
    pub(crate) account: String,
    pub(crate) inference_id: String,
    pub(crate) filter: Filter,
    pub(crate) page_size: u32,
    pub(crate) page_token: String,
}

/// Everything about one request.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) attempts: Vec<Record>,
    pub(crate) summary: Summary,
    pub(crate) prices: Option<Prices>,
}

impl App {
    /// Stores attempts that never had a hold. What cannot be counted is put aside and acknowledged
    /// all the same: sent again it would be no better, and it must not stop what comes after it.
    pub(crate) async fn record_usage(
        &self,
        batch: Vec<RecordUsageRequest>,
    ) -> Result<Recorded, MeteringError> {
        let sequence = batch
            .iter()
            .map(|request| request.sequence)
            .max()
            .unwrap_or(0);
        let mut records = Vec::with_capacity(batch.len());
        for request in batch {
            match Event::parse(&request.request_id, request.event.clone(), None) {
                Ok(event) => records.push(self.price_record(event)),
                Err(error) => self.reject(request, &error).await?,
            }
        }
        let posting = records.into_iter().map(async |record| {
            let event = record.event.clone();
            Ok::<_, MeteringError>((event.id, self.post(record, &event, None).await?))
        });
        for (event_id, posted) in try_join_all(posting).await? {
            // What was put aside is acknowledged: sent again it would be no better.
            if let Err(fault @ MeteringError::AccountFrozen) = self.recorded(event_id, None, posted)
            {
                return Err(fault);
            }
        }
        Ok(Recorded { sequence })
    }

    fn price_record(&self, event: Event) -> NewRecord {
        let book = self.book();
        let prices = book
            .prices
            .get(&event.message.provider, &event.message.model);
        let priced = price_own_key(&event, prices);
        let price_version = if priced.list_cost.is_some() {
            book.prices.version
        } else {
            0
        };
        NewRecord {
            event,
            priced,
            price_version,
            time: time::now(),
        }
    }

    async fn reject(
        &self,
        request: RecordUsageRequest,
        error: &crate::domain::event::InvalidEvent,
    ) -> Result<(), MeteringError> {
        self.meters.quarantined(QuarantineReason::Malformed);
        tracing::error!(
            event.id = %request.request_id.escape_default(),
            %error,
            "an incomplete usage event is kept in quarantine and not counted"
        );
        let mut body = request
            .event
            .as_ref()
            .map(UsageEvent::encode_to_vec)
            .unwrap_or_default();
        body.truncate(EVENT_BYTES_MAX);
        let reject = Reject {
            event_id: request.request_id.chars().take(64).collect(),
            hold_id: None,
            reason: QuarantineReason::Malformed,
            body,
            time: time::now(),
        };
        Ok(self.store.quarantine(reject).await?)
    }

    /// A page of an account's usage records, newest first.
    pub(crate) async fn usage_records(
        &self,
        requester: &Requester,
        asked: RecordsRequest,
    ) -> Result<(Vec<Record>, String), MeteringError> {
        let access = self.access(requester, &asked.account).await?;
        self.flush(access.key).await?;
        let size = page::size_within(asked.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
        let query = RecordQuery {
            account: access.key,
            user_uid: access.only_user,
            inference_id: Some(asked.inference_id).filter(|id| !id.is_empty()),
            filter: asked.filter,
            before: place(&asked.page_token)?,
            limit: size + 1,
        };
        let rows = self.store.records(query).await?;
        Ok(page::cut(rows, size, |row| {
            format!("{}.{}", row.place.start_ms, row.place.sequence)
        }))
    }

    /// Everything about one request, if the caller may see it.
    pub(crate) async fn receipt(
        &self,
        requester: &Requester,
        inference_id: &str,
    ) -> Result<Receipt, MeteringError> {
        let visibility = if requester.is_platform_admin {
            self.flush_all().await?;
            Visibility {
                account: None,
                user_uid: None,
            }
        } else {
            let (_, account) = requester
                .billing_account()
                .ok_or(MeteringError::NotFound("request"))?;
            self.flush(account).await?;
            requester.visibility_in(account)
        };
        let attempts = self
            .store
            .attempts(inference_id.to_owned(), visibility)
            .await?;
        let prices = match served(&attempts).and_then(|served| attempts.get(served)) {
            None => return Err(MeteringError::NotFound("request")),
            Some(record) => self.prices_of(record).await?,
        };
        let markup = self.current_tiers().markup(&requester.tier);
        let summary = summarize(&attempts, prices.as_ref(), markup)
            .ok_or(MeteringError::NotFound("request"))?;
        Ok(Receipt {
            attempts,
            summary,
            prices,
        })
    }

    /// The prices that a record was priced by.
    async fn prices_of(&self, record: &Record) -> Result<Option<Prices>, MeteringError> {
        if record.price_version == 0 {
            return Ok(None);
        }
        let message = &record.event.message;
        let (provider, model) = (message.provider.clone(), message.model.clone());
        Ok(self
            .store
            .prices(record.price_version, provider, model)
            .await?)
    }
}

/// Where a page begins after.
fn place(page_token: &str) -> Result<Option<RecordPlace>, MeteringError> {
    let invalid = || MeteringError::invalid("page_token", page::InvalidPageToken);
    let Some(key) = page::key(page_token).map_err(|_| invalid())? else {
        return Ok(None);
    };
    let (start_ms, sequence) = key.split_once('.').ok_or_else(invalid)?;
    let number = |text: &str| text.parse().map_err(|_| invalid());
    Ok(Some(RecordPlace {
        start_ms: number(start_ms)?,
        sequence: number(sequence)?,
    }))
}

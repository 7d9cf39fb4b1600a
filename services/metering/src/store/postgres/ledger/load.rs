//! Reads what a batch names: all of it sent at once, right after the lock.

use std::collections::{BTreeMap, BTreeSet};

use keyward_money::Nanos;
use keyward_storage::postgres::{Asked, Row, Session, ToSql};
use uuid::Uuid;

use super::super::row::{self, corrupt, get, text, time};
use super::super::usage;
use super::holds::{self, LastPrices};
use super::leases;
use crate::domain::account::AccountKey;
use crate::domain::day::Day;
use crate::domain::ledger::{
    Account, Books, Lot, Needs, Period, PeriodKey, Platform, Posting, PostingKey, Transfer,
};
use crate::store::StoreError;

/// Held until the transaction ends: what is written for a shard is written by one at a time, of all
/// meterings, and none has it longer than for a commit. Until then statements are planned anew and go
/// by keys: a plan made while a table was small reads all of it, and is kept while it grows.
const LOCK: &str = "
    SELECT pg_advisory_xact_lock(hashtext('keyward_metering.shard'), $1),
        set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('enable_seqscan', 'off', true),
        set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true)";

const PLATFORM: &str = "SELECT name, balance FROM platform_balance WHERE shard = $1";

const ACCOUNTS: &str = "
    SELECT name, balance, held, leased, frozen FROM account WHERE name = ANY ($1)";

const LOTS: &str = "
    SELECT account, lot_id, remaining, priority, expire_ms FROM lot WHERE account = ANY ($1)";

const POSTINGS: &str = "
    SELECT transfer.* FROM posting JOIN transfer
        ON transfer.day = posting.day AND transfer.transfer_id = posting.transfer_id
    WHERE (posting.account, posting.request_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))";

const PERIODS: &str = "
    SELECT budget_id, start_ms, amount_limit, spent, held FROM budget_period
    WHERE (budget_id, start_ms) IN (SELECT * FROM unnest($1::uuid[], $2::bigint[]))";

/// Begins a batch's transaction, with the shard locked and what it names in the books.
pub(super) async fn books(
    session: &mut Session,
    shard: u16,
    needs: &Needs,
) -> Result<Books, StoreError> {
    let named = Named::of(shard, needs);
    let answers = session.begin_with(named.asked()).await?;
    let mut books = Books::default();
    let mut answers = answers.into_iter().skip(1);
    let mut next = || answers.next().unwrap_or_default();
    fill(&mut books, &next(), platform)?;
    fill(&mut books, &next(), account)?;
    fill(&mut books, &next(), lot)?;
    if !needs.holds.is_empty() {
        let mut prices = LastPrices::default();
        fill(&mut books, &next(), |books, row| {
            hold(books, row, &mut prices)
        })?;
    }
    if !needs.leases.is_empty() {
        fill(&mut books, &next(), lease)?;
    }
    for _ in &named.events {
        fill(&mut books, &next(), event)?;
    }
    if !needs.postings.is_empty() {
        fill(&mut books, &next(), |books, row| posting(books, row, needs))?;
    }
    periods(session, &mut books, needs).await?;
    Ok(books)
}

fn fill(
    books: &mut Books,
    rows: &[Row],
    mut read: impl FnMut(&mut Books, &Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    rows.iter().try_for_each(|row| read(books, row))
}

/// What is named, as statements take it.
#[derive(Debug)]
struct Named<'a> {
    shard: i32,
    accounts: Vec<String>,
    holds: Vec<Uuid>,
    leases: Vec<Uuid>,
    /// By their days.
    events: BTreeMap<i32, Vec<Uuid>>,
    posting_accounts: Vec<String>,
    posting_ids: Vec<std::borrow::Cow<'a, str>>,
}

impl<'a> Named<'a> {
    fn of(shard: u16, needs: &'a Needs) -> Self {
        let postings = needs.postings.iter();
        let mut events: BTreeMap<i32, Vec<Uuid>> = BTreeMap::new();
        for id in &needs.events {
            events.entry(Day::of_id(*id).get()).or_default().push(*id);
        }
        Self {
            shard: shard.into(),
            accounts: needs.accounts.iter().map(AccountKey::to_string).collect(),
            holds: needs.holds.iter().copied().collect(),
            leases: needs.leases.iter().copied().collect(),
            events,
            posting_accounts: postings.clone().map(|(who, _)| who.to_string()).collect(),
            posting_ids: postings.map(|(_, id)| text(id)).collect(),
        }
    }

    fn asked(&self) -> Vec<Asked<'_>> {
        let mut asked: Vec<Asked<'_>> = vec![
            (LOCK, vec![&self.shard]),
            (PLATFORM, vec![&self.shard]),
            (ACCOUNTS, vec![&self.accounts]),
            (LOTS, vec![&self.accounts]),
        ];
        if !self.holds.is_empty() {
            asked.push((holds::READ, vec![&self.holds]));
        }
        if !self.leases.is_empty() {
            asked.push((leases::READ, vec![&self.leases]));
        }
        let events = self.events.iter();
        asked.extend(events.map(|(day, ids)| (usage::STORED, vec![day as _, ids as _])));
        if !self.posting_ids.is_empty() {
            asked.push((POSTINGS, vec![&self.posting_accounts, &self.posting_ids]));
        }
        asked
    }
}

/// Budgets' periods: those that are named, and those that holds are held in.
async fn periods(session: &Session, books: &mut Books, needs: &Needs) -> Result<(), StoreError> {
    let held = books.holds.values().flat_map(|hold| &hold.budgets);
    let mut keys: BTreeSet<PeriodKey> = held.map(|budget| budget.period).collect();
    keys.extend(&needs.periods);
    if keys.is_empty() {
        return Ok(());
    }
    let rows = read_periods(session, keys.iter()).await?;
    fill(books, &rows, period)
}

/// What budgets have seen in these periods, in the same order; `None` for nothing yet.
pub(super) async fn periods_of(
    session: &Session,
    keys: &[PeriodKey],
) -> Result<Vec<Option<Period>>, StoreError> {
    let rows = read_periods(session, keys.iter()).await?;
    let mut books = Books::default();
    fill(&mut books, &rows, period)?;
    let found = keys.iter().map(|key| books.periods.get(key).copied());
    Ok(found.collect())
}

async fn read_periods(
    session: &Session,
    keys: impl Iterator<Item = &PeriodKey> + Clone,
) -> Result<Vec<Row>, StoreError> {
    let budgets: Vec<Uuid> = keys.clone().map(|key| key.budget_id).collect();
    let starts: Vec<i64> = keys.map(|key| key.start.as_millisecond()).collect();
    let values: [&(dyn ToSql + Sync); 2] = [&budgets, &starts];
    Ok(session.query(PERIODS, &values).await?)
}

fn platform(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let name: String = get(row, "name")?;
    let named = Platform::ALL
        .into_iter()
        .find(|platform| platform.name() == name);
    let platform = named.ok_or(corrupt("account"))?;
    books
        .platform
        .insert(platform, Nanos::new(get(row, "balance")?));
    Ok(())
}

fn account(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let account = Account {
        balance: Nanos::new(get(row, "balance")?),
        held: Nanos::new(get(row, "held")?),
        leased: Nanos::new(get(row, "leased")?),
        lots: Vec::new(),
        frozen: get(row, "frozen")?,
    };
    let key = row::account(&get::<String>(row, "name")?)?;
    books.accounts.insert(key, account);
    Ok(())
}

fn lot(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let key = row::account(&get::<String>(row, "account")?)?;
    let expire_ms: Option<i64> = get(row, "expire_ms")?;
    let lot = Lot {
        id: get(row, "lot_id")?,
        remaining: Nanos::new(get(row, "remaining")?),
        priority: row::small(row, "priority")?,
        expire_time: expire_ms.map(keyward_runtime::time::from_millis),
    };
    books.accounts.entry(key).or_default().lots.push(lot);
    Ok(())
}

fn hold(books: &mut Books, row: &Row, prices: &mut LastPrices) -> Result<(), StoreError> {
    let hold = holds::read(row, prices)?;
    books.holds.insert(hold.request.id, hold);
    Ok(())
}

fn lease(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let lease = leases::read(row)?;
    books.leases.insert(lease.id, lease);
    Ok(())
}

fn event(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let (id, stored) = usage::stored(row)?;
    books.events.insert(id, stored);
    Ok(())
}

/// Under the key by which it was named: a column may have it without a character.
fn posting(books: &mut Books, row: &Row, needs: &Needs) -> Result<(), StoreError> {
    let account = row::account(&get::<String>(row, "account")?)?;
    let request_id: String = get(row, "request_id")?;
    let is_named = |key: &&PostingKey| key.0 == account && text(&key.1) == request_id;
    let key = needs
        .postings
        .iter()
        .find(is_named)
        .ok_or(corrupt("posting"))?;
    let transfer = Transfer {
        id: get(row, "transfer_id")?,
        kind: row::transfer_kind(&get::<String>(row, "kind")?)?,
        account,
        amount: Nanos::new(get(row, "amount")?),
        overrun: Nanos::ZERO,
        late: false,
        event_id: get(row, "event_id")?,
        inference_id: get(row, "inference_id")?,
        request_id: Some(request_id),
        note: get(row, "note")?,
        time: time(row, "post_ms")?,
    };
    let posting = Posting {
        transfer,
        lot: None,
    };
    books.postings.insert(key.clone(), posting);
    Ok(())
}

fn period(books: &mut Books, row: &Row) -> Result<(), StoreError> {
    let key = PeriodKey {
        budget_id: get(row, "budget_id")?,
        start: time(row, "start_ms")?,
    };
    let period = Period {
        limit: Nanos::new(get(row, "amount_limit")?),
        spent: Nanos::new(get(row, "spent")?),
        held: Nanos::new(get(row, "held")?),
    };
    books.periods.insert(key, period);
    Ok(())
}

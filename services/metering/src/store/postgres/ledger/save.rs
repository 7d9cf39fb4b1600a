//! Writes what a batch changed: a statement for each table, all sent at once; what there are many of
//! is copied in after them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use keyward_money::Nanos;
use keyward_storage::postgres::{Asked, CopyRows};
use uuid::Uuid;

use super::super::columns::columns;
use super::super::noted::{Noted, Place};
use super::super::notices::{self, NoticeColumns};
use super::super::partitions::Partitions;
use super::super::row::text;
use super::super::sums::NewSums;
use super::super::usage::{self, AsideColumns, NewUsage};
use super::holds::{self, StateColumns};
use super::leases::{self, LeaseColumns};
use crate::domain::day::Day;
use crate::domain::ledger::{Books, Transfer, TransferKind};
use crate::store::StoreError;

const ACCOUNTS: &str = "
    INSERT INTO account (name, balance, held, leased, frozen)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
    ON CONFLICT (name) DO UPDATE
    SET balance = excluded.balance, held = excluded.held, leased = excluded.leased,
        frozen = excluded.frozen";

const PLATFORM: &str = "
    UPDATE platform_balance SET balance = balance + gained
    FROM unnest($1::text[], $2::bigint[]) AS gains (platform, gained)
    WHERE name = platform AND shard = $3";

const LOTS: &str = "
    INSERT INTO lot (account, lot_id, remaining, priority, expire_ms)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT (account, lot_id) DO UPDATE SET remaining = excluded.remaining";

const EMPTY_LOTS: &str = "
    DELETE FROM lot WHERE (account, lot_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))";

const PERIODS: &str = "
    INSERT INTO budget_period (budget_id, start_ms, amount_limit, spent, held)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT (budget_id, start_ms) DO UPDATE
    SET amount_limit = excluded.amount_limit, spent = excluded.spent, held = excluded.held";

const TRANSFERS: &str = "
    COPY transfer (day, transfer_id, kind, account, amount, overrun, late, event_id,
        inference_id, request_id, note, post_ms)
    FROM STDIN BINARY";

/// Notes where lines of an account are that are listed: before they are copied, so that all have a
/// higher number than the one that is noted.
const TRANSFER_DAYS: &str = "
    INSERT INTO transfer_day (account, post_day, day, first_sequence)
    SELECT account, post_day, day, nextval('transfer_sequence')
    FROM unnest($1::text[], $2::integer[], $3::integer[]) AS new (account, post_day, day)
    ON CONFLICT (account, post_day, day) DO NOTHING";

const POSTINGS: &str = "
    INSERT INTO posting (account, request_id, day, transfer_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::uuid[])";

const REFUNDED: &str = "
    INSERT INTO refunded (event_id, day, amount)
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::bigint[])
    ON CONFLICT (event_id) DO UPDATE SET amount = refunded.amount + excluded.amount";

columns!(AccountColumns of AccountValues<'a> {
    name: String,
    balance: i64,
    held: i64,
    leased: i64,
    frozen: bool,
});

columns!(GainColumns of GainValues<'a> {
    platform: &'a str,
    gained: i64,
});

columns!(LotColumns of LotValues<'a> {
    account: String,
    lot_id: Uuid,
    remaining: i64,
    priority: i64,
    expire_ms: Option<i64>,
});

columns!(EmptyLotColumns of EmptyLotValues<'a> {
    account: String,
    lot_id: Uuid,
});

columns!(PeriodColumns of PeriodValues<'a> {
    budget_id: Uuid,
    start_ms: i64,
    amount_limit: i64,
    spent: i64,
    held: i64,
});

columns!(TransferDayColumns of TransferDayValues<'a> {
    account: String,
    post_day: i32,
    day: i32,
});

columns!(PostingColumns of PostingValues<'a> {
    account: String,
    request_id: Cow<'a, str>,
    day: i32,
    transfer_id: Uuid,
});

columns!(RefundColumns of RefundValues<'a> {
    event_id: Uuid,
    day: i32,
    amount: i64,
});

/// What a batch changed, as statements take it.
#[derive(Debug)]
pub(super) struct Saved<'a> {
    shard: i32,
    accounts: AccountColumns<'a>,
    gains: GainColumns<'a>,
    lots: LotColumns<'a>,
    empty_lots: EmptyLotColumns<'a>,
    periods: PeriodColumns<'a>,
    new_holds: CopyRows,
    holds: StateColumns<'a>,
    leases: LeaseColumns<'a>,
    transfers: CopyRows,
    transfer_days: TransferDayColumns<'a>,
    postings: PostingColumns<'a>,
    refunds: RefundColumns<'a>,
    usage: NewUsage<'a>,
    sums: NewSums<'a>,
    asides: AsideColumns<'a>,
    notices: NoticeColumns<'a>,
}

impl<'a> Saved<'a> {
    pub(super) fn of(
        shard: u16,
        books: &'a Books,
        partitions: &Partitions,
    ) -> Result<Self, StoreError> {
        let changes = &books.changes;
        let new_holds = changes.new_holds.iter();
        let new_holds = new_holds.filter_map(|id| books.holds.get(id));
        let mut saved = Self {
            shard: shard.into(),
            accounts: AccountColumns::default(),
            gains: GainColumns::default(),
            lots: LotColumns::default(),
            empty_lots: EmptyLotColumns::default(),
            periods: PeriodColumns::default(),
            new_holds: holds::copied(new_holds)?,
            holds: StateColumns::default(),
            leases: LeaseColumns::default(),
            transfers: CopyRows::new(TRANSFERS),
            transfer_days: TransferDayColumns::default(),
            postings: PostingColumns::default(),
            refunds: RefundColumns::default(),
            usage: NewUsage::of(&changes.records, &partitions.usage)?,
            sums: NewSums::of(changes),
            asides: usage::aside(&changes.rejects),
            notices: notices::new(&changes.notices)?,
        };
        saved.push_balances(books);
        saved.push_lots(books);
        saved.push_holds(books)?;
        saved.push_transfers(&changes.transfers);
        saved.push_transfer_days(&changes.transfers, &partitions.transfers);
        Ok(saved)
    }

    fn push_balances(&mut self, books: &'a Books) {
        let changed = books.changes.accounts.iter();
        for (key, account) in changed.filter_map(|key| Some((key, books.accounts.get(key)?))) {
            self.accounts.push(AccountValues {
                name: key.to_string(),
                balance: account.balance.get(),
                held: account.held.get(),
                leased: account.leased.get(),
                frozen: account.frozen,
                of: PhantomData,
            });
        }
        for (platform, gained) in &books.changes.platform {
            self.gains.push(GainValues {
                platform: platform.name(),
                gained: gained.get(),
                of: PhantomData,
            });
        }
        let changed = books.changes.periods.iter();
        for (key, period) in changed.filter_map(|key| Some((key, books.periods.get(key)?))) {
            self.periods.push(PeriodValues {
                budget_id: key.budget_id,
                start_ms: key.start.as_millisecond(),
                amount_limit: period.limit.get(),
                spent: period.spent.get(),
                held: period.held.get(),
                of: PhantomData,
            });
        }
    }

    /// An empty lot is kept no longer.
    fn push_lots(&mut self, books: &'a Books) {
        for (key, id) in &books.changes.lots {
            let lots = books.accounts.get(key).map(|account| &account.lots);
            let lot = lots.and_then(|lots| lots.iter().find(|lot| lot.id == *id));
            match lot.filter(|lot| lot.remaining > Nanos::ZERO) {
                Some(lot) => self.lots.push(LotValues {
                    account: key.to_string(),
                    lot_id: lot.id,
                    remaining: lot.remaining.get(),
                    priority: lot.priority.into(),
                    expire_ms: lot.expire_time.map(jiff::Timestamp::as_millisecond),
                    of: PhantomData,
                }),
                None => self.empty_lots.push(EmptyLotValues {
                    account: key.to_string(),
                    lot_id: *id,
                    of: PhantomData,
                }),
            }
        }
    }

    fn push_holds(&mut self, books: &'a Books) -> Result<(), StoreError> {
        let changed = books.changes.holds.iter();
        for hold in changed.filter_map(|id| books.holds.get(id)) {
            self.holds.push(holds::state(hold));
        }
        let leases = books.changes.leases.iter();
        for lease in leases.filter_map(|id| books.leases.get(id)) {
            self.leases.push(leases::values(lease)?);
        }
        Ok(())
    }

    fn push_transfer_days(&mut self, transfers: &[Transfer], noted: &Noted) {
        for place in noted.new_among(transfer_days(transfers)) {
            self.transfer_days.push(TransferDayValues {
                account: place.account.to_string(),
                post_day: place.day.get(),
                day: place.partition.get(),
                of: PhantomData,
            });
        }
    }

    fn push_transfers(&mut self, transfers: &'a [Transfer]) {
        let mut refunds: BTreeMap<Uuid, Nanos> = BTreeMap::new();
        for transfer in transfers {
            push(&mut self.transfers, transfer);
            if let Some(request_id) = &transfer.request_id {
                self.postings.push(PostingValues {
                    account: transfer.account.to_string(),
                    request_id: text(request_id),
                    day: Day::of_id(transfer.id).get(),
                    transfer_id: transfer.id,
                    of: PhantomData,
                });
            }
            if let (TransferKind::Refund, Some(event_id)) = (transfer.kind, transfer.event_id) {
                let amount = refunds.entry(event_id).or_default();
                *amount = amount.saturating_add(transfer.amount);
            }
        }
        for (event_id, amount) in refunds {
            self.refunds.push(RefundValues {
                event_id,
                day: Day::of_id(event_id).get(),
                amount: amount.get(),
                of: PhantomData,
            });
        }
    }

    /// The statements that have something to write.
    pub(super) fn asked(&self) -> Vec<Asked<'_>> {
        let mut platform = self.gains.arrays();
        platform.push(&self.shard);
        let each = [
            (self.accounts.is_empty(), ACCOUNTS, self.accounts.arrays()),
            (self.gains.is_empty(), PLATFORM, platform),
            (self.lots.is_empty(), LOTS, self.lots.arrays()),
            (
                self.empty_lots.is_empty(),
                EMPTY_LOTS,
                self.empty_lots.arrays(),
            ),
            (self.periods.is_empty(), PERIODS, self.periods.arrays()),
            (self.holds.is_empty(), holds::UPDATE, self.holds.arrays()),
            (self.leases.is_empty(), leases::PUT, self.leases.arrays()),
            (
                self.transfer_days.is_empty(),
                TRANSFER_DAYS,
                self.transfer_days.arrays(),
            ),
            (self.postings.is_empty(), POSTINGS, self.postings.arrays()),
            (self.refunds.is_empty(), REFUNDED, self.refunds.arrays()),
            (
                self.asides.is_empty(),
                usage::PUT_ASIDE,
                self.asides.arrays(),
            ),
            (
                self.notices.is_empty(),
                notices::INSERT,
                self.notices.arrays(),
            ),
        ];
        let each = each.into_iter().filter(|(is_empty, ..)| !is_empty);
        let each = each.map(|(_, sql, arrays)| (sql, arrays));
        each.chain(self.usage.asked())
            .chain(self.sums.asked())
            .collect()
    }

    /// Rows of which there are many, taken out of it.
    pub(super) fn copied(&mut self) -> [CopyRows; 3] {
        [
            self.new_holds.take(),
            self.transfers.take(),
            self.usage.copied(),
        ]
    }
}

/// On which days accounts have lines that are listed, and in which partitions.
pub(in super::super) fn transfer_days(transfers: &[Transfer]) -> BTreeSet<Place> {
    let listed = transfers.iter();
    let listed = listed.filter(|transfer| transfer.kind != TransferKind::Absorbed);
    let each = listed.map(|transfer| Place {
        account: transfer.account,
        day: Day::of_millis(transfer.time.as_millisecond()),
        partition: Day::of_id(transfer.id),
    });
    each.collect()
}

fn push(rows: &mut CopyRows, transfer: &Transfer) {
    rows.push(&[
        &Day::of_id(transfer.id).get(),
        &transfer.id,
        &transfer.kind.name(),
        &transfer.account.to_string(),
        &transfer.amount.get(),
        &transfer.overrun.get(),
        &transfer.late,
        &transfer.event_id,
        &text(&transfer.inference_id),
        &transfer.request_id.as_deref().map(text),
        &text(&transfer.note),
        &transfer.time.as_millisecond(),
    ]);
}

//! What a record would have cost by other prices. A pure function of what was measured; what is stored
//! stays as it is.

use keyward_money::{BasisPoints, Nanos, Prices};

use super::charging::charge;
use super::event::Outcome;
use super::receipt::Record;

/// What some records cost, and what they would have cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rerated {
    /// Records that the other prices price.
    pub(crate) records: i64,
    /// As it was recorded; nothing where it was unpriced.
    pub(crate) list_cost: Nanos,
    pub(crate) charge: Nanos,
    pub(crate) new_list_cost: Nanos,
    pub(crate) new_charge: Nanos,
    /// Records that they do not price, which count in nothing else but what was charged for them.
    pub(crate) unrated_records: i64,
    pub(crate) unrated_charge: Nanos,
}

impl Rerated {
    /// One record by other prices, and with another markup than its own where one is given. Own keys
    /// stay free, and so do what failed and what was the platform's. What was charged up to a cap stays within it; a cap that
    /// did not bind is not known.
    pub(crate) fn of(
        record: &Record,
        prices: Option<&Prices>,
        markup: Option<BasisPoints>,
    ) -> Self {
        let event = &record.event;
        let markup = markup.unwrap_or(record.markup);
        let cost = prices.and_then(|prices| charge(event, prices, markup).ok());
        let Some(cost) = cost else {
            return Self {
                unrated_records: 1,
                unrated_charge: record.priced.charge,
                ..Self::default()
            };
        };
        let by_credits = event.is_paid_in_credits();
        let is_paid = by_credits && event.outcome == Outcome::Delivered;
        let cap = (!record.priced.absorbed.is_zero()).then_some(record.priced.charge);
        Self {
            records: 1,
            list_cost: record.priced.list_cost.unwrap_or(Nanos::ZERO),
            charge: record.priced.charge,
            new_list_cost: cost.list_cost,
            new_charge: match is_paid {
                true => cost.capped(cap).charged,
                false => Nanos::ZERO,
            },
            ..Self::default()
        }
    }

    /// Adds another.
    pub(crate) fn add(&mut self, other: &Self) {
        let nanos = |sum: &mut Nanos, more: Nanos| *sum = sum.saturating_add(more);
        self.records = self.records.saturating_add(other.records);
        self.unrated_records = self.unrated_records.saturating_add(other.unrated_records);
        nanos(&mut self.list_cost, other.list_cost);
        nanos(&mut self.charge, other.charge);
        nanos(&mut self.new_list_cost, other.new_list_cost);
        nanos(&mut self.new_charge, other.new_charge);
        nanos(&mut self.unrated_charge, other.unrated_charge);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use keyward_proto::metering::v1 as wire;

    use super::*;
    use crate::domain::charging::{Priced, Terms};
    use crate::domain::event::Event;
    use crate::domain::receipt::RecordPlace;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// 900 and 200 tokens, at 2.50 and 10.00 a million with 5 %.
    fn record(source: wire::KeySource, status: wire::AttemptStatus, cap: Option<i64>) -> Record {
        let message = wire::UsageEvent {
            inference_id: ID.to_owned(),
            attempt: 1,
            owner: Some(wire::UsageOwner {
                account: format!("users/{ID}"),
                ..wire::UsageOwner::default()
            }),
            key_source: source.into(),
            status: status.into(),
            usage: Some(wire::Usage {
                input_tokens: 900,
                output_tokens: 200,
                ..wire::Usage::default()
            }),
            ..wire::UsageEvent::default()
        };
        let event = Event::parse(ID, Some(message), None).expect("valid");
        let terms = Terms {
            price_version: 1,
            prices: old(),
            markup: BasisPoints::new(500),
            cap: cap.map(Nanos::new),
        };
        let priced = match source {
            wire::KeySource::System => terms.price(&event).expect("priced"),
            _ => Priced {
                list_cost: Some(Nanos::new(4_250_000)),
                ..Priced::default()
            },
        };
        Record {
            place: RecordPlace {
                start_ms: 0,
                sequence: 1,
            },
            event,
            time: Timestamp::UNIX_EPOCH,
            priced,
            price_version: 1,
            markup: match source {
                wire::KeySource::System => terms.markup,
                _ => BasisPoints::ZERO,
            },
        }
    }

    fn old() -> Prices {
        Prices::per_million(2_500_000_000, 10_000_000_000)
    }

    fn check(record: &Record, prices: &Prices, markup: Option<u32>, expect: (i64, i64)) {
        let rerated = Rerated::of(record, Some(prices), markup.map(BasisPoints::new));
        let found = (rerated.new_list_cost.get(), rerated.new_charge.get());
        assert_eq!(found, expect, "{record:?}");
        assert_eq!(rerated.charge, record.priced.charge);
    }

    #[test]
    fn by_its_own_prices_a_record_costs_what_it_cost() {
        use wire::{AttemptStatus as Status, KeySource as Source};
        for (source, status, cap, charge) in [
            (Source::System, Status::Ok, None, 4_462_500),
            (Source::System, Status::Cut, None, 4_462_500),
            (Source::System, Status::Ok, Some(4_000_000), 4_000_000),
            (Source::System, Status::Failed, None, 0),
            (Source::System, Status::Hedged, None, 0),
            (Source::User, Status::Ok, None, 0),
        ] {
            let record = record(source, status, cap);
            assert_eq!(record.priced.charge.get(), charge);
            check(&record, &old(), None, (4_250_000, charge));
        }
    }

    #[test]
    fn by_other_prices_it_costs_what_they_say() {
        use wire::{AttemptStatus as Status, KeySource as Source};
        let half = Prices::per_million(1_250_000_000, 5_000_000_000);
        let twice = Prices::per_million(5_000_000_000, 20_000_000_000);
        let paid = record(Source::System, Status::Ok, None);
        check(&paid, &half, None, (2_125_000, 2_231_250));
        check(&paid, &half, Some(0), (2_125_000, 2_125_000));
        check(&paid, &old(), Some(1_500), (4_250_000, 4_887_500));
        let capped = record(Source::System, Status::Ok, Some(4_000_000));
        check(&capped, &twice, None, (8_500_000, 4_000_000));
        check(&capped, &half, None, (2_125_000, 2_231_250));
        let own = record(Source::User, Status::Ok, None);
        check(&own, &twice, Some(1_500), (8_500_000, 0));
    }

    #[test]
    fn what_has_no_price_is_counted_apart() {
        let paid = record(wire::KeySource::System, wire::AttemptStatus::Ok, None);
        for prices in [None, Some(&Prices::default())] {
            let rerated = Rerated::of(&paid, prices, None);
            let expect = Rerated {
                unrated_records: 1,
                unrated_charge: Nanos::new(4_462_500),
                ..Rerated::default()
            };
            assert_eq!(rerated, expect);
        }
    }
}

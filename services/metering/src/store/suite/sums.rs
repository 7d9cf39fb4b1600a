//! Sums are what a fold over the records would give, whatever is asked for and however the records
//! came.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyward_money::{BasisPoints, Charge, Nanos};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time as proto_time;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{
    account, event, expire, give, hold, owner, place, run, run_all, settlement, terms, time,
};
use crate::domain::charging::Priced;
use crate::domain::event::{Event, Outcome};
use crate::domain::filter::{Filter, Hour, TagFilter};
use crate::domain::ledger::{NewRecord, VoidHold};
use crate::domain::sums::{Dimension, Group, GroupSum, Sum, TooManyGroups};
use crate::store::{Store, SumQuery, Sums};

const HOUR_MS: i64 = 3_600_000;
const DIMENSIONS: [Dimension; 9] = [
    Dimension::Hour,
    Dimension::Day,
    Dimension::Model,
    Dimension::Provider,
    Dimension::ProviderKey,
    Dimension::User,
    Dimension::Project,
    Dimension::Tag,
    Dimension::KeySource,
];

/// One of a few, so that things meet.
fn few(what: &'static str) -> impl Strategy<Value = String> {
    (0..3_u8).prop_map(move |number| match number {
        0 => String::new(),
        number => format!("{what}-{number}"),
    })
}

fn tags() -> impl Strategy<Value = std::collections::HashMap<String, String>> {
    prop::collection::hash_map("[ab]", "[xy=]{0,2}", 0..3)
}

prop_compose! {
    fn any_event()(
        (who, user, project) in (1..3_u128, 1..3_u128, few("project")),
        (model, provider, key) in (few("model"), few("provider"), few("key")),
        (source, attempt, failed) in (1..6_i32, 1..3_u32, any::<bool>()),
        (hours, tokens, images) in (0..60_i64, 0..50_i64, 0..3_i64),
        tags in tags(),
    ) -> Event {
        let id = Uuid::now_v7().to_string();
        let message = wire::UsageEvent {
            event_id: id.clone(),
            inference_id: id.clone(),
            attempt,
            owner: Some(wire::UsageOwner {
                user_uid: Uuid::from_u128(user).to_string(),
                user: format!("user-{user}"),
                project,
                ..owner(account(who))
            }),
            model,
            provider,
            provider_key_id: key,
            key_source: source,
            status: if failed {
                wire::AttemptStatus::Failed.into()
            } else {
                wire::AttemptStatus::Ok.into()
            },
            usage: Some(wire::Usage {
                input_tokens: tokens,
                output_tokens: 2 * tokens,
                images,
                ..wire::Usage::default()
            }),
            start_time: Some(proto_time::to_proto(time(hours * HOUR_MS + tokens))),
            tags,
            ..wire::UsageEvent::default()
        };
        Event::parse(&id, Some(message), None).expect("valid")
    }
}

fn filters() -> impl Strategy<Value = Filter> {
    let given = |what| prop::option::weighted(0.2, few(what));
    let tag = ("[abc]", prop::option::of("[xy]{0,1}"))
        .prop_map(|(name, value)| TagFilter { name, value });
    (
        (given("model"), given("provider"), given("key")),
        (given("user"), given("project")),
        prop::option::weighted(0.2, 1..6_i32),
        prop::option::weighted(0.3, tag),
    )
        .prop_map(
            |((model, provider, provider_key_id), (user, project), key_source, tag)| Filter {
                model,
                provider,
                key_source,
                provider_key_id,
                user,
                project,
                tag,
                ..Filter::default()
            },
        )
}

fn queries() -> impl Strategy<Value = SumQuery> {
    (
        (1..3_u128, prop::option::weighted(0.2, 1..3_u128)),
        (0..60_i64, 1..60_i64),
        prop::sample::subsequence(DIMENSIONS.to_vec(), 0..4),
        filters(),
    )
        .prop_map(|((who, user), (start, hours), by, filter)| SumQuery {
            account: account(who),
            user_uid: user.map(Uuid::from_u128),
            start: Hour::new(start),
            end: Hour::new(start + hours),
            filter,
            by: by.into_iter().collect(),
            groups_max: 10_000,
        })
}

/// A record as it should count.
struct Fact {
    event: Event,
    priced: Priced,
}

impl Fact {
    fn hour(&self) -> i64 {
        let start = self.event.message.start_time.as_ref().expect("given");
        start.seconds.div_euclid(3_600)
    }

    fn fits(&self, query: &SumQuery) -> bool {
        let message = &self.event.message;
        let owner = message.owner.as_ref().expect("given");
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == actual)
        };
        let uid = query.user_uid.map(|uid| uid.to_string());
        let filter = &query.filter;
        let has_tag = |tag: &TagFilter| {
            let value = message.tags.get(&tag.name);
            value.is_some_and(|value| is(&tag.value, value))
        };
        self.event.account == query.account
            && is(&uid, &owner.user_uid)
            && (query.start.get()..query.end.get()).contains(&self.hour())
            && is(&filter.model, &message.model)
            && is(&filter.provider, &message.provider)
            && is(&filter.provider_key_id, &message.provider_key_id)
            && is(&filter.user, &owner.user)
            && is(&filter.project, &owner.project)
            && filter
                .key_source
                .is_none_or(|source| source == message.key_source)
            && filter.tag.as_ref().is_none_or(has_tag)
    }

    /// The groups that it counts in: one, or one for each tag.
    fn groups(&self, query: &SumQuery) -> Vec<Group> {
        let message = &self.event.message;
        let owner = message.owner.as_ref().expect("given");
        let mut group = Group::default();
        for dimension in &query.by {
            let text = |value: &String| Some(value.clone());
            match dimension {
                Dimension::Hour => group.hour = Some(self.hour()),
                Dimension::Day if group.hour.is_none() => group.hour = Some(self.hour() / 24 * 24),
                Dimension::Day | Dimension::Tag => {}
                Dimension::Model => group.model = text(&message.model),
                Dimension::Provider => group.provider = text(&message.provider),
                Dimension::ProviderKey => group.provider_key_id = text(&message.provider_key_id),
                Dimension::User => group.user = text(&owner.user),
                Dimension::Project => group.project = text(&owner.project),
                Dimension::KeySource => group.key_source = Some(message.key_source),
            }
        }
        if !query.by.contains(&Dimension::Tag) {
            return vec![group];
        }
        let wanted = query.filter.tag.as_ref();
        let tags = message.tags.iter();
        let shown = tags.filter(|(name, _)| wanted.is_none_or(|wanted| wanted.name == **name));
        let mut tags: Vec<String> = shown
            .map(|(name, value)| [&**name, value].join("="))
            .collect();
        if tags.is_empty() {
            tags.push(String::new());
        }
        let with_tag = |tag| Group {
            tag: Some(tag),
            ..group.clone()
        };
        tags.into_iter().map(with_tag).collect()
    }

    fn count(&self, sum: &mut Sum) {
        let usage = &self.event.usage;
        let cost = self.priced.list_cost.map_or(0, Nanos::get);
        let delivered = self.event.outcome == Outcome::Delivered;
        let own = self.event.message.key_source != i32::from(wire::KeySource::System);
        let add = |nanos: &mut Nanos, more: i64| *nanos = Nanos::new(nanos.get() + more);
        sum.requests += i64::from(self.event.message.attempt == 1);
        sum.attempts += 1;
        sum.failed_attempts += i64::from(!delivered);
        sum.unpriced_attempts += i64::from(self.priced.list_cost.is_none());
        sum.usage.input_tokens += usage.input_tokens;
        sum.usage.output_tokens += usage.output_tokens;
        sum.usage.images += usage.images;
        add(&mut sum.list_cost, cost);
        add(&mut sum.charge, self.priced.charge.get());
        add(
            &mut sum.own_key_list_cost,
            if own && delivered { cost } else { 0 },
        );
    }
}

fn fold(facts: &[Fact], query: &SumQuery) -> Sums {
    let mut groups: BTreeMap<Group, Sum> = BTreeMap::new();
    let mut total = Sum::default();
    for fact in facts.iter().filter(|fact| fact.fits(query)) {
        fact.count(&mut total);
        for group in fact.groups(query) {
            fact.count(groups.entry(group).or_default());
        }
    }
    let mut groups: Vec<GroupSum> = groups
        .into_iter()
        .map(|(group, sum)| GroupSum { group, sum })
        .collect();
    groups.sort_by_key(|row| {
        let cost = -row.sum.list_cost.get();
        (row.group.hour.map(|hour| -hour), cost, row.group.clone())
    });
    Sums { groups, total }
}

/// Long after everything was dispatched.
const RECORDED: i64 = 1_000 * HOUR_MS;

fn own_key(event: Event) -> NewRecord {
    let cost = event.usage.input_tokens.saturating_mul(3);
    NewRecord {
        priced: Priced {
            list_cost: (cost % 5 != 0).then(|| Nanos::new(cost)),
            ..Priced::default()
        },
        event,
        price_version: 1,
        time: time(RECORDED),
    }
}

/// Stores a record, some of them through a hold, and now and then a second time.
async fn store_one(store: &impl Store, number: u128, event: Event) -> Fact {
    let again = number.is_multiple_of(3);
    if event.message.key_source() != wire::KeySource::System {
        let record = own_key(event);
        let fact = Fact {
            event: record.event.clone(),
            priced: record.priced,
        };
        for _ in 0..=u8::from(again) {
            run(store, record.clone()).await;
        }
        return fact;
    }
    let id = (1 << 40) + number;
    let mut hold = hold(id, event.account, 5);
    hold.request.owner = event.message.owner.clone().expect("given");
    place(store, hold).await;
    if number.is_multiple_of(4) {
        expire(store, RECORDED, 1_000).await;
    }
    let usage = event.usage;
    let cost = Charge::of(&usage, &terms(None).prices, BasisPoints::ZERO).expect("priced");
    let mut priced = Priced {
        list_cost: Some(cost.list_cost),
        ..Priced::default()
    };
    for _ in 0..=u8::from(again) {
        if event.outcome == Outcome::Failed {
            let void = VoidHold {
                id: Uuid::from_u128(id),
                account: event.account,
                event: Some(event.clone()),
                time: time(RECORDED),
            };
            run(store, void).await;
        } else {
            priced.charge = cost.charge;
            let mut settlement = settlement(event.clone(), id);
            settlement.time = time(RECORDED);
            run(store, settlement).await;
        }
    }
    Fact { event, priced }
}

async fn give_all(store: &impl Store) {
    for who in 1..3 {
        give(store, account(who), 1_000_000, "k").await;
    }
}

pub(crate) async fn sums_are_what_a_fold_of_the_records_gives(store: Arc<impl Store + 'static>) {
    give_all(&*store).await;
    let mut runner = TestRunner::new(Config::default());
    let mut facts = Vec::new();
    for number in 0..400 {
        let event = any_event().new_tree(&mut runner).expect("an event");
        facts.push(store_one(&*store, number, event.current()).await);
    }
    // What is put aside does not count.
    let mut twisted = own_key(facts[0].event.clone());
    twisted.event.usage.input_tokens += 1;
    Arc::make_mut(&mut twisted.event.message).usage = Some(twisted.event.usage.into());
    run(&*store, twisted).await;
    let mut runner = TestRunner::new(Config::default());
    let mut seen = 0;
    for _ in 0..300 {
        let query = queries().new_tree(&mut runner).expect("a query").current();
        let expected = fold(&facts, &query);
        let actual = store.usage_sums(query.clone()).await.expect("works");
        seen += expected.groups.len();
        assert_eq!(actual, Ok(expected), "{query:?}");
    }
    assert!(seen > 300, "most queries find something");
}

fn everything(by: &[Dimension]) -> SumQuery {
    SumQuery {
        account: account(1),
        user_uid: None,
        start: Hour::new(0),
        end: Hour::new(2_000),
        filter: Filter::default(),
        by: by.iter().copied().collect(),
        groups_max: 10,
    }
}

pub(crate) async fn too_many_sums_are_refused(store: Arc<impl Store + 'static>) {
    let records = (0..11).map(|number| {
        let mut record = own_key(event(100 + number, account(1), 1, wire::AttemptStatus::Ok));
        Arc::make_mut(&mut record.event.message).model = format!("model-{number}");
        record
    });
    run_all(&*store, records.collect()).await;
    let by_model = everything(&[Dimension::Model]);
    let refused = store.usage_sums(by_model).await.expect("works");
    assert_eq!(refused, Err(TooManyGroups));
    let one = store.usage_sums(everything(&[])).await.expect("works");
    assert_eq!(one.map(|sums| sums.total.attempts), Ok(11));
}

pub(crate) async fn figures_that_do_not_fit_stop_neither_records_nor_sums(
    store: Arc<impl Store + 'static>,
) {
    for id in [1, 2] {
        let mut record = own_key(event(id, account(1), i64::MAX, wire::AttemptStatus::Ok));
        record.priced.list_cost = Some(Nanos::MAX);
        run(&*store, record).await;
    }
    let sums = store.usage_sums(everything(&[])).await.expect("works");
    let total = sums.expect("one").total;
    assert_eq!((total.attempts, total.list_cost), (2, Nanos::MAX));
    assert_eq!(total.usage.input_tokens, i64::MAX);
}

pub(crate) async fn records_are_listed_by_what_is_asked_for(store: Arc<impl Store + 'static>) {
    give_all(&*store).await;
    let mut runner = TestRunner::new(Config::default());
    let mut facts = Vec::new();
    for number in 0..200 {
        let event = any_event().new_tree(&mut runner).expect("an event");
        facts.push(store_one(&*store, number, event.current()).await);
    }
    for _ in 0..100 {
        let query = queries().new_tree(&mut runner).expect("a query").current();
        let expected: Vec<Uuid> = {
            let mut fitting: Vec<(usize, &Fact)> = facts
                .iter()
                .enumerate()
                .filter(|(_, fact)| fact.fits(&query))
                .collect();
            // Stored in this order; dispatched in another.
            fitting.sort_by_key(|(number, fact)| {
                let start = fact.event.message.start_time.expect("given");
                std::cmp::Reverse((start.seconds, start.nanos, *number))
            });
            fitting.into_iter().map(|(_, fact)| fact.event.id).collect()
        };
        let mut actual = Vec::new();
        let mut before = None;
        loop {
            let page = store.records(crate::store::RecordQuery {
                account: query.account,
                user_uid: query.user_uid,
                inference_id: None,
                filter: Filter {
                    start: Some(query.start.start()),
                    end: Some(query.end.start()),
                    ..query.filter.clone()
                },
                before,
                limit: 7,
            });
            let page = page.await.expect("works");
            actual.extend(page.iter().map(|record| record.event.id));
            match page.last() {
                Some(last) => before = Some(last.place),
                None => break,
            }
        }
        assert_eq!(actual, expected, "{query:?}");
    }
}

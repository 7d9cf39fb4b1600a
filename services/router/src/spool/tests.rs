//! The promises of the spool: nothing that was written is lost whenever the process ends, nothing is
//! there twice, and what cannot be written is refused.

use std::collections::BTreeMap;
use std::fs;

use keyward_proto::metering::v1::UsageOwner;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const NAME: &str = "spool.db";

/// As of a hold that metering placed; none where the id is empty.
fn held_by(hold_id: &str) -> Held {
    Held {
        hold_id: hold_id.to_owned(),
        ..Held::default()
    }
}

struct Rig {
    folder: TempDir,
    spool: Spool,
    gauges: SpoolGauges,
}

impl Rig {
    async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    async fn at(folder: TempDir) -> Self {
        Self::with(folder, SpoolLimits::default()).await
    }

    async fn with(folder: TempDir, limits: SpoolLimits) -> Self {
        let gauges = SpoolGauges::default();
        let opened = Spool::open(&folder.path().join(NAME), limits, gauges.clone()).await;
        Self {
            spool: opened.unwrap(),
            gauges,
            folder,
        }
    }

    /// What a process that is killed at this moment leaves behind, opened by the next one.
    async fn killed(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [NAME.to_owned(), format!("{NAME}-wal")] {
            fs::copy(self.folder.path().join(&name), folder.path().join(&name)).unwrap();
        }
        Self::at(folder).await
    }

    async fn waiting(&self) -> Vec<(i64, Parcel)> {
        let stored = self.spool.events(0, 1_000).await.unwrap();
        let readable = |stored: Stored| (stored.sequence, stored.parcel.unwrap());
        stored.into_iter().map(readable).collect()
    }

    fn report(&self) -> Report {
        report(&self.folder.path().join(NAME)).unwrap().unwrap()
    }
}

fn tokens(input_tokens: i64) -> Usage {
    Usage {
        input_tokens,
        ..Usage::default()
    }
}

fn event(sequence: i64) -> UsageEvent {
    UsageEvent {
        event_id: format!("event-{sequence}"),
        inference_id: format!("request-{sequence}"),
        owner: Some(UsageOwner {
            account: "users/u".to_owned(),
            ..UsageOwner::default()
        }),
        usage: Some(tokens(100)),
        status: 1,
        usage_source: 1,
        ..UsageEvent::default()
    }
}

/// What happens to an attempt.
#[derive(Debug, Clone, Copy)]
enum Step {
    Dispatch { held: bool },
    Deliver(usize, i64),
    Close(usize),
    Acknowledge(usize),
    Refuse(usize),
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq)]
enum Stands {
    Intent {
        hold: String,
        delivered: Option<i64>,
    },
    Event(Box<Parcel>),
    Done,
    Refused,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(|held| Step::Dispatch { held }),
        3 => (any::<usize>(), 101i64..200).prop_map(|(which, tokens)| Step::Deliver(which, tokens)),
        2 => any::<usize>().prop_map(Step::Close),
        1 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<usize>().prop_map(Step::Refuse),
    ]
}

/// Does a step to the spool and to what is expected of it; one that makes no sense is left out.
async fn take(rig: &Rig, expected: &mut BTreeMap<i64, Stands>, step: Step) {
    let spool = &rig.spool;
    let nth = |which: usize| expected.keys().nth(which % expected.len().max(1)).copied();
    let sequence = match step {
        Step::Dispatch { .. } => Some(spool.sequence()),
        Step::Deliver(which, _)
        | Step::Close(which)
        | Step::Acknowledge(which)
        | Step::Refuse(which) => nth(which),
    };
    let Some(sequence) = sequence else { return };
    match (step, expected.get_mut(&sequence)) {
        (Step::Dispatch { held }, _) => {
            let hold = if held {
                format!("hold-{sequence}")
            } else {
                String::new()
            };
            let safety = if held { Safety::Power } else { Safety::Kill };
            let writing = spool
                .intent(sequence, held_by(&hold), &event(sequence), safety)
                .unwrap();
            if let Some(writing) = writing {
                writing.safe().await.unwrap();
            }
            let delivered = None;
            expected.insert(sequence, Stands::Intent { hold, delivered });
        }
        (Step::Deliver(_, seen), Some(Stands::Intent { delivered, .. })) => {
            spool.note_checkpoint(sequence, &tokens(seen));
            *delivered = Some(seen);
        }
        (Step::Close(_), Some(stands @ Stands::Intent { .. })) => {
            let Stands::Intent { hold, .. } = &*stands else {
                return;
            };
            let parcel = Parcel::closing(held_by(hold), event(sequence), true);
            spool.event(sequence, &parcel).await.unwrap();
            *stands = Stands::Event(Box::new(parcel));
        }
        (Step::Acknowledge(_), Some(stands @ Stands::Event(_))) => {
            spool.done(sequence).await;
            *stands = Stands::Done;
        }
        (Step::Refuse(_), Some(stands @ Stands::Event(_))) => {
            spool.refused(sequence, "no").await;
            *stands = Stands::Refused;
        }
        _ => {}
    }
    rig.spool.flushed().await;
}

/// What metering is to be told where the process ends here.
fn to_tell(expected: &BTreeMap<i64, Stands>) -> Vec<(i64, Parcel)> {
    let parcel = |(sequence, stands): (&i64, &Stands)| {
        let parcel = match stands {
            Stands::Intent { hold, delivered } => {
                Parcel::recovered(held_by(hold), event(*sequence), delivered.map(tokens))
            }
            Stands::Event(parcel) => Parcel::clone(parcel),
            Stands::Done | Stands::Refused => return None,
        };
        Some((*sequence, parcel))
    };
    expected.iter().filter_map(parcel).collect()
}

async fn a_killed_process_loses_nothing(steps: Vec<Step>) {
    let rig = Rig::new().await;
    let mut expected = BTreeMap::new();
    for step in steps {
        take(&rig, &mut expected, step).await;
        let next = rig.killed().await;
        next.spool.recover().await.unwrap();
        let told = to_tell(&expected);
        assert_eq!(next.waiting().await, told, "after {step:?}");
        let refused = expected
            .values()
            .filter(|stands| **stands == Stands::Refused);
        assert_eq!(
            next.gauges.quarantined.get(),
            i64::try_from(refused.count()).unwrap()
        );
        assert_eq!(next.gauges.depth.get(), i64::try_from(told.len()).unwrap());
        // Done once, there is nothing left to recover.
        assert_eq!(next.spool.recover().await.unwrap(), 0);
        next.spool.close().await;
    }
    rig.spool.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn whenever_a_process_is_killed_the_next_one_tells_what_is_left(
        steps in proptest::collection::vec(step(), 1..16),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(a_killed_process_loses_nothing(steps));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_and_report_say_what_is_there() {
    let rig = Rig::new().await;
    for sequence in [
        rig.spool.sequence(),
        rig.spool.sequence(),
        rig.spool.sequence(),
    ] {
        let parcel = Parcel::closing(held_by("h"), event(sequence), true);
        rig.spool.event(sequence, &parcel).await.unwrap();
    }
    let flying = rig.spool.sequence();
    rig.spool
        .intent(flying, held_by(""), &event(flying), Safety::Kill)
        .unwrap();
    rig.spool.done(1).await;
    rig.spool.refused(2, "a conflict").await;
    rig.spool.flushed().await;
    let (depth, refused) = (rig.gauges.depth.get(), rig.gauges.quarantined.get());
    assert_eq!((depth, refused), (1, 1));
    let report = rig.report();
    let waiting = Waiting {
        kind: "settle".to_owned(),
        count: 1,
    };
    assert_eq!((report.intents, report.waiting), (1, vec![waiting]));
    assert!(report.oldest.is_some() && report.bytes > 0);
    let refused = &report.refused[0];
    let refused = (
        &*refused.kind,
        &*refused.event_id,
        &*refused.request_id,
        &*refused.reason,
    );
    assert_eq!(refused, ("settle", "event-2", "request-2", "a conflict"));
    rig.spool.show_age().await;
    assert!(rig.gauges.oldest_seconds.get() < 60);
    assert!(super::report(&rig.folder.path().join("no.db")).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_takes_on_nothing_new_and_keeps_what_is_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SpoolLimits {
        rows: 2,
        ..SpoolLimits::default()
    };
    let rig = Rig::with(folder, limits).await;
    for sequence in 1..=2 {
        rig.spool
            .intent(sequence, held_by(""), &event(sequence), Safety::Kill)
            .unwrap();
    }
    rig.spool.flushed().await;
    let refused = rig.spool.intent(3, held_by(""), &event(3), Safety::Kill);
    assert_eq!(refused.unwrap_err(), SpoolError::Full);
    for sequence in 1..=2 {
        let parcel = Parcel::closing(held_by(""), event(sequence), true);
        rig.spool.event(sequence, &parcel).await.unwrap();
    }
    assert_eq!(rig.spool.admits(), Err(SpoolError::Full));
    rig.spool.done(1).await;
    rig.spool.flushed().await;
    assert_eq!(rig.spool.admits(), Ok(()));
    assert_eq!(rig.waiting().await.len(), 1);
}

/// As a full disk does.
async fn pages_at_most(rig: &Rig, pages: u32) {
    let limit = move |connection: &rusqlite::Connection| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let set = connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
        set.map(drop).map_err(StorageError::from)
    };
    rig.spool.database.write(limit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_is_told_and_works_again_once_there_is_room() {
    let rig = Rig::new().await;
    rig.spool
        .intent(1, held_by("h"), &event(1), Safety::Kill)
        .unwrap();
    rig.spool.flushed().await;
    pages_at_most(&rig, 1).await;
    let mut sequence = 2;
    while rig.spool.admits().is_ok() {
        let parcel = Parcel::closing(held_by("h"), event(sequence), true);
        let _ = rig.spool.event(sequence, &parcel).await;
        sequence += 1;
    }
    let refused = rig
        .spool
        .intent(sequence, held_by("h"), &event(sequence), Safety::Power);
    assert_eq!(refused.unwrap_err(), SpoolError::Failing);
    let written = rig.waiting().await;
    assert_eq!(
        written.len(),
        usize::try_from(sequence).unwrap() - 3,
        "all but the last"
    );
    pages_at_most(&rig, u32::MAX).await;
    while rig.spool.admits().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let parcel = Parcel::closing(held_by("h"), event(1), true);
    rig.spool.event(1, &parcel).await.unwrap();
    assert_eq!(rig.waiting().await[0], (1, parcel));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_spool_holds_all_that_was_asked_for() {
    let rig = Rig::new().await;
    let parcel = Parcel::closing(held_by(""), event(1), true);
    rig.spool
        .intent(1, held_by(""), &event(1), Safety::Kill)
        .unwrap();
    rig.spool.note_checkpoint(1, &tokens(7));
    rig.spool.close().await;
    assert_eq!(rig.spool.event(2, &parcel).await, Err(SpoolError::Failing));
    let again = Rig::at(rig.folder).await;
    assert_eq!(again.spool.recover().await.unwrap(), 1);
    let left = Parcel::recovered(held_by(""), event(1), Some(tokens(7)));
    assert_eq!(again.waiting().await, [(1, left)]);
    assert_eq!(again.spool.sequence(), 2, "sequences go on");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::new().await;
    rig.spool.flushed().await;
    for entry in fs::read_dir(rig.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn what_a_lost_router_held_from_a_lease_is_settled_under_it() {
    let rig = Rig::new().await;
    let of_lease = Held {
        lease_id: "l".to_owned(),
        amount: keyward_money::Nanos::new(70),
        ..held_by("h")
    };
    let write = rig
        .spool
        .intent(1, of_lease, &event(1), Safety::Power)
        .unwrap();
    write.unwrap().safe().await.unwrap();
    rig.spool.checkpoint(1, &tokens(7)).await.unwrap();
    let (id, starts) = rig.spool.identity();
    let next = rig.killed().await;
    assert_eq!(next.spool.identity(), (id, starts + 1));
    assert!(!next.spool.earlier_told().await.unwrap());
    assert_eq!(next.spool.recover().await.unwrap(), 1);
    let events = next.spool.events(0, 10).await.unwrap();
    let Some(Parcel::Settle(settle)) = events.into_iter().next().unwrap().parcel else {
        panic!("not a settle");
    };
    assert_eq!((settle.lease_id.as_str(), settle.held_nanos), ("l", 70));
    assert!(!next.spool.earlier_told().await.unwrap());
    next.spool.done(1).await;
    next.spool.flushed().await;
    assert!(next.spool.earlier_told().await.unwrap());
}

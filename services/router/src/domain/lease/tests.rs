use proptest::prelude::*;

use super::*;

fn lease(total: i64) -> Lease {
    let lease = Lease::new("l".into(), "trial".into(), BasisPoints::ZERO, vec![1]);
    lease.granted(Nanos::new(total), 10_000);
    lease
}

fn nanos(amount: i64) -> Nanos {
    Nanos::new(amount)
}

#[test]
fn what_is_lent_is_held_once_until_the_lease_ends() {
    let lease = lease(100);
    assert!(lease.hold(nanos(60), 0) && !lease.hold(nanos(41), 0));
    assert_eq!((lease.free(), lease.in_flight()), (nanos(40), nanos(60)));
    lease.settle(nanos(60), nanos(25));
    assert_eq!((lease.free(), lease.in_flight()), (nanos(75), nanos(0)));
    assert!(lease.hold(nanos(1), 9_999) && !lease.hold(nanos(1), 10_000));
    lease.granted(nanos(100), 20_000);
    assert!(lease.hold(nanos(74), 10_000) && !lease.hold(nanos(1), 10_000));
    lease.granted(nanos(130), 20_000);
    assert_eq!((lease.free(), lease.total()), (nanos(30), nanos(130)));
}

#[test]
fn what_is_charged_beyond_a_hold_is_gone() {
    let lease = lease(100);
    assert!(lease.hold(nanos(90), 0));
    lease.settle(nanos(90), nanos(120));
    assert_eq!(lease.free(), nanos(-20));
    assert!(!lease.hold(nanos(1), 0));
    assert_eq!(
        lease.take_back().0,
        nanos(0),
        "there is nothing to give back"
    );
    lease.granted(nanos(150), 10_000);
    assert!(lease.hold(nanos(30), 0));
}

#[test]
fn a_recalled_lease_gives_back_what_is_free_and_ends_with_its_last_settle() {
    let lease = lease(100);
    assert!(lease.hold(nanos(30), 0));
    lease.recall();
    assert_eq!(lease.take_back(), (nanos(70), false));
    assert!(!lease.hold(nanos(1), 0));
    lease.granted(nanos(110), 10_000);
    assert!(lease.raise(nanos(10)), "a hold that stands may grow");
    lease.telling();
    lease.settle(nanos(40), nanos(15));
    assert_eq!(
        lease.take_back(),
        (nanos(95), false),
        "metering does not know"
    );
    lease.told();
    assert_eq!(lease.take_back(), (nanos(95), true));
}

#[test]
fn no_lease_is_over_under_a_hold_that_was_taken_meanwhile() {
    for _ in 0..2_000 {
        let lease = lease(10);
        let (is_held, (_, is_over)) = std::thread::scope(|scope| {
            let holding = scope.spawn(|| lease.hold(nanos(10), 0));
            lease.recall();
            let back = lease.take_back();
            (holding.join().unwrap(), back)
        });
        assert!(!(is_held && is_over));
    }
}

#[test]
fn many_who_hold_at_the_same_time_hold_no_more_than_there_is() {
    let lease = lease(500);
    let held = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    let is_held = lease.hold(nanos(1), 0);
                    held.fetch_add(u64::from(is_held), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(held.into_inner(), 500);
    assert_eq!((lease.free(), lease.in_flight()), (nanos(0), nanos(500)));
}

proptest! {
    /// Metering has lent what was granted less what was given back and charged: all of that is free
    /// here or in flight, whatever happens in which order.
    #[test]
    fn nothing_is_lost_or_made(steps in proptest::collection::vec((0..5_u8, 0..100_i64), 0..60)) {
        let (lease, mut granted, mut charged, mut holds) = (lease(0), 0, 0, Vec::new());
        for (step, amount) in steps {
            match step {
                0 => {
                    granted += amount;
                    lease.granted(nanos(granted), 10_000);
                }
                1 if lease.hold(nanos(amount), 0) => holds.push(amount),
                2 => {
                    if let Some(held) = holds.pop() {
                        let charge = amount.min(held);
                        lease.settle(nanos(held), nanos(charge));
                        charged += charge;
                    }
                }
                3 => {
                    lease.take_back();
                }
                _ => {}
            }
            let returned = lease.returned.load(Ordering::Relaxed);
            let lent = granted - returned - charged;
            let here = lease.free().get() + lease.in_flight().get();
            prop_assert_eq!(here, lent);
            prop_assert_eq!(lease.in_flight().get(), holds.iter().sum::<i64>());
        }
    }
}

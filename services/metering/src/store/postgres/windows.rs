//! Which partitions a page needs: the days that an account has anything of are looked into from the
//! newest on, few at first and then ever more, so that a page costs what it shows and not what there
//! is.

use crate::domain::day::Day;

/// A day that something happened on, and the partition that some of it lies in.
pub(super) type Pair = (Day, Day);

/// Days that are looked into together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// The oldest day on which it happened.
    pub(super) from: Day,
    /// The partitions, in order.
    pub(super) days: Vec<i32>,
}

/// All windows, newest first, of pairs in any order.
pub(super) fn windows(mut pairs: Vec<Pair>) -> Vec<Window> {
    pairs.sort_unstable_by_key(|(happened, _)| std::cmp::Reverse(*happened));
    let each: Vec<&[Pair]> = pairs.chunk_by(|one, other| one.0 == other.0).collect();
    let (mut windows, mut next, mut size) = (Vec::new(), 0, 1);
    while let Some(some) = each.get(next..each.len().min(next + size)) {
        let Some(from) = some.last().and_then(|last| last.first()) else {
            break;
        };
        let mut days: Vec<i32> = some.iter().copied().flatten().map(|p| p.1.get()).collect();
        days.sort_unstable();
        days.dedup();
        windows.push(Window { from: from.0, days });
        (next, size) = (next + size, size * 2);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ever_more_days_are_looked_into_together_from_the_newest_on() {
        let pair = |(happened, day)| (Day::new(happened), Day::new(day));
        let window = |from, days: &[i32]| Window {
            from: Day::new(from),
            days: days.to_vec(),
        };
        let check = |pairs: &[(i32, i32)], expect: &[Window]| {
            let pairs = pairs.iter().copied().map(pair).collect();
            assert_eq!(windows(pairs), expect);
        };
        check(&[], &[]);
        check(&[(5, 5)], &[window(5, &[5])]);
        check(
            &[
                (5, 6),
                (9, 9),
                (5, 5),
                (9, 0),
                (8, 9),
                (7, 7),
                (1, 1),
                (6, 6),
            ],
            &[
                window(9, &[0, 9]),
                window(7, &[7, 9]),
                window(1, &[1, 5, 6]),
            ],
        );
    }
}

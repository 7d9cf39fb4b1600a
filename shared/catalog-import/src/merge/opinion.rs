//! The second list's opinion of the first one's prices.

use std::collections::{BTreeMap, HashMap};

use keyward_money::{Prices, Rates};

use super::{Sourced, by_name, by_provider};
use crate::Row;
use crate::report::{Disagreement, Refusal};
use crate::sanity::{self, Implausible};

/// How far apart two prices may be and still agree: one part in so many.
const TOLERANCE: i64 = 100;

/// The second list, and what was found by it.
pub(super) struct Opinions<'a> {
    by_name: HashMap<(&'a str, &'a str), &'a Row>,
    by_provider: BTreeMap<&'a str, Vec<&'a Row>>,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) compared: usize,
}

impl<'a> Opinions<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        Self {
            by_name: by_name(rows),
            by_provider: by_provider(rows),
            disagreements: Vec::new(),
            compared: 0,
        }
    }

    /// The row, with what the second list adds to it. Where both have prices that are worlds apart,
    /// neither is believed.
    pub(super) fn on(
        &mut self,
        mut row: Row,
        leading: &'static str,
        second_name: &str,
        refusals: &mut Vec<Refusal>,
    ) -> Sourced {
        let Some((second, is_exact)) = self.find(&row) else {
            return Sourced::new(row, leading.to_owned());
        };
        row.name = row
            .name
            .or_else(|| second.name.clone().filter(|_| is_exact));
        row.context_tokens = row.context_tokens.or(second.context_tokens);
        row.is_deprecated |= second.is_deprecated && is_exact;
        let source = match (row.prices.take(), &second.prices) {
            (None, Some(prices)) if is_exact && may_fill(&row, refusals) => {
                row.prices = Some(prices.clone());
                second_name.to_owned()
            }
            (Some(ours), Some(theirs)) if sanity::are_worlds_apart(&ours, theirs) => {
                self.compared += 1;
                refusals.push(Refusal::new(leading, &row, Implausible::Factor));
                leading.to_owned()
            }
            (Some(mut ours), Some(theirs)) => {
                self.compared += 1;
                let differences = compare(&row, &ours, theirs, is_exact);
                let agree = differences.is_empty();
                self.disagreements.extend(differences);
                if agree {
                    fill(&mut ours.rates, &theirs.rates);
                }
                row.prices = Some(ours);
                match agree {
                    true => format!("{leading}+{second_name}"),
                    false => leading.to_owned(),
                }
            }
            (ours, _) => {
                row.prices = ours;
                leading.to_owned()
            }
        };
        Sourced::new(row, source)
    }

    /// The second list's row for the same name, else the first whose pattern takes it.
    fn find(&self, row: &Row) -> Option<(&'a Row, bool)> {
        let (provider, upstream) = (row.provider.as_str(), row.upstream.as_str());
        if let Some(exact) = self.by_name.get(&(provider, upstream)) {
            return Some((exact, true));
        }
        let short = upstream
            .rsplit_once("models/")
            .map_or(upstream, |(_, name)| name);
        let takes = |row: &&&Row| row.pattern.as_ref().is_some_and(|it| it.matches(short));
        let family = self.by_provider.get(provider)?.iter().find(takes)?;
        Some((family, false))
    }
}

/// Prices that the first list was refused for are not taken from the second either: it may have
/// copied them.
fn may_fill(row: &Row, refusals: &[Refusal]) -> bool {
    !refusals.iter().any(|refusal| refusal.is_about(row))
}

fn compare(row: &Row, ours: &Prices, theirs: &Prices, is_exact: bool) -> Vec<Disagreement> {
    let differs =
        |one: i64, other: i64| (one - other).abs().saturating_mul(TOLERANCE) > one.max(other);
    pairs(&ours.rates, &theirs.rates)
        .into_iter()
        .filter_map(|(kind, one, other)| match (one, other) {
            (Some(first), Some(second)) if differs(first, second) => Some(Disagreement {
                provider: row.provider.clone(),
                model: row.upstream.clone(),
                kind,
                first,
                second,
                class: crate::report::class(ours, theirs, kind, is_exact),
            }),
            _ => None,
        })
        .collect()
}

type Pair = (&'static str, Option<i64>, Option<i64>);

fn pairs(one: &Rates, other: &Rates) -> [Pair; 9] {
    [
        ("input", one.input, other.input),
        ("output", one.output, other.output),
        ("cache_read", one.cache_read, other.cache_read),
        ("cache_write_5m", one.cache_write_5m, other.cache_write_5m),
        ("cache_write_1h", one.cache_write_1h, other.cache_write_1h),
        ("input_audio", one.input_audio, other.input_audio),
        ("output_audio", one.output_audio, other.output_audio),
        ("output_image", one.output_image, other.output_image),
        ("audio_ms", one.audio_ms, other.audio_ms),
    ]
}

/// What the second list knows besides, where the two agree.
fn fill(ours: &mut Rates, theirs: &Rates) {
    ours.cache_read = ours.cache_read.or(theirs.cache_read);
    ours.cache_write_5m = ours.cache_write_5m.or(theirs.cache_write_5m);
    ours.cache_write_1h = ours.cache_write_1h.or(theirs.cache_write_1h);
    ours.input_audio = ours.input_audio.or(theirs.input_audio);
    ours.output_audio = ours.output_audio.or(theirs.output_audio);
    ours.output_image = ours.output_image.or(theirs.output_image);
    ours.search_fee = ours.search_fee.or(theirs.search_fee);
}

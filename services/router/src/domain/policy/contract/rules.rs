//! Rules of the contract.

use std::ops::RangeInclusive;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use keyward_catalog::Endpoint;
use keyward_money::Nanos;
use keyward_proto::router::v1 as proto;

use super::Misfit;
use crate::domain::policy::{Hours, Match, Pattern, Rule, Steer, Weekdays};
use crate::domain::task::Task;

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

pub(super) fn rule(place: &str, rule: &proto::RoutingRule) -> Result<Rule, Misfit> {
    let when = match &rule.r#match {
        Some(found) => self::when(&format!("{place}.match"), found)?,
        None => Match::default(),
    };
    let names = |names: &[String]| names.iter().map(|name| provider(name)).collect();
    let weights = rule.weights.iter();
    Ok(Rule {
        name: rule.name.as_str().into(),
        when,
        then: Steer {
            providers: names(&rule.providers),
            order: names(&rule.order),
            weights: weights
                .map(|(name, weight)| (provider(name), *weight))
                .collect(),
            max_charge: rule.max_charge_nanos.map(Nanos::new),
        },
    })
}

/// A provider's name as it is known by.
pub(super) fn provider(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// The task of that name.
pub(super) fn task(place: &str, name: &str) -> Result<Task, Misfit> {
    let unknown = || {
        let known = Task::ALL.map(Task::name).join(", ");
        Misfit::new(place, format!("there is no such task: expected {known}"))
    };
    Task::named(name).ok_or_else(unknown)
}

fn when(place: &str, found: &proto::RuleMatch) -> Result<Match, Misfit> {
    let pattern = |text: &str| (!text.is_empty()).then(|| Pattern::new(text));
    let tags = found.tags.iter();
    Ok(Match {
        model: pattern(&found.model),
        endpoint: match found.endpoint.as_str() {
            "" => None,
            name => Some(endpoint(&format!("{place}.endpoint"), name)?),
        },
        task: match found.task.as_str() {
            "" => None,
            name => Some(task(&format!("{place}.task"), name)?),
        },
        tags: tags
            .map(|(name, value)| (name.clone(), Pattern::new(value)))
            .collect(),
        prompt_tokens: prompt_tokens(place, found)?,
        hours: match &found.hours {
            None => None,
            Some(found) => Some(hours(&format!("{place}.hours"), found)?),
        },
    })
}

fn endpoint(place: &str, name: &str) -> Result<Endpoint, Misfit> {
    let unknown = || Misfit::new(place, "there is no such endpoint");
    Endpoint::named(name).ok_or_else(unknown)
}

fn prompt_tokens(
    place: &str,
    found: &proto::RuleMatch,
) -> Result<Option<RangeInclusive<u64>>, Misfit> {
    let (min, max) = match (found.prompt_tokens_min, found.prompt_tokens_max) {
        (None, None) => return Ok(None),
        (min, max) => (min.unwrap_or(0), max.unwrap_or(u64::MAX)),
    };
    if min > max {
        let place = format!("{place}.prompt_tokens");
        return Err(Misfit::new(place, "`min` is more than `max`"));
    }
    Ok(Some(min..=max))
}

fn hours(place: &str, found: &proto::RuleHours) -> Result<Hours, Misfit> {
    let days = found.days.iter().enumerate();
    let days = days.map(|(index, name)| day(&format!("{place}.days[{index}]"), name));
    Ok(Hours {
        from: time(&format!("{place}.from"), &found.from)?,
        to: time(&format!("{place}.to"), &found.to)?,
        days: Weekdays::of(days.collect::<Result<Vec<Weekday>, _>>()?),
        zone: match found.time_zone.as_str() {
            "" => TimeZone::UTC,
            name => zone(&format!("{place}.time_zone"), name)?,
        },
    })
}

fn day(place: &str, name: &str) -> Result<Weekday, Misfit> {
    let found = DAYS.iter().find(|(known, _)| *known == name);
    let unknown = || Misfit::new(place, "there is no such day: expected `monday` to `sunday`");
    found.map(|(_, day)| *day).ok_or_else(unknown)
}

fn time(place: &str, text: &str) -> Result<Time, Misfit> {
    let wrong = || {
        Misfit::new(
            place,
            "is no time of the day: expected `HH:MM`, such as `08:30`",
        )
    };
    match text.len() {
        5 => Time::strptime("%H:%M", text).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

fn zone(place: &str, name: &str) -> Result<TimeZone, Misfit> {
    let unknown = |_| Misfit::new(place, "there is no such time zone: expected an IANA name");
    TimeZone::get(name).map_err(unknown)
}

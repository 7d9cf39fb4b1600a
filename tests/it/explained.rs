//! What `routes/explain` says is what a request right after does, over random policies, keys and
//! wishes: who it names first serves, the next one where that fails, and where it names nobody the
//! request is refused for the reason it gave.

mod dice;
mod household;
mod wishes;

use std::collections::HashSet;
use std::ops::Range;

use keyward_testkit::{Answer, Script, Topology, canary};
use serde_json::Value;

use crate::by_hand::asked_for;
use crate::system::System;
use dice::Dice;
use household::Household;
use wishes::Wish;

/// Which cases are drawn: `KEYWARD_TEST_ROUTES=1000` for the whole, `KEYWARD_TEST_ROUTES_FROM` to begin
/// later.
fn cases() -> Range<u64> {
    let first = asked_for("KEYWARD_TEST_ROUTES_FROM", 0);
    first..first + asked_for("KEYWARD_TEST_ROUTES", 60)
}

/// How often what was seen, so that a generator that draws nothing of interest is noticed.
#[derive(Debug, Default)]
struct Tally {
    served: u64,
    refused: u64,
    failed_over: u64,
    failed: u64,
}

/// The platform's keys, by provider.
type SystemKeys = [(&'static str, String); 3];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_does_what_was_explained_before_it() {
    let keys: SystemKeys = wishes::PROVIDERS.map(|name| (name, canary::provider_key(name)));
    let system = System::own(Topology::Embedded, |launch| {
        let launch = launch
            .set("log.filter", "warn")
            // What rests is not to come back in the middle of a case.
            .set("routing.probe_interval", "10m")
            .set("routing.fallback_max_charge", "50");
        let given = |launch: keyward_testkit::Launch, (name, key): &(&str, String)| {
            launch.system_key(name, key)
        };
        keys.iter().fold(launch, given)
    })
    .await;
    let mut tally = Tally::default();
    for number in cases() {
        let mut dice = Dice::of(number);
        let household = Household::draw(&system, &mut dice).await;
        let wish = Wish::draw(&mut dice, &household.client);
        let case = Case {
            number,
            system: &system,
            keys: &keys,
            household: &household,
            wish: &wish,
        };
        if case.is_as_explained(&mut tally).await {
            case.the_next_stands_in(&mut dice, &mut tally).await;
        }
    }
    println!("{tally:?}");
    let Tally {
        served,
        refused,
        failed_over,
        failed,
    } = tally;
    let least = served.min(refused).min(failed_over).min(failed);
    assert!(
        least >= (cases().end - cases().start) / 20,
        "{served} {refused} {failed_over} {failed}"
    );
}

/// One draw.
struct Case<'a> {
    number: u64,
    system: &'a System,
    keys: &'a SystemKeys,
    household: &'a Household,
    wish: &'a Wish,
}

impl Case<'_> {
    /// Asks who would serve; `Err` with status and code where that is refused.
    async fn explained(&self) -> Result<Vec<Value>, (u16, String)> {
        let path = "/api/v1/routes/explain";
        let answer = self.wish.client.post(path, self.wish.question()).await;
        let status = answer.status.as_u16();
        match answer.status.is_success() {
            true => Ok(answer.json()["candidates"].as_array().unwrap().clone()),
            false => Err((status, answer.error(status))),
        }
    }

    async fn ask(&self) -> Answer {
        let body = self.wish.body.clone();
        self.wish.client.post("/v1/chat/completions", body).await
    }

    /// Whether somebody serves, who is then the first that was named.
    async fn is_as_explained(&self, tally: &mut Tally) -> bool {
        let explained = self.explained().await;
        let answer = self.ask().await;
        let candidates = match explained {
            Ok(candidates) => candidates,
            Err((status, code)) => {
                assert_eq!(answer.error(status), code, "{}", self.told(&[]));
                tally.refused += 1;
                return false;
            }
        };
        self.check_chosen(&candidates);
        let told = self.told(&candidates);
        if let Some(first) = self.serving(&candidates, &HashSet::new()) {
            self.check_served(&answer, first, &told);
            assert_eq!(self.seen().len(), 1, "{told}");
            self.check_receipt(&answer, &candidates, &told).await;
            tally.served += 1;
            return true;
        }
        assert!(self.seen().is_empty(), "{told}");
        let code = answer.error(answer.status.as_u16());
        let implied = Self::implied(&candidates);
        assert!(implied.contains(&code.as_str()), "{code}: {told}");
        tally.refused += 1;
        false
    }

    /// The provider of who serves fails now: the next one that is named and does not fail serves.
    async fn the_next_stands_in(&self, dice: &mut Dice, tally: &mut Tally) {
        let candidates = self.explained().await.unwrap();
        let told = self.told(&candidates);
        let first = self.serving(&candidates, &HashSet::new()).unwrap();
        let key = self.secret(first);
        let own = [
            (Script::status(500, "oops", "Oops."), "upstream_error"),
            (Script::rate_limited(Some(60)), "provider_rate_limited"),
            (Script::unauthorized(), "provider_key_rejected"),
            (Script::insufficient_quota(), "provider_quota_exhausted"),
        ];
        // The platform's own keys have to serve further cases.
        let drawn = match is_system(first) {
            true => 0,
            false => dice.below(own.len()),
        };
        let (script, code) = own[drawn].clone();
        let provider = first["provider"].as_str().unwrap();
        self.system.providers.named(provider).script(&key, script);
        let answer = self.ask().await;
        let failing = HashSet::from([key.clone()]);
        if let Some(next) = self.serving(&candidates, &failing) {
            self.check_served(&answer, next, &told);
            tally.failed_over += 1;
        } else {
            let refused_before = told.contains("refused this key") && is_system(first);
            let heard = answer.error(answer.status.as_u16());
            assert!(heard == code || refused_before, "{heard}: {told}");
            tally.failed += 1;
        }
        let works = Script::ok("ok");
        self.system.providers.named(provider).script(&key, works);
    }

    /// Of those that may serve, in their order, the first whose provider answers and who can pay.
    fn serving<'c>(&self, candidates: &'c [Value], failing: &HashSet<String>) -> Option<&'c Value> {
        candidates.iter().find(|candidate| {
            let is_paid = !is_system(candidate) || self.household.has_credits;
            is_eligible(candidate) && is_paid && !failing.contains(&self.secret(candidate))
        })
    }

    /// The first one is chosen, if it may serve, and no other is; those that may not come last.
    fn check_chosen(&self, candidates: &[Value]) {
        let told = self.told(candidates);
        let eligible = candidates.iter().filter(|candidate| is_eligible(candidate));
        let eligible = eligible.count();
        for (place, candidate) in candidates.iter().enumerate() {
            assert_eq!(is_eligible(candidate), place < eligible, "{told}");
            assert_eq!(candidate["chosen"], place == 0 && eligible > 0, "{told}");
            assert_ne!(candidate["reason"], "", "{told}");
        }
    }

    fn check_served(&self, answer: &Answer, candidate: &Value, told: &str) {
        let status = answer.status.as_u16();
        assert_eq!(status, 200, "{} {told}", answer.text());
        for (header, member) in [
            ("x-provider", "provider"),
            ("x-keyward-model", "model"),
            ("x-keyward-key-source", "key_source"),
        ] {
            assert_eq!(candidate[member], answer.header(header), "{header}: {told}");
        }
        let is_stream = self.wish.body["stream"] == true;
        assert_eq!(answer.text().contains("data: [DONE]"), is_stream, "{told}");
        let seen = self.seen();
        let expected = seen.iter().any(|(provider, key)| {
            candidate["provider"] == *provider && *key == self.secret(candidate)
        });
        assert!(expected, "{seen:?}: {told}");
    }

    /// The receipt names the same candidates in the same order, by their keys.
    async fn check_receipt(&self, answer: &Answer, candidates: &[Value], told: &str) {
        let path = format!("/api/v1/requests/{}", answer.header("x-request-id"));
        let receipt = self.wish.client.get(&path).await.ok().json();
        let kept = receipt["candidates"].as_array().unwrap();
        let named = |one: &Value| (one["key_id"].clone(), one["eligible"].clone());
        for (kept, explained) in kept.iter().zip(candidates) {
            assert_eq!(named(kept), named(explained), "{receipt}: {told}");
        }
        assert!(!kept.is_empty(), "{receipt}");
    }

    /// Which providers were shown which keys.
    fn seen(&self) -> Vec<(&'static str, String)> {
        self.system.providers.keys_seen(&self.wish.marker)
    }

    fn secret(&self, candidate: &Value) -> String {
        let source = candidate["key_source"].as_str().unwrap();
        if source.starts_with("inline") {
            return self.wish.inline.clone().unwrap();
        }
        if is_system(candidate) {
            let mut keys = self.keys.iter();
            let found = keys.find(|(name, _)| candidate["provider"] == *name);
            return found.unwrap().1.clone();
        }
        let id = candidate["key_id"].as_str().unwrap();
        self.household.secrets[id].clone()
    }

    /// What a caller may be told where nobody was named who serves.
    fn implied(candidates: &[Value]) -> Vec<&'static str> {
        let reasons = |part: &str| {
            let mut reasons = candidates.iter().map(|one| one["reason"].as_str().unwrap());
            reasons.any(|reason| reason.contains(part))
        };
        let mut implied = Vec::new();
        if reasons("may not call the model") || reasons("does not allow the model") {
            implied.push("model_not_allowed");
        }
        if reasons("refused this key") {
            implied.push("provider_key_rejected");
        }
        match candidates.iter().any(is_eligible) {
            true => implied.push("insufficient_credits"),
            false => implied.push("no_key_for_model"),
        }
        implied
    }

    /// For whoever reads a failure.
    fn told(&self, candidates: &[Value]) -> String {
        let lines = candidates.iter().map(Value::to_string);
        let lines = lines.collect::<Vec<_>>().join("\n");
        format!("case {}: {}\n{lines}", self.number, self.wish.body)
    }
}

fn is_eligible(candidate: &Value) -> bool {
    candidate["eligible"] == true
}

fn is_system(candidate: &Value) -> bool {
    let source = candidate["key_source"].as_str();
    source.is_some_and(|source| source.starts_with("system"))
}

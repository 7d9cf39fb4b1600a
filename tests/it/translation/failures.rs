//! What goes wrong between two forms: errors reach the caller in its own, and no stream that broke off
//! ends as if it were whole.

use keyward_testkit::client::Finished;
use keyward_testkit::upstream::Step;
use keyward_testkit::{Script, Topology};
use serde_json::Value;

use super::said::Asked;
use super::{PAIRS, Work, json_of};
use crate::system::{both, shared};

/// What a provider says when it fails.
const MESSAGE: &str = "The engine is on fire";

impl Work<'_> {
    /// The stream of a provider that says these events and then does this.
    async fn stream(&self, events: Vec<String>, then: Option<Step>) -> Finished {
        let steps = events.into_iter().map(|event| Step::Send(event.into()));
        self.script(Script::Raw(steps.chain(then).collect()));
        let path = self.pair.caller.path(self.model, true);
        let body = self.body(Asked::Words, true);
        let stream = self.tenant.client.stream_at(&path, body).await;
        stream.finish().await
    }

    /// What was delivered arrived, an error in the caller's form is the last event, and nothing says
    /// that the answer is whole.
    async fn check_broken(&self, finished: &Finished, says: &str) {
        let caller = self.pair.caller;
        let chunks = finished.chunks();
        let all = format!("{:?}", finished.events);
        assert_eq!(finished.answer.status, 200, "{all}");
        let (last, before) = chunks.split_last().unwrap();
        let message = caller
            .error_event(last)
            .unwrap_or_else(|| panic!("no error: {all}"));
        assert!(message.contains(says), "{message}");
        assert!(
            !before.is_empty() && !chunks.iter().any(|event| caller.ends(event)),
            "{all}"
        );
        assert!(
            before
                .iter()
                .all(|event| caller.error_event(event).is_none()),
            "{all}"
        );
        assert!(!finished.is_done(), "{all}");
        let record = &self.tenant.records().await[0];
        assert_eq!(record["status"], "cut", "{record}");
        assert_ne!(record["usage"]["output"], 0, "{record}");
    }
}

async fn a_stream_that_breaks_off_never_ends_as_if_it_were_whole(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().breaking_off;
        let work = Work::of(pair, &system, &tenant, model).await;
        for then in [Some(Step::Cut), None] {
            let events = pair.provider.begins(&pair.words());
            let finished = work.stream(events, then).await;
            work.check_broken(&finished, "broke off").await;
        }
    }
}

async fn an_error_within_a_stream_is_told_in_the_callers_form(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().breaking_off;
        let work = Work::of(pair, &system, &tenant, model).await;
        let mut events = pair.provider.begins(&pair.words());
        events.push(pair.provider.error_event(MESSAGE));
        let finished = work.stream(events, None).await;
        work.check_broken(&finished, MESSAGE).await;
    }
}

async fn a_providers_refusal_is_told_in_the_callers_form(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().refusing;
        let work = Work::of(pair, &system, &tenant, model).await;
        work.script(json_of(400, &pair.provider.refusal(MESSAGE)));
        let answer = work.ask(work.body(Asked::Words, false)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let message = pair.caller.error(&answer.json());
        assert_eq!(message.as_deref(), Some(MESSAGE), "{}", answer.text());
        assert_eq!(answer.header("x-provider"), pair.provider.name());
        // Not about the request: nobody else can serve, and what is told is ours.
        work.script(json_of(500, &pair.provider.refusal(MESSAGE)));
        let answer = work.ask(work.body(Asked::Words, false)).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        let message = pair.caller.error(&answer.json()).unwrap();
        assert!(message.contains(MESSAGE), "{message}");
    }
}

async fn what_the_providers_form_lacks_is_refused_by_name(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().refusing;
        let work = Work::of(pair, &system, &tenant, model).await;
        let (members, named) = pair.lacks;
        let answer = work
            .ask(with(&work.body(Asked::Words, false), members))
            .await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let message = pair.caller.error(&answer.json()).unwrap();
        assert!(message.contains(&format!("`{named}`")), "{message}");
        let error = &answer.json()["error"];
        if error.get("param").is_some() {
            assert_eq!(error["param"], named, "{error}");
            assert_eq!(error["code"], "unsupported_parameter", "{error}");
        }
        let upstream = system.providers.named(pair.provider.name());
        assert!(upstream.requests_with(&work.key).is_empty());
        assert!(tenant.records().await.is_empty());
    }
}

/// A body with further members.
fn with(body: &str, members: &str) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let members: Value = serde_json::from_str(members).unwrap();
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

both!(
    a_stream_that_breaks_off_never_ends_as_if_it_were_whole,
    an_error_within_a_stream_is_told_in_the_callers_form,
    a_providers_refusal_is_told_in_the_callers_form,
    what_the_providers_form_lacks_is_refused_by_name,
);

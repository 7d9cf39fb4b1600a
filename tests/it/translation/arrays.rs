//! Gemini's streams without `alt=sse`: one JSON array, whose elements come as they are made.

use keyward_testkit::client::Finished;
use keyward_testkit::upstream::Step;
use keyward_testkit::{Script, Topology};
use serde_json::Value;

use super::said::Asked;
use super::{PAIRS, Pair, Work, in_frames};
use crate::system::{both, shared};

/// The pairs whose caller may ask for an array.
fn pairs() -> impl Iterator<Item = &'static Pair> {
    let is_gemini = |pair: &&Pair| {
        pair.caller
            .path("m", true)
            .contains(":streamGenerateContent")
    };
    PAIRS.iter().filter(is_gemini)
}

impl Work<'_> {
    async fn array(&self, asked: Asked, steps: Vec<Step>) -> Finished {
        self.script(Script::Raw(steps));
        let path = self.pair.caller.path(self.model, true);
        let path = path.strip_suffix("?alt=sse").unwrap();
        let stream = self.tenant.client.stream_at(path, self.body(asked, true));
        let finished = stream.await.finish().await;
        assert_eq!(finished.header("content-type"), "application/json");
        finished
    }
}

async fn an_array_of_answers_says_what_events_do(topology: Topology) {
    let system = shared(topology).await;
    for pair in pairs() {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().answering;
        let work = Work::of(pair, &system, &tenant, model).await;
        for (asked, said) in pair.stories() {
            let events = [pair.provider.begins(&said), pair.provider.ends(&said)].concat();
            let finished = work.array(asked, in_frames(&events.concat())).await;
            let told: Vec<Value> = serde_json::from_slice(&finished.answer.body).unwrap();
            assert_eq!(pair.caller.streamed(&told), pair.as_told(&said));
        }
    }
}

async fn an_array_that_breaks_off_has_an_error_and_no_end(topology: Topology) {
    let system = shared(topology).await;
    for pair in pairs() {
        let tenant = pair.tenant(&system).await;
        let model = pair.provider.models().breaking_off;
        let work = Work::of(pair, &system, &tenant, model).await;
        let events = pair.provider.begins(&pair.words());
        let steps = events.into_iter().map(|event| Step::Send(event.into()));
        let steps = steps.chain([Step::Cut]).collect();
        let finished = work.array(Asked::Words, steps).await;
        let text = finished.answer.text();
        assert!(!text.ends_with(']'), "{text}");
        let told: Vec<Value> = serde_json::from_str(&(text + "]")).unwrap();
        let error = pair.caller.error(told.last().unwrap()).unwrap();
        assert!(error.contains("broke off"), "{error}");
        assert!(!told.iter().any(|event| pair.caller.ends(event)));
    }
}

both!(
    an_array_of_answers_says_what_events_do,
    an_array_that_breaks_off_has_an_error_and_no_end,
);

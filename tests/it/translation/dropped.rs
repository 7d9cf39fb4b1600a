//! Settings that a provider lacks, left out where the caller or the operator allows it.

use keyward_testkit::{Script, Tenant, Topology};
use serde_json::{Value, json};

use super::said::Asked;
use super::{PAIRS, Pair, Work, json_of};
use crate::system::{System, both, shared};

/// Which settings were left out.
const HEADER: &str = "x-keyward-dropped-params";

impl Work<'_> {
    /// The pair's question with what the provider lacks, and what it says of `drop_params`.
    fn lacking(&self, drops: Option<bool>) -> String {
        let mut body: Value = serde_json::from_str(&self.body(Asked::Words, false)).unwrap();
        let members: Value = serde_json::from_str(self.pair.lacks.0).unwrap();
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        if let Some(drops) = drops {
            body["drop_params"] = drops.into();
        }
        body.to_string()
    }

    /// Asserts that the question is answered without what the provider lacks.
    async fn check_dropped(&self, drops: Option<bool>) {
        let (_, said) = &self.pair.stories()[0];
        self.script(json_of(200, &self.pair.provider.plain(said)));
        let answer = self.ask(self.lacking(drops)).await.ok();
        let (_, named) = self.pair.lacks;
        assert_eq!(answer.header(HEADER), named);
        assert_eq!(self.pair.caller.plain(&answer.json()).text, said.text);
        let sent = String::from_utf8(self.sent().body.to_vec()).unwrap();
        let member = named.rsplit('.').next().unwrap();
        for name in [member, "drop_params"] {
            assert!(!sent.contains(&format!("\"{name}\"")), "{sent}");
        }
    }
}

async fn work<'a>(pair: &'a Pair, system: &'a System, tenant: &'a Tenant) -> Work<'a> {
    Work::of(pair, system, tenant, pair.provider.models().answering).await
}

async fn what_a_provider_lacks_is_left_out_if_the_caller_says_so(topology: Topology) {
    let system = shared(topology).await;
    for pair in &PAIRS {
        let tenant = pair.tenant(&system).await;
        let work = work(pair, &system, &tenant).await;
        work.check_dropped(Some(true)).await;
    }
}

async fn what_a_provider_lacks_is_left_out_if_the_operator_says_so(topology: Topology) {
    let system = System::own(topology, |launch| launch.set("routing.drop_params", "true")).await;
    let pair = &PAIRS[0];
    let tenant = pair.tenant(&system).await;
    let work = work(pair, &system, &tenant).await;
    work.check_dropped(None).await;
    let refused = work.ask(work.lacking(Some(false))).await;
    assert_eq!(refused.error(400), "unsupported_parameter");
}

async fn of_a_conversation_nothing_is_left_out(topology: Topology) {
    let system = shared(topology).await;
    let pair = &PAIRS[0];
    let tenant = pair.tenant(&system).await;
    let work = work(pair, &system, &tenant).await;
    let sound = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    let body = json!({
        "model": work.model, "drop_params": true,
        "messages": [{"role": "user", "content": [sound]}],
    });
    let refused = work.ask(body.to_string()).await;
    assert_eq!(refused.error(400), "unsupported_parameter");
    assert_eq!(refused.json()["error"]["param"], "messages");
}

async fn who_speaks_the_callers_form_is_sent_all_but_the_leave(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, Script::ok("ok"));
    let body = r#"{"model":"gpt-4.1-mini","drop_params":true,"x_new":1,"messages":[{}]}"#;
    let answer = tenant
        .client
        .send(http::Method::POST, "/v1/chat/completions", body);
    assert_eq!(answer.await.ok().header(HEADER), "");
    let sent = system.providers.openai.requests_with(&key).pop().unwrap();
    assert_eq!(
        sent.body,
        r#"{"model":"gpt-4.1-mini","x_new":1,"messages":[{}]}"#
    );
}

both!(
    what_a_provider_lacks_is_left_out_if_the_caller_says_so,
    what_a_provider_lacks_is_left_out_if_the_operator_says_so,
    of_a_conversation_nothing_is_left_out,
    who_speaks_the_callers_form_is_sent_all_but_the_leave,
);

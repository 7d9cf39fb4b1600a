//! One route, explained by a gateway that runs: nothing is sent to a provider, nothing is charged.

use keyward_catalog::Catalog;
use keyward_secret::Secret;
use serde_json::{Value, json};
use url::Url;

use super::LIMIT;
use crate::bootstrap;
use crate::configs;
use crate::doctor::gather::Subject;
use crate::doctor::http::ask;
use crate::doctor::judge::route::{Answer, Facts};

/// Asks the gateway, with the access key that there is.
pub(crate) async fn gather(subject: &Subject, gateway: Option<&Url>) -> Facts {
    let Some(gateway) = gateway else {
        return Facts::NoGateway;
    };
    let Some(key) = access_key(subject) else {
        return Facts::NoAccessKey;
    };
    let model = model(subject);
    let answer = explain(gateway, &key, &model).await;
    Facts::Asked { model, answer }
}

/// From the environment, else the one that the first start left, which is for this gateway alone.
fn access_key(subject: &Subject) -> Option<Secret> {
    if let Some(key) = subject.variable("KEYWARD_ACCESS_KEY") {
        return Some(Secret::new(key));
    }
    let named = subject.variable("KEYWARD_ACCESS_KEY_FILE").map(Into::into);
    let here = subject.variable("KEYWARD_URL").is_none();
    let left = here.then(|| bootstrap::admin_key_file(&subject.settings));
    let text = std::fs::read_to_string(named.or(left)?).ok()?;
    Some(Secret::new(text.trim()))
}

/// A model that can be served: the sandbox's, else the first of a provider that has a key here.
fn model(subject: &Subject) -> String {
    if configs::sandbox_is_enabled(&subject.settings) {
        return "sandbox/echo".to_owned();
    }
    let keys = configs::system_keys(&subject.settings);
    let catalogue = Catalog::embedded().ok();
    let offered = catalogue.as_ref().and_then(|catalogue| {
        let mut models = catalogue.models();
        let model = models.find(|model| keys.contains_key(model.vendor()))?;
        Some(model.id.clone())
    });
    offered.unwrap_or_else(|| "openai/gpt-4o".to_owned())
}

async fn explain(gateway: &Url, key: &Secret, model: &str) -> Answer {
    let Ok(url) = gateway.join("api/v1/routes/explain") else {
        return Answer::Broken("its address is no base URL".to_owned());
    };
    match ask(&url, Some(key), Some(&json!({"model": model})), LIMIT).await {
        Err(problem) => Answer::Broken(problem),
        Ok(answer) if answer.status == 200 => chosen(&answer.json()),
        Ok(answer) => {
            let body = answer.json();
            let message = body["error"]["message"].as_str().unwrap_or("no message");
            Answer::Error(answer.status, message.to_owned())
        }
    }
}

fn chosen(body: &Value) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let candidates = body["candidates"].as_array().map_or(&[][..], Vec::as_slice);
    match candidates
        .iter()
        .find(|candidate| candidate["chosen"] == true)
    {
        Some(candidate) => Answer::Serves {
            provider: text(&candidate["provider"]),
            key_source: text(&candidate["key_source"]),
        },
        None => Answer::Nothing(match candidates.first() {
            Some(candidate) => text(&candidate["reason"]),
            None => "there is no candidate".to_owned(),
        }),
    }
}

//! `keyward health`: whether a process is ready, for health checks of containers. It needs no key.

use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::client::{Ask, Transport};
use super::connection::parse_base;
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::table::Table;
use super::view;

pub(super) fn run(context: &Context) -> Outcome {
    let mut url = match &context.options.url {
        Some(text) => parse_base(text).ok_or_else(|| {
            Failure::usage("`--url` is no address").hint("One looks like http://127.0.0.1:9464.")
        })?,
        None => ops_url(context)?,
    };
    url.set_path("/readyz");
    let transport = Transport::new()?;
    let ask = Ask {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    };
    let answer = transport.ask(&ask).and_then(|answer| {
        let is_ready = answer.status().is_success();
        Ok((is_ready, transport.body(answer)?))
    });
    let (is_ready, body) = answer.map_err(|error| {
        Failure::of(
            Exit::Unreachable,
            error.context(format!("{url} does not answer")),
        )
        .hint("Say where the ops port is: `--url URL`; it is the setting `ops.listen`.")
    })?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    context.output.show(&body, table)?;
    Ok(match is_ready {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// The ops port of the process that these settings are of.
fn ops_url(context: &Context) -> Result<Url, Failure> {
    let mut address = context.settings()?.ops_listen;
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    let url = Url::parse(&format!("http://{address}"));
    url.map_err(|error| Failure::of(Exit::Failed, error.into()))
}

/// The word, and what is waited for.
fn table(body: &Value) -> Table {
    let mut table = Table::pairs();
    table.pair("status", view::plain("", &body["status"]));
    for (name, reason) in body["reasons"].as_object().into_iter().flatten() {
        table.pair(name, view::plain("", reason));
    }
    table
}

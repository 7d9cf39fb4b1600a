//! Which providers may serve, as every body says it.

use keyward_money::Nanos;
use keyward_proto::router::v1 as proto;
use serde_json::{Map, Value};
use tonic::Status;

use super::invalid;

/// Writes a body's `provider`.
pub(super) fn write(providers: &proto::ChatProviders) -> Result<Value, Status> {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    set("order", providers.order.clone().into());
    set("only", providers.only.clone().into());
    set("ignore", providers.ignore.clone().into());
    set("allow_fallbacks", providers.allow_fallbacks.into());
    set("sort", sort(providers.sort()).into());
    set("require_parameters", providers.require_parameters.into());
    set("zdr", providers.zero_data_retention.into());
    if providers.deny_data_collection {
        set("data_collection", "deny".into());
    }
    set("max_price", max_price(providers)?);
    Ok(Value::Object(members))
}

fn sort(by: proto::ChatProviderSort) -> Option<&'static str> {
    match by {
        proto::ChatProviderSort::Unspecified => None,
        proto::ChatProviderSort::Price => Some("price"),
        proto::ChatProviderSort::Throughput => Some("throughput"),
        proto::ChatProviderSort::Latency => Some("latency"),
    }
}

fn max_price(providers: &proto::ChatProviders) -> Result<Value, Status> {
    let prices = [
        ("prompt", providers.max_prompt_price_nanos),
        ("completion", providers.max_completion_price_nanos),
    ];
    let mut members = Map::new();
    for (name, price) in prices {
        if price.is_some_and(|nanos| nanos < 0) {
            let message = "a price must not be negative";
            return Err(invalid("providers", message));
        }
        let price = price.map(|nanos| Nanos::new(nanos).to_string());
        members.insert(name.to_owned(), price.into());
    }
    Ok(Value::Object(members))
}

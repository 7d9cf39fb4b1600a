//! Versions of the price book, between the application's types and the messages of the contract.

use keyward_proto::metering::v1 as wire;

use super::convert;
use crate::app::ComparisonPage;
use crate::domain::prices::PriceChange;

pub(super) fn comparison(page: ComparisonPage) -> wire::ComparePriceVersionsResponse {
    wire::ComparePriceVersionsResponse {
        from_version: page.from,
        to_version: page.to,
        changes: page.changes.into_iter().map(change).collect(),
        next_page_token: page.next_page_token,
    }
}

fn change(change: PriceChange) -> wire::PriceChange {
    wire::PriceChange {
        provider: change.provider,
        model: change.model,
        from_prices: change.from.as_ref().map(convert::prices),
        to_prices: change.to.as_ref().map(convert::prices),
    }
}

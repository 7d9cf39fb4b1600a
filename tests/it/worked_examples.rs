//! The worked examples of `docs/credits.md`: a running gateway answers what the guide says.

use keyward_testkit::Topology;
use serde_json::Value;

use crate::system::{both, shared};

const GUIDE: &str = include_str!("../../docs/credits.md");
const TIERS: [&str; 4] = ["trial", "starter", "professional", "enterprise"];

async fn every_example_of_the_guide_costs_what_it_says(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    let examples: Vec<Example> = GUIDE.lines().filter_map(Example::read).collect();
    assert!(examples.len() >= 10, "the guide lost its examples");
    for Example {
        body,
        list_cost,
        charges,
    } in examples
    {
        let answer = admin.post("/api/v1/costs/estimate", body.clone()).await;
        let estimate = answer.ok().json();
        assert_eq!(estimate["list_cost"], list_cost, "{body}");
        assert_eq!(estimate["own_key"]["charge"], "0.00", "{body}");
        for (tier, charge) in TIERS.into_iter().zip(charges) {
            assert_eq!(charged(&estimate, tier), charge, "{tier}: {body}");
        }
    }
}

fn charged(estimate: &Value, tier: &str) -> String {
    let tiers = estimate["tiers"].as_array().unwrap();
    let found = tiers.iter().find(|terms| terms["tier"] == tier).unwrap();
    found["charge"].as_str().unwrap().to_owned()
}

/// One row of the guide's table.
struct Example {
    body: Value,
    list_cost: String,
    charges: Vec<String>,
}

impl Example {
    /// From `| {json} | list cost | … |`; `None` for every other line.
    fn read(line: &str) -> Option<Self> {
        let mut cells = line.strip_prefix("| `{")?.split(" | ").map(str::trim);
        let json = cells.next()?.trim_end_matches('`');
        let body = serde_json::from_str(&format!("{{{json}")).expect("JSON");
        let list_cost = cells.next()?.to_owned();
        let charges = cells.map(|cell| cell.trim_end_matches(" |").to_owned());
        Some(Self {
            body,
            list_cost,
            charges: charges.collect(),
        })
    }
}

both!(every_example_of_the_guide_costs_what_it_says,);

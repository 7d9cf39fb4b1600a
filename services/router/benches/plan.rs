//! What planning costs: 50 keys, 20 rules, 2,000 models at each of five providers.

mod world;

use std::hint::black_box;

use criterion::Criterion;
use keyward_catalog::CatalogError;

use world::{World, request};

fn main() -> Result<(), CatalogError> {
    let mut criterion = Criterion::default().configure_from_args();
    plans(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn plans(criterion: &mut Criterion) -> Result<(), CatalogError> {
    let (full, few) = (World::new(2_000, 50, 20)?, World::new(2_000, 4, 0)?);
    let mut group = criterion.benchmark_group("plan");
    for (name, world, model) in [
        ("named", &full, "openai/model-7"),
        ("auto", &full, "auto"),
        ("unlisted", &full, "openai/gpt-99"),
        ("few keys", &few, "openai/model-7"),
    ] {
        let request = request(model);
        group.bench_function(name, |bencher| {
            bencher.iter(|| world.plan(black_box(&request)));
        });
    }
    group.finish();
    Ok(())
}

//! Planning does not allocate for each model of the catalogue.

#[path = "../benches/world/mod.rs"]
mod world;

use allocation_counter::measure;

use world::{World, request};

#[test]
fn a_larger_catalogue_costs_no_more_memory() {
    let worlds = [100, 2_000].map(|models| World::new(models, 50, 20).unwrap());
    for model in ["openai/model-7", "auto", "openai/gpt-99"] {
        let request = request(model);
        let counts = worlds.each_ref().map(|world| {
            let counted = measure(|| {
                world.plan(&request);
            });
            counted.count_total
        });
        assert_eq!(counts[0], counts[1], "{model}");
    }
}

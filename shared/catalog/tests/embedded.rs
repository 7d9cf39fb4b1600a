//! The data that ships, and what names mean in it.

use keyward_catalog::{Catalog, CatalogError, Endpoint, ModelRef, Thinking};
use keyward_money::{BasisPoints, Charge, Prices, Usage};
use serde_json::Value;

fn catalog() -> Result<Catalog, CatalogError> {
    Catalog::embedded()
}

fn nobody(_: &str) -> bool {
    false
}

#[test]
fn every_price_is_plausible() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    let mut priced = 0;
    for (provider, model, prices) in catalog.all_prices() {
        priced += 1;
        let long = prices.long_context.iter().map(|tier| tier.prices);
        let tiers = prices.service_tiers.iter().map(|tier| tier.rates);
        for rates in std::iter::once(prices.rates).chain(long).chain(tiers) {
            let tokens = [
                rates.input,
                rates.output,
                rates.cache_read,
                rates.cache_write_5m,
                rates.cache_write_1h,
                rates.input_audio,
            ];
            for price in tokens.into_iter().flatten() {
                // Above 1,000 credits a million somebody has taken a price for another unit.
                assert!(
                    (0..=1_000_000_000_000).contains(&price),
                    "{model} at {provider}: {price}"
                );
            }
            assert!(
                rates.cache_read <= rates.input,
                "{model} at {provider}: cache reads"
            );
            assert!(rates.input.is_some(), "{model} at {provider}: long prompts");
        }
    }
    assert!(priced > 2_000, "{priced}");
    Ok(())
}

#[test]
fn every_answering_model_that_has_a_price_has_one_for_its_answers() -> Result<(), CatalogError> {
    for model in catalog()?.models() {
        assert!(
            !model.endpoints.is_empty() && !model.offers.is_empty(),
            "{}",
            model.id
        );
        if model.endpoints.contains(&Endpoint::ChatCompletions) {
            for offer in model.offers.iter().filter(|offer| offer.prices.is_priced()) {
                assert!(
                    offer.prices.rates.output.is_some(),
                    "{} at {}",
                    model.id,
                    offer.provider
                );
            }
        }
        if let (Some(context), Some(output)) = (model.context_tokens, model.max_output_tokens) {
            assert!(0 < output && output <= context, "{}", model.id);
        }
    }
    Ok(())
}

/// Prices are flattened, so serde cannot refuse unknown members of them: compare both ways.
#[test]
fn no_member_of_a_price_is_misspelt() -> Result<(), Box<dyn std::error::Error>> {
    let generated: Value = serde_json::from_str(include_str!("../data/models.json"))?;
    let hand: Value = serde_json::from_str(include_str!("../data/hand.json"))?;
    let models = |file: &Value| file["models"].as_array().cloned().unwrap_or_default();
    for offer in models(&generated)
        .iter()
        .chain(&models(&hand))
        .filter_map(|model| model["offers"].as_array())
        .flatten()
    {
        let Some(prices) = offer.get("prices") else {
            continue;
        };
        let parsed: Prices = serde_json::from_value(prices.clone())?;
        assert_eq!(&serde_json::to_value(parsed)?, prices, "{offer}");
    }
    Ok(())
}

#[test]
fn every_provider_has_models_and_there_are_many() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    let vendors = catalog.all_models().map(keyward_catalog::Model::vendor);
    let models = vendors.filter(|vendor| *vendor != "sandbox").count();
    assert!(models >= 1_500, "{models}");
    for provider in catalog.providers() {
        let offers = catalog.all_models();
        let offers = offers.filter(|model| model.offer(&provider.name).is_some());
        assert!(offers.count() > 0, "{}", provider.name);
    }
    assert!(catalog.version() > 2_026_000_000 && catalog.as_of().len() == 10);
    assert_eq!(catalog.sources().len(), 2);
    Ok(())
}

/// Every model that the guides of other systems and our own interface speak of.
#[test]
fn every_name_that_people_bring_along_resolves() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for name in [
        "gpt-4",
        "openai/gpt-4",
        "gpt-4o",
        "openai/gpt-4o",
        "gpt-4-turbo",
        "gpt-3.5-turbo",
        "openai/gpt-3.5-turbo-instruct",
        "o1",
        "o1-preview",
        "o3",
        "openai/text-embedding-3-small",
        "openai/dall-e-3",
        "openai/tts-1",
        "whisper-1",
        "claude-3-opus",
        "anthropic/claude-3-opus",
        "claude-3-opus-20240229",
        "claude-3-sonnet",
        "claude-3-sonnet-20240229",
        "anthropic/claude-3-sonnet-20240229",
        "claude-3-5-sonnet",
        "anthropic/claude-3.5-sonnet",
        "claude-3-haiku",
        "claude-sonnet-4",
        "claude-opus-4",
        "google/gemini-1.5-pro",
        "gemini-1.5-flash",
        "gemini-2.0-flash",
        "gemini-2.5-pro",
        "google/imagen-3.0-generate-002",
        "mistral/mistral-large-latest",
        "groq/llama2-70b",
        "llama2-70b-4096",
        "mixtral-8x7b-32768",
        "meta-llama/llama-3.1-8b-instruct",
        "meta-llama/llama-3.1-8b-instruct:free",
        "deepseek/deepseek-r1",
        "deepseek/deepseek-r1:free",
        "deepseek-chat",
        "google/gemini-2.0-flash-exp:free",
        "mistralai/mistral-7b-instruct:free",
        "sandbox/echo",
        "sandbox/lorem",
        "sandbox/slow",
        "sandbox/hang",
        "sandbox/cut",
        "sandbox/status-429",
    ] {
        assert!(catalog.resolve(name).is_some(), "{name}");
    }
    Ok(())
}

#[test]
fn retired_models_keep_their_names_and_have_no_price() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (provider, name) in [
        ("openai", "o1-preview"),
        ("anthropic", "claude-3-opus"),
        ("anthropic", "claude-3-sonnet"),
        ("google", "gemini-1.5-pro"),
        ("groq", "llama2-70b-4096"),
    ] {
        assert!(catalog.offer(provider, name).is_some(), "{name}");
        assert_eq!(catalog.prices(provider, name), None, "{name}");
    }
    Ok(())
}

/// Prices that people check by hand, in nano-credits per million.
#[test]
fn well_known_prices_are_what_they_are_known_to_be() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (provider, name, input, output) in [
        ("openai", "gpt-4o", 2_500_000_000, 10_000_000_000),
        ("azure", "gpt-4o", 2_500_000_000, 10_000_000_000),
        ("openrouter", "gpt-4o", 2_500_000_000, 10_000_000_000),
        ("openai", "gpt-4", 30_000_000_000, 60_000_000_000),
        (
            "anthropic",
            "claude-sonnet-4-5",
            3_000_000_000,
            15_000_000_000,
        ),
        ("google", "gemini-2.5-pro", 1_250_000_000, 10_000_000_000),
    ] {
        let rates = catalog.prices(provider, name).map(|prices| prices.rates);
        let found = rates.map(|rates| (rates.input, rates.output));
        assert_eq!(
            found,
            Some((Some(input), Some(output))),
            "{name} at {provider}"
        );
    }
    Ok(())
}

#[test]
fn names_find_their_models() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (name, id) in [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("gpt-3.5-turbo", "openai/gpt-3.5-turbo"),
        ("gpt-4-turbo", "openai/gpt-4-turbo"),
        ("o1-preview", "openai/o1-preview"),
        ("o3", "openai/o3"),
        ("anthropic/claude-3-opus", "anthropic/claude-3-opus"),
        ("claude-3-opus-20240229", "anthropic/claude-3-opus"),
        (
            "anthropic/claude-3-sonnet-20240229",
            "anthropic/claude-3-sonnet",
        ),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
        ("claude-3-5-sonnet-20240620", "anthropic/claude-3-5-sonnet"),
        ("groq/llama2-70b", "meta-llama/llama-2-70b-chat"),
        ("llama2-70b-4096", "meta-llama/llama-2-70b-chat"),
        (
            "llama-3.3-70b-versatile",
            "meta-llama/llama-3.3-70b-instruct",
        ),
        (
            "meta-llama/llama-3.1-8b-instruct:free",
            "meta-llama/llama-3.1-8b-instruct:free",
        ),
        (
            "mistralai/mistral-7b-instruct:free",
            "mistral/mistral-7b-instruct:free",
        ),
        (
            "google/gemini-2.0-flash-exp:free",
            "google/gemini-2.0-flash-exp:free",
        ),
        ("gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("google/gemini-1.5-pro", "google/gemini-1.5-pro"),
        (
            "mistral/mistral-large-latest",
            "mistral/mistral-large-latest",
        ),
        ("deepseek-chat", "deepseek/deepseek-chat"),
        (
            "openai/text-embedding-3-small",
            "openai/text-embedding-3-small",
        ),
        (
            "openai/gpt-3.5-turbo-instruct",
            "openai/gpt-3.5-turbo-instruct",
        ),
        ("openrouter/openai/gpt-4o", "openai/gpt-4o"),
        ("sandbox/echo", "sandbox/echo"),
        ("sandbox/status-400", "sandbox/status-400"),
        ("sandbox/status-599", "sandbox/status-599"),
    ] {
        let found = catalog.resolve(name).map(|model| model.id.as_str());
        assert_eq!(found, Some(id), "{name}");
        assert_eq!(
            catalog.reference(name, nobody).model(),
            catalog.resolve(name),
            "{name}"
        );
    }
    for name in [
        "",
        "/",
        "echo",
        "slow",
        "gpt-9",
        "sandbox/status-399",
        "sandbox/status-600",
        "GPT-4o",
    ] {
        assert_eq!(catalog.resolve(name), None, "{name}");
    }
    Ok(())
}

#[test]
fn the_version_asked_for_is_the_version_sent() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (provider, name, upstream) in [
        ("openai", "gpt-4o", "gpt-4o"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai", "openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        (
            "openrouter",
            "gpt-4o-2024-08-06",
            "openai/gpt-4o-2024-08-06",
        ),
        ("openrouter", "gpt-4o", "openai/gpt-4o"),
        (
            "anthropic",
            "anthropic/claude-3-opus",
            "claude-3-opus-20240229",
        ),
        (
            "anthropic",
            "claude-3-5-sonnet-20240620",
            "claude-3-5-sonnet-20240620",
        ),
        (
            "openrouter",
            "claude-sonnet-4-5",
            "anthropic/claude-sonnet-4.5",
        ),
        ("groq", "groq/llama2-70b", "llama2-70b-4096"),
        (
            "groq",
            "meta-llama/llama-4-scout",
            "meta-llama/llama-4-scout-17b-16e-instruct",
        ),
        ("sandbox", "sandbox/echo", "sandbox/echo"),
        ("sandbox", "sandbox/status-429", "sandbox/status-429"),
    ] {
        let sent = catalog
            .offer(provider, name)
            .map(|offer| offer.upstream_for(name));
        assert_eq!(sent, Some(upstream), "{name} at {provider}");
    }
    Ok(())
}

#[test]
fn older_claudes_think_by_a_budget_whatever_they_are_called() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (name, thinking) in [
        ("claude-3-5-sonnet-20240620", Thinking::Budget),
        ("claude-3-7-sonnet-20250219", Thinking::Budget),
        ("claude-sonnet-4-20250514", Thinking::Budget),
        ("claude-opus-4-0", Thinking::Budget),
        ("claude-opus-4", Thinking::Budget),
        ("claude-opus-4-1-20250805", Thinking::Budget),
        ("claude-sonnet-4-5-20250929", Thinking::Budget),
        ("claude-haiku-4-5-20251001", Thinking::Budget),
        ("claude-opus-4-5", Thinking::Budget),
        ("claude-opus-4-6", Thinking::Adaptive),
        ("claude-opus-4-8", Thinking::Adaptive),
        ("claude-sonnet-5", Thinking::Adaptive),
        ("claude-haiku-5-5", Thinking::Adaptive),
    ] {
        let model = catalog.resolve(name);
        assert_eq!(model.map(|model| model.thinking), Some(thinking), "{name}");
    }
    Ok(())
}

#[test]
fn openrouter_and_resellers_can_be_pinned() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (name, pin) in [
        ("gpt-4o", None),
        ("openai/gpt-4o", None),
        ("openrouter/openai/gpt-4o", Some("openrouter")),
        ("openrouter/openai/gpt-4o-2024-08-06", Some("openrouter")),
        (
            "openrouter/meta-llama/llama-3.1-8b-instruct:free",
            Some("openrouter"),
        ),
        ("groq/llama2-70b", None),
        ("groq/llama-3.3-70b-versatile", Some("groq")),
        ("azure/gpt-4o", Some("azure")),
    ] {
        match catalog.reference(name, nobody) {
            ModelRef::Known {
                pinned_provider, ..
            } => assert_eq!(pinned_provider, pin, "{name}"),
            other => assert!(matches!(other, ModelRef::Known { .. }), "{name}: {other:?}"),
        }
    }
    let pinned = catalog.reference("openrouter/openai/gpt-4o", nobody);
    let offered: Vec<_> = pinned
        .offers()
        .map(|offer| offer.provider.as_str())
        .collect();
    assert_eq!(offered, ["openrouter"]);
    Ok(())
}

#[test]
fn known_prefixes_work_where_the_catalogue_lacks_the_model() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    let configured = |name: &str| name == "my-server";
    for (name, vendor, rest, openrouter_name) in [
        ("openai/gpt-9", "openai", "gpt-9", Some("openai/gpt-9")),
        ("mistral/new", "mistral", "new", Some("mistralai/new")),
        ("mistralai/new", "mistral", "new", Some("mistralai/new")),
        ("x-ai/grok-9", "xai", "grok-9", Some("x-ai/grok-9")),
        ("groq/new", "groq", "new", None),
        (
            "meta-llama/llama-9",
            "meta-llama",
            "llama-9",
            Some("meta-llama/llama-9"),
        ),
        ("my-server/a/b", "my-server", "a/b", None),
        (
            "openrouter/auto",
            "openrouter",
            "openrouter/auto",
            Some("openrouter/auto"),
        ),
        (
            "openrouter/new/model",
            "openrouter",
            "new/model",
            Some("new/model"),
        ),
        (
            "gpt-4o:nitro",
            "openrouter",
            "openai/gpt-4o:nitro",
            Some("openai/gpt-4o:nitro"),
        ),
        (
            "mistral/new:free",
            "openrouter",
            "mistralai/new:free",
            Some("mistralai/new:free"),
        ),
    ] {
        let expected = ModelRef::Unlisted {
            vendor: vendor.to_owned(),
            name: rest.to_owned(),
            openrouter_name: openrouter_name.map(str::to_owned),
        };
        assert_eq!(catalog.reference(name, configured), expected, "{name}");
    }
    for name in [
        "",
        "/",
        "gpt-9",
        "openai/",
        "openrouter/",
        "acme/model",
        "acme/model:free",
        ":free",
    ] {
        assert_eq!(
            catalog.reference(name, configured),
            ModelRef::Unknown,
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn providers_are_data() -> Result<(), CatalogError> {
    let catalog = catalog()?;
    for (name, base_url) in [
        ("openai", Some("https://api.openai.com/v1")),
        ("anthropic", Some("https://api.anthropic.com")),
        ("google", Some("https://generativelanguage.googleapis.com")),
        ("openrouter", Some("https://openrouter.ai/api/v1")),
        ("groq", Some("https://api.groq.com/openai/v1")),
        ("deepseek", Some("https://api.deepseek.com")),
        ("mistral", Some("https://api.mistral.ai/v1")),
        ("azure", None),
        ("xai", Some("https://api.x.ai/v1")),
        ("together", Some("https://api.together.xyz/v1")),
        ("fireworks", Some("https://api.fireworks.ai/inference/v1")),
        ("cerebras", Some("https://api.cerebras.ai/v1")),
        ("perplexity", Some("https://api.perplexity.ai")),
        ("cohere", Some("https://api.cohere.ai/compatibility/v1")),
        ("sandbox", None),
    ] {
        let found = catalog
            .provider(name)
            .map(|provider| provider.base_url.as_deref());
        assert_eq!(found, Some(base_url), "{name}");
    }
    let resellers = catalog
        .providers()
        .iter()
        .filter(|provider| provider.carries_everything);
    assert_eq!(
        resellers
            .map(|provider| provider.name.as_str())
            .collect::<Vec<_>>(),
        ["openrouter"]
    );
    Ok(())
}

#[test]
fn an_echo_of_three_words_costs_what_is_promised() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = catalog()?;
    let prices = catalog
        .prices("sandbox", "sandbox/echo")
        .ok_or("unpriced")?;
    let usage = Usage {
        input_tokens: 3,
        output_tokens: 3,
        ..Usage::default()
    };
    let charge = Charge::of(&usage, prices, BasisPoints::new(500))?;
    assert_eq!(
        (charge.list_cost.get(), charge.charge.get()),
        (9_000, 9_450)
    );
    Ok(())
}

#[test]
fn contradictions_are_refused() {
    let model = |id: &str, aliases: &str, provider: &str| {
        format!(
            r#"{{"id":"{id}","name":"x","aliases":[{aliases}],"endpoints":["chat.completions"],
               "offers":[{{"provider":"{provider}","upstream":"x"}}]}}"#
        )
    };
    let file = |models: &[String]| {
        format!(
            r#"{{"schema":1,"version":1,"as_of":"2026-01-01","providers":[{{"name":"p",
               "display_name":"P","dialect":"openai","key_hint":"","cancel_stops_billing":false}}],
               "models":[{}]}}"#,
            models.join(",")
        )
    };
    assert!(
        Catalog::parse(&file(&[
            model("p/a", "", "p"),
            model("p/b", r#""b1""#, "p")
        ]))
        .is_ok()
    );
    for models in [
        vec![model("p/a", "", "p"), model("p/a", "", "p")],
        vec![model("p/a", r#""x1""#, "p"), model("p/b", r#""x1""#, "p")],
        vec![model("p/a", "", "q")],
        vec![model("a", "", "p")],
    ] {
        let parsed = Catalog::parse(&file(&models));
        assert!(
            matches!(
                parsed,
                Err(CatalogError::Contradiction { .. } | CatalogError::UnknownProvider { .. })
            ),
            "{models:?}"
        );
    }
    let newer = r#"{"schema":2,"version":1,"as_of":"","providers":[],"models":[]}"#;
    assert!(matches!(
        Catalog::parse(newer),
        Err(CatalogError::Schema {
            found: 2,
            expected: 1
        })
    ));
    assert!(matches!(
        Catalog::parse("{}"),
        Err(CatalogError::Malformed(_))
    ));
}

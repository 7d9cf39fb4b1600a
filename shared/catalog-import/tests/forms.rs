//! Each form of list, read: small lists of this project's own making.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use keyward_catalog::{Capability, Endpoint, Modality};
use keyward_catalog_import::{Form, Row};
use keyward_money::{LongContextTier, Prices, Rates};

const DAY: &str = "2026-11-21";

/// The only row of a list.
#[track_caller]
fn only(form: Form, text: &str) -> Row {
    let mut rows = form.read(text, DAY).expect("it can be read").rows;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn usual(row: &Row) -> Rates {
    row.prices.as_ref().expect("prices").rates
}

#[test]
fn litellms_prices_have_suffixes() {
    let row = only(
        Form::LiteLlm,
        r#"{"xai/made-up-1": {
            "litellm_provider": "xai", "mode": "chat",
            "max_input_tokens": 1000000, "max_output_tokens": 64000,
            "input_cost_per_token": 1.25e-06, "output_cost_per_token": 0.0000025,
            "cache_read_input_token_cost": 2.0000000000000002e-07,
            "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "output_cost_per_token_above_200k_tokens": 5e-06,
            "input_cost_per_token_batches": 6.25e-07,
            "output_cost_per_token_batches": 1.25e-06,
            "search_context_cost_per_query": {"search_context_size_low": 0.005,
                "search_context_size_high": 0.01},
            "deprecation_date": "2027-01-31",
            "supports_function_calling": true, "supports_vision": true, "supports_reasoning": false}}"#,
    );
    let prices = row.prices.clone().expect("prices");
    assert_eq!(
        (
            prices.rates.input,
            prices.rates.output,
            prices.rates.cache_read
        ),
        (Some(1_250_000_000), Some(2_500_000_000), Some(200_000_000)),
    );
    assert_eq!(prices.rates.search_fee, Some(10_000_000), "the dearest");
    let long = prices.long_context[0];
    assert_eq!((long.above_tokens, long.inclusive), (200_000, true));
    assert_eq!(long.prices.input, Some(2_500_000_000));
    assert_eq!(long.prices.cache_read, Some(200_000_000), "the usual one");
    let batch = &prices.service_tiers[0];
    assert_eq!(batch.service_tier, "batch");
    assert_eq!(batch.rates.input, Some(625_000_000));
    assert_eq!(row.retirement_date.as_deref(), Some("2027-01-31"));
    assert_eq!(row.capabilities, [Capability::Tools, Capability::Vision]);
    assert_eq!(row.input_modalities, [Modality::Text, Modality::Image]);
    assert_eq!(
        (row.provider.as_str(), row.upstream.as_str()),
        ("xai", "made-up-1")
    );
}

#[test]
fn litellm_knows_other_units_than_tokens() {
    let check = |text: &str, endpoint: Endpoint, expect: Rates| {
        let row = only(Form::LiteLlm, text);
        assert_eq!(row.endpoints, [endpoint], "{text}");
        assert_eq!(usual(&row), expect, "{text}");
    };
    let free = Rates {
        input: Some(0),
        ..Rates::default()
    };
    check(
        r#"{"hear-1": {"litellm_provider": "openai", "mode": "audio_transcription",
            "input_cost_per_second": 0.0001}}"#,
        Endpoint::AudioTranscriptions,
        Rates {
            audio_ms: Some(100_000_000),
            ..free
        },
    );
    check(
        r#"{"say-1": {"litellm_provider": "openai", "mode": "audio_speech",
            "input_cost_per_character": 1.5e-05}}"#,
        Endpoint::AudioSpeech,
        Rates {
            characters: Some(15_000_000_000),
            ..free
        },
    );
    check(
        r#"{"gemini/draw-1": {"litellm_provider": "gemini", "mode": "image_generation",
            "output_cost_per_image": 0.04}}"#,
        Endpoint::ImagesGenerations,
        Rates {
            image_fee: Some(40_000_000),
            ..free
        },
    );
    check(
        r#"{"embed-1": {"litellm_provider": "openai", "mode": "embedding",
            "input_cost_per_token": 2e-08}}"#,
        Endpoint::Embeddings,
        Rates {
            input: Some(20_000_000),
            ..Rates::default()
        },
    );
}

#[test]
fn what_is_no_model_of_a_known_provider_is_left_out() {
    let list = r#"{
        "sample_spec": {"litellm_provider": "one of many", "mode": "one of many"},
        "low/1024-x-1024/draw-1": {"litellm_provider": "openai", "mode": "image_generation"},
        "ft:chat-1": {"litellm_provider": "openai", "mode": "chat"},
        "azure/eu/chat-1": {"litellm_provider": "azure", "mode": "chat"},
        "together-ai-4.1b-8b": {"litellm_provider": "together_ai", "mode": "chat"},
        "live-1": {"litellm_provider": "openai", "mode": "realtime"},
        "elsewhere/chat-1": {"litellm_provider": "elsewhere", "mode": "chat"}}"#;
    let error = Form::LiteLlm.read(list, DAY).expect_err("nothing is left");
    assert!(error.to_string().contains("no model"), "{error}");
}

#[test]
fn genai_prices_hold_from_a_day_on() {
    let row = only(
        Form::GenaiPrices,
        r#"[{"id": "openai", "models": [{"id": "made-up-1", "match": {"starts_with": "made-up"},
            "context_window": 128000,
            "prices": [
                {"prices": {"input_mtok": 1, "output_mtok": 2}},
                {"constraint": {"start_date": "2026-10-01"},
                 "prices": {"input_mtok": {"base": "3.5", "tiers": [{"start": 200000, "price": 7}]},
                            "output_mtok": 15, "web_searches_kcount": 10}},
                {"constraint": {"start_date": "2027-01-01"},
                 "prices": {"input_mtok": 9, "output_mtok": 9}}],
            "price_variants": [{"when": {"service_tier": "flex"},
                "prices": {"input_mtok": 1.75, "output_mtok": 7.5}}]}]}]"#,
    );
    let prices = row.prices.expect("prices");
    assert_eq!(
        prices.rates,
        Rates {
            input: Some(3_500_000_000),
            output: Some(15_000_000_000),
            search_fee: Some(10_000_000),
            ..Rates::default()
        }
    );
    let long = Rates {
        input: Some(7_000_000_000),
        output: Some(15_000_000_000),
        ..Rates::default()
    };
    let long = LongContextTier {
        above_tokens: 200_000,
        inclusive: false,
        prices: long,
    };
    assert_eq!(prices.long_context, [long]);
    assert_eq!(prices.service_tiers[0].service_tier, "flex");
    assert_eq!(prices.service_tiers[0].rates.input, Some(1_750_000_000));
}

#[test]
fn openrouters_free_models_are_free_and_others_are_not() {
    let list = r#"[{"id": "openrouter", "models": [
        {"id": "acme/one:free", "match": {"equals": "acme/one:free"}, "prices": {}},
        {"id": "acme/one", "match": {"equals": "acme/one"}, "prices": {}}]}]"#;
    let rows = Form::GenaiPrices.read(list, DAY).expect("readable").rows;
    assert_eq!(rows[0].prices, Some(Prices::per_million(0, 0)));
    assert_eq!(rows[1].prices, None);
}

#[test]
fn long_prompts_cost_the_usual_where_models_dev_says_nothing_else() {
    let row = only(
        Form::ModelsDev,
        r#"{"openai": {"models": {"made-up-1": {"id": "made-up-1",
            "modalities": {"input": ["text"], "output": ["text"]},
            "cost": {"input": 3, "output": 15, "context_over_200k": {"input": 6}}}}}}"#,
    );
    let long = row.prices.expect("prices").long_context[0].prices;
    assert_eq!(
        (long.input, long.output),
        (Some(6_000_000_000), Some(15_000_000_000))
    );
}

#[test]
fn models_dev_is_read() {
    let row = only(
        Form::ModelsDev,
        r#"{"anthropic": {"id": "anthropic", "models": {"made-up-1": {"id": "made-up-1",
            "name": "Made Up 1", "reasoning": true, "tool_call": true, "release_date": "2026-05-01",
            "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
            "limit": {"context": 200000, "output": 64000},
            "cost": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75,
                     "context_over_200k": {"input": 6, "output": 22.5}}}}},
            "elsewhere": {"models": {"x": {"cost": {"input": "what"}}}}}"#,
    );
    assert_eq!(usual(&row).cache_write_5m, Some(3_750_000_000));
    assert_eq!(
        row.prices
            .as_ref()
            .map(|it| it.long_context[0].prices.output),
        Some(Some(22_500_000_000))
    );
    assert_eq!(row.release_date.as_deref(), Some("2026-05-01"));
    assert_eq!(
        row.capabilities,
        [
            Capability::Tools,
            Capability::Reasoning,
            Capability::Vision,
            Capability::PromptCaching
        ]
    );
    assert_eq!(
        row.input_modalities,
        [Modality::Text, Modality::Image, Modality::File]
    );
    assert_eq!(
        (row.context_tokens, row.max_output_tokens),
        (Some(200_000), Some(64_000))
    );
}

#[test]
fn openrouters_list_is_read() {
    let list = r#"{"data": [
        {"id": "acme/one", "name": "Acme: One", "context_length": 131072,
         "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
         "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "request": "0",
                     "web_search": "0.01", "input_cache_read": "0.000000075",
                     "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.0000003"}]},
         "top_provider": {"max_completion_tokens": 8192},
         "supported_parameters": ["tools", "structured_outputs"]},
        {"id": "openrouter/pick", "pricing": {"prompt": "-1", "completion": "-1"}}]}"#;
    let rows = Form::OpenRouter.read(list, DAY).expect("readable").rows;
    let prices = rows[0].prices.as_ref().expect("prices");
    assert_eq!(
        prices.rates,
        Rates {
            input: Some(150_000_000),
            output: Some(600_000_000),
            cache_read: Some(75_000_000),
            search_fee: Some(10_000_000),
            ..Rates::default()
        }
    );
    assert_eq!(prices.long_context[0].prices.input, Some(300_000_000));
    assert_eq!(prices.long_context[0].prices.output, Some(600_000_000));
    assert_eq!(rows[0].max_output_tokens, Some(8_192));
    assert_eq!(rows[1].prices, None, "what a router picks has no price");
}

#[test]
fn another_form_is_refused_by_name() {
    for form in Form::ALL {
        for text in ["", "[1]", "{\"data\": 1}", "<html>", "\"text\""] {
            let error = form.read(text, DAY).expect_err(text);
            assert!(error.to_string().contains(form.name()), "{error}");
        }
    }
}

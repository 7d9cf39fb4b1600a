//! Versions that are applied, the overlay, and going back.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keyward_catalog::{CatalogFile, CatalogFolder, Choice, ModelEntry, OfferEntry, Thinking};
use keyward_money::Prices;

fn data(version: u64, model: &str) -> CatalogFile {
    let mut file = CatalogFile::new(version, "2026-11-21");
    file.models.push(ModelEntry {
        id: model.to_owned(),
        offers: vec![OfferEntry {
            provider: "openai".to_owned(),
            prices: Some(Prices::per_million(1, 2)),
            ..OfferEntry::default()
        }],
        ..ModelEntry::default()
    });
    file
}

fn folder(path: &tempfile::TempDir) -> CatalogFolder {
    CatalogFolder::new(
        path.path().join("catalog"),
        None,
        vec!["my-server".to_owned()],
    )
}

#[test]
fn an_empty_folder_has_what_the_program_brings() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    let embedded = folder.embedded().expect("data").version;
    assert_eq!(folder.load().expect("a catalogue").version(), embedded);
    assert_eq!(folder.versions().expect("none"), [0; 0]);
}

#[test]
fn a_version_is_applied_kept_and_left_again() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    let embedded = folder.embedded().expect("data").version;
    let one = folder.next_version("2026-11-21").expect("a version");
    assert!(one > embedded);
    let before = folder.stamp();
    folder
        .apply(&data(one, "openai/made-up-1"))
        .expect("applied");
    assert_ne!(folder.stamp(), before);
    let two = folder.next_version("2026-11-21").expect("a version");
    assert!(two > one);
    folder
        .apply(&data(two, "openai/made-up-2"))
        .expect("applied");
    let knows = |name: &str| {
        let catalog = folder.load().expect("a catalogue");
        catalog.resolve(name).is_some()
    };
    assert!(knows("openai/made-up-2") && !knows("openai/made-up-1"));
    assert!(knows("sandbox/echo"), "what is kept by hand lies over it");
    assert_eq!(folder.versions().expect("versions"), [two, one]);

    folder.choose(one).expect("it was there");
    assert!(knows("openai/made-up-1") && !knows("openai/made-up-2"));
    folder.choose(embedded).expect("the program's own");
    assert!(knows("openai/gpt-5") && !knows("openai/made-up-1"));
    assert_eq!(
        folder.choice().expect("none"),
        None,
        "a program of another version has not this one"
    );
    assert!(folder.choose(7).is_err());
    assert!(
        folder.apply(&data(one, "openai/other")).is_err(),
        "a version never changes"
    );
    let left = fs::read_dir(path.path().join("catalog/versions")).expect("a folder");
    assert_eq!(left.count(), 2, "nothing half-written stays");
}

#[test]
fn of_two_who_apply_at_once_one_is_refused() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    let version = folder.next_version("2026-11-21").expect("a version");
    let applied: Vec<bool> = std::thread::scope(|scope| {
        let apply = |model: &'static str| {
            let folder = folder.clone();
            scope.spawn(move || folder.apply(&data(version, model)).is_ok())
        };
        let both = [apply("openai/made-up-1"), apply("openai/made-up-2")];
        both.map(|thread| thread.join().expect("ended")).to_vec()
    });
    assert_eq!(applied.iter().filter(|applied| **applied).count(), 1);
    let mode = fs::metadata(path.path().join("catalog")).expect("a folder");
    assert_eq!(mode.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_choice_holds_until_the_program_brings_newer_data() {
    let check = |version, chosen_over, embedded, holds| {
        let choice = Choice {
            version,
            embedded: chosen_over,
        };
        assert_eq!(
            choice.holds_against(embedded),
            holds,
            "{choice:?} {embedded}"
        );
    };
    check(20, 10, 10, true);
    check(20, 10, 15, true);
    check(20, 10, 20, false);
    check(20, 10, 25, false);
    check(5, 10, 10, true);
    check(5, 10, 9, true);
    check(5, 10, 11, false);
}

#[test]
fn the_operators_overlay_wins() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    fs::create_dir_all(path.path().join("catalog")).expect("a folder");
    let overlay = path.path().join("catalog/overlay.json");
    let text = r#"{"schema": 1, "models": [
        {"id": "openai/gpt-4o", "listed": false, "offers": [
            {"provider": "openai", "prices": {"input": 1, "output": 2}},
            {"provider": "azure", "prices": {}},
            {"provider": "my-server", "upstream": "my-gpt"}]},
        {"id": "anthropic/claude-opus-4-5", "thinking": "adaptive"},
        {"id": "acme/own", "aliases": ["own"], "offers": [{"provider": "my-server"}]}]}"#;
    fs::write(&overlay, text).expect("written");
    let catalog = folder.load().expect("a catalogue");
    let input = |provider| catalog.prices(provider, "gpt-4o").map(|it| it.rates.input);
    assert_eq!(input("openai"), Some(Some(1)));
    assert_eq!(input("azure"), None, "unpriced by the overlay");
    assert_eq!(input("openrouter"), Some(Some(2_500_000_000)), "not in it");
    let model = catalog.resolve("gpt-4o").expect("still there");
    assert!(!model.is_listed());
    let offer = model.offer("my-server").expect("added");
    assert_eq!(offer.upstream, "my-gpt");
    assert_eq!(
        model.offer("openai").and_then(|it| it.source.as_deref()),
        Some("overlay")
    );
    let own = catalog.offer("my-server", "own").expect("an own model");
    assert_eq!(own.upstream, "own");
    let claude = catalog.resolve("claude-opus-4-5").expect("below it");
    assert_eq!(claude.thinking, Thinking::Adaptive);
}

#[test]
fn the_overlay_that_the_documentation_shows_can_be_used() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    fs::create_dir_all(path.path().join("catalog")).expect("a folder");
    let page = include_str!("../../../docs/catalog.md");
    let (_, rest) = page.split_once("```json\n").expect("an overlay");
    let (text, _) = rest.split_once("```").expect("its end");
    fs::write(path.path().join("catalog/overlay.json"), text).expect("written");
    let catalog = folder.load().expect("a catalogue");
    assert!(catalog.offer("my-server", "house").is_some());
    assert!(page.contains("[providers.my-server]\nbase_url = "));
}

#[test]
fn an_overlay_with_a_mistake_is_refused_by_name() {
    let path = tempfile::tempdir().expect("a folder");
    let folder = folder(&path);
    fs::create_dir_all(path.path().join("catalog")).expect("a folder");
    for (text, said) in [
        (
            r#"{"schema": 1, "models": [{"id": "openai/gpt-4o", "offers": [
                {"provider": "openai", "prices": {"inptu": 1}}]}]}"#,
            "openai/gpt-4o at openai",
        ),
        (
            r#"{"schema": 1, "models": [{"id": "openai/gpt-4o", "offers": [
                {"provider": "no-body"}]}]}"#,
            "openai/gpt-4o is offered at no-body, which is no provider here; one of your own is \
             added by the setting `providers.no-body.base_url`",
        ),
        (
            r#"{"schema": 1, "models": [{"id": "openai/gpt-4o", "offers": [
                {"provider": "openai", "prices": {"input": 1, "output": -2}}]}]}"#,
            "negative",
        ),
        (r#"{"schema": 1, "modles": []}"#, "form"),
        (r#"{"schema": 9}"#, "schema"),
    ] {
        fs::write(path.path().join("catalog/overlay.json"), text).expect("written");
        let error = folder.load().expect_err(text);
        let cause = std::error::Error::source(&error).expect("a cause");
        assert!(cause.to_string().contains(said), "{cause}");
    }
}

//! Settings as people write them: what is taken, and what is refused with which words.

use std::path::PathBuf;
use std::time::Duration;

use super::{Environment, MailTls, Prefer, Settings};
use crate::trace::Sampler;

fn load(variables: &[(&str, &str)], file: Option<&str>) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let config = file.map(|text| {
        let path = folder.path().join("keyward.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(&Environment::of(variables, config)).map_err(|error| error.to_string())
}

#[test]
fn defaults_need_nothing() {
    let settings = load(&[], None).unwrap();
    assert_eq!(settings.edge.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.grpc.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.data_dir, PathBuf::from("./keyward-data"));
    assert_eq!(settings.routing.prefer, Prefer::Openrouter);
    assert_eq!(settings.vault.revocation_bound, Duration::from_secs(1));
    assert_eq!(settings.vault.unseal_ceiling, 10_000);
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "data_dir = '/a'\n[routing]\nprefer = 'provider'\n[edge]\nlisten = '127.0.0.1:1'";
    let settings = load(&[("KEYWARD_EDGE__LISTEN", "127.0.0.1:2")], Some(file)).unwrap();
    assert_eq!(settings.edge.listen.port(), 2);
    assert_eq!(settings.routing.prefer, Prefer::Provider);
    assert_eq!(settings.data_dir, PathBuf::from("/a"));
}

#[test]
fn lists_and_tables_are_json_in_a_variable() {
    let settings = load(
        &[
            ("KEYWARD_PROVIDERS__PRIVATE_ALLOW", r#"["10.0.0.0/8"]"#),
            (
                "KEYWARD_VAULT__MASTER_KEYS",
                r#"[{"id": "a", "key": "b64"}]"#,
            ),
            (
                "KEYWARD_PROVIDERS__OPENAI",
                r#"{"base_url": "http://127.0.0.1:9/v1"}"#,
            ),
        ],
        None,
    )
    .unwrap();
    let allow = &settings.providers.private_allow;
    assert!(allow.names("10.1.2.3") && !allow.names("11.1.2.3"));
    assert_eq!(settings.vault.master_keys[0].key.expose(), "b64");
    let openai = &settings.providers.by_name["openai"];
    assert_eq!(
        openai.base_url.as_ref().unwrap().as_str(),
        "http://127.0.0.1:9/v1"
    );
}

#[test]
fn a_secret_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "sk-from-file\n").unwrap();
    let settings = load(
        &[(
            "KEYWARD_PROVIDERS__OPENAI__SYSTEM_KEY_FILE",
            path.to_str().unwrap(),
        )],
        None,
    )
    .unwrap();
    let key = settings.providers.by_name["openai"]
        .system_key
        .as_ref()
        .unwrap();
    assert_eq!(key.expose(), "sk-from-file");
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line for each case")]
fn what_is_wrong_is_named_with_its_place_and_what_was_expected() {
    /// Variables, file, what the error must say.
    type Case = (
        &'static [(&'static str, &'static str)],
        Option<&'static str>,
        &'static [&'static str],
    );
    let cases: &[Case] = &[
        (
            &[("KEYWARD_PROVIDERS__HOUSE__KEYLESS", "true")],
            None,
            &["providers.house.keyless", "`base_url`"],
        ),
        (
            &[("KEYWARD_EDGE__LISTNE", "x")],
            None,
            &["edge.listne", "KEYWARD_EDGE__LISTNE", "expected"],
        ),
        (
            &[],
            Some("[edge]\nlistne = 'x'"),
            &["edge.listne", "keyward.toml", "expected"],
        ),
        (&[], Some("colour = 'red'"), &["`colour`", "keyward.toml"]),
        (
            &[("KEYWARD_PROVIDERS__OPENAI__BASEURL", "x")],
            None,
            &["providers.openai.baseurl"],
        ),
        (
            &[("KEYWARD_COMPAT__BODY_METADATA", "yes")],
            None,
            &["compat.body_metadata", "boolean"],
        ),
        (&[("KEYWARD_EDGE__LISTEN", "8080")], None, &["edge.listen"]),
        (
            &[(
                "KEYWARD_PROVIDERS__PRIVATE_ALLOW",
                r#"["10.0.0.0/8", "a b"]"#,
            )],
            None,
            &["providers.private_allow", "`a b`", "10.0.0.0/8"],
        ),
        (
            &[("KEYWARD_EDGE__LISTEN", "nowhere")],
            None,
            &["edge.listen", "KEYWARD_EDGE__LISTEN", "127.0.0.1:8080"],
        ),
        (
            &[("KEYWARD_PROVIDERS__OPENAI", r#"{"kind": "mine"}"#)],
            None,
            &[
                "providers.openai.kind",
                "KEYWARD_PROVIDERS__OPENAI",
                "azure",
            ],
        ),
        (
            &[],
            Some("[vault]\nrevocation_bound = '31s'"),
            &["vault.revocation_bound", "keyward.toml"],
        ),
        (
            &[("KEYWARD_ROUTING__PREFER", "mine")],
            None,
            &["routing.prefer", "openrouter"],
        ),
        (
            &[("KEYWARD_VAULT__REVOCATION_BOUND", "499ms")],
            None,
            &["vault.revocation_bound", "500ms"],
        ),
        (
            &[("KEYWARD_VAULT__UNSEAL_CEILING", "0")],
            None,
            &["vault.unseal_ceiling", "from 1 to"],
        ),
        (
            &[("KEYWARD_VAULT__UNSEAL_CEILING", "many")],
            None,
            &["vault.unseal_ceiling", "UNSEAL_CEILING"],
        ),
        (
            &[("KEYWARD_VAULT__REVOCATION_BOUND", "31s")],
            None,
            &["vault.revocation_bound", "30s"],
        ),
        (
            &[("KEYWARD_ROUTING__FALLBACK_MAX_CHARGE", "five")],
            None,
            &["routing.fallback_max_charge", "FALLBACK_MAX_CHARGE", "0.05"],
        ),
        (
            &[("KEYWARD_ROUTING__FALLBACK_MAX_CHARGE", "-1")],
            None,
            &["routing.fallback_max_charge", "zero or more"],
        ),
        (
            &[("KEYWARD_CACHE__MAX_BYTES", "64MB")],
            None,
            &["cache.max_bytes", "number of bytes"],
        ),
        (
            &[("KEYWARD_CACHE__LIFETIME", "31d")],
            None,
            &["cache.lifetime"],
        ),
        (
            &[("KEYWARD_ROUTING__MAX_ATTEMPTS", "0")],
            None,
            &["routing.max_attempts", "from 1 to 32"],
        ),
        (
            &[("KEYWARD_ROUTING__FAILOVER_BUDGET", "16m")],
            None,
            &["routing.failover_budget", "15m"],
        ),
        (
            &[("KEYWARD_ROUTING__HEDGE", "p99")],
            None,
            &["routing.hedge", "off", "p95"],
        ),
        (
            &[("KEYWARD_ROUTING__PROBE_INTERVAL", "1ms")],
            None,
            &["routing.probe_interval", "500ms"],
        ),
        (
            &[("KEYWARD_ROUTING__ON_CREDIT_EXHAUSTED", "stop")],
            None,
            &["routing.on_credit_exhausted", "finish", "cut"],
        ),
        (
            &[("KEYWARD_ROUTING__KEY_TEST_INTERVAL", "8761h")],
            None,
            &["routing.key_test_interval", "8760h"],
        ),
        (
            &[("KEYWARD_GRPC__LISTEN", "0.0.0.0:1")],
            None,
            &["grpc.listen", "grpc.insecure", "tls.cert"],
        ),
        (
            &[("KEYWARD_TLS__CERT", "a"), ("KEYWARD_TLS__CA", "b")],
            None,
            &["tls.key", "is missing"],
        ),
        (
            &[("KEYWARD_EDGE__TLS__CERT", "a")],
            None,
            &["edge.tls.key", "is missing"],
        ),
        (
            &[("KEYWARD_EDGE__TLS__CA", "a")],
            None,
            &["edge.tls.ca", "access key"],
        ),
        (
            &[("KEYWARD_VAULT__URL", "https://vault:50051")],
            None,
            &["vault.url", "tls.ca"],
        ),
        (
            &[
                ("KEYWARD_TLS__CERT", "a"),
                ("KEYWARD_TLS__KEY", "b"),
                ("KEYWARD_TLS__CA", "c"),
                ("KEYWARD_VAULT__URL", "http://vault:50051"),
            ],
            None,
            &["vault.url", "https://"],
        ),
        (
            &[("KEYWARD_PROVIDERS__PROXY", "http://proxy:3128")],
            None,
            &[
                "providers.proxy",
                "KEYWARD_PROVIDERS__PROXY",
                "not available",
            ],
        ),
        (
            &[("KEYWARD_METERING__RETENTION_DAYS", "34")],
            None,
            &["metering.retention_days", "from 35"],
        ),
        (
            &[("KEYWARD_BOOTSTRAP__ADMIN_KEY_FILE", "/nope")],
            None,
            &["admin_key_file", "/nope"],
        ),
    ];
    for (variables, file, expected) in cases {
        let error = load(variables, *file).unwrap_err();
        for part in *expected {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    }
}

#[test]
fn with_certificates_grpc_may_listen_where_others_can_reach_it() {
    let settings = load(
        &[
            ("KEYWARD_TLS__CERT", "cert.pem"),
            ("KEYWARD_TLS__KEY", "key.pem"),
            ("KEYWARD_TLS__CA", "ca.pem"),
            ("KEYWARD_GRPC__LISTEN", "0.0.0.0:1"),
            ("KEYWARD_VAULT__URL", "https://vault:50051"),
        ],
        None,
    );
    let files = settings.unwrap().tls.unwrap();
    assert_eq!(files.ca.unwrap().to_str(), Some("ca.pem"));
}

#[test]
fn the_address_of_a_store_can_come_from_a_file_and_is_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "postgres://u:canary@db/d\n").unwrap();
    let path = file.path().to_str().unwrap();
    let settings = load(&[("KEYWARD_VAULT__STORE__URL_FILE", path)], None).unwrap();
    let store = settings.vault.store.as_ref().unwrap();
    assert_eq!(store.url.expose(), "postgres://u:canary@db/d");
    assert!(!format!("{settings:?}").contains("canary"));
    assert!(settings.metering.store.is_none());
}

#[test]
fn a_store_is_where_is_said_of_it_else_where_is_said_of_all() {
    let all = ("KEYWARD_STORE__URL", "postgres://a:canary@db/d");
    let vault = ("KEYWARD_VAULT__STORE__URL", "sqlite:");
    let metering = ("KEYWARD_METERING__STORE__URL", "postgres://m:canary@db/d");
    let settings = |set: &[_]| load(set, None).unwrap();
    let shown = |set: &[_]| {
        let settings = settings(set);
        assert!(!format!("{settings:?}").contains("canary"));
        [settings.vault.store, settings.metering.store].map(|store| store.map(|s| s.setting))
    };
    assert_eq!(shown(&[]), [None, None]);
    assert_eq!(shown(&[all]), [Some("store.url"), Some("store.url")]);
    assert_eq!(shown(&[all, vault]), [None, Some("store.url")]);
    assert_eq!(
        shown(&[all, metering]),
        [Some("store.url"), Some("metering.store.url")]
    );
    assert_eq!(settings(&[]).metering.retention_days, 400);
    assert!(settings(&[]).metering.leases);
    let keeps = settings(&[("KEYWARD_METERING__LEASES", "false")]);
    assert!(!keeps.metering.leases);
}

#[test]
fn the_address_of_redis_can_come_from_a_file_and_is_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "rediss://:canary@redis.example\n").unwrap();
    let path = file.path().to_str().unwrap();
    let set = [
        ("KEYWARD_REDIS__URL_FILE", path),
        ("KEYWARD_REDIS__CA_FILE", "ca.pem"),
        ("KEYWARD_REDIS__ROUTERS", "3"),
    ];
    let settings = load(&set, None).unwrap();
    let redis = settings.redis.as_ref().unwrap();
    assert_eq!(redis.url.expose(), "rediss://:canary@redis.example");
    assert_eq!(redis.routers.get(), 3);
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn a_redis_that_cannot_be_meant_is_refused_without_its_address() {
    let ca_file = ("KEYWARD_REDIS__CA_FILE", "ca.pem");
    let url = |url| ("KEYWARD_REDIS__URL", url);
    for (set, named) in [
        (vec![url("http://:canary@redis.example")], "redis.url"),
        (vec![url("canary")], "redis.url"),
        (vec![url("rediss://:canary@h/#insecure")], "redis.url"),
        (vec![url("redis://:canary@h"), ca_file], "redis.ca_file"),
        (vec![ca_file], "redis.ca_file"),
        (vec![("KEYWARD_REDIS__ROUTERS", "2")], "redis.routers"),
        (
            vec![url("redis://h"), ("KEYWARD_REDIS__ROUTERS", "0")],
            "redis.routers",
        ),
    ] {
        let refused = load(&set, None).unwrap_err();
        assert!(refused.contains(named), "{set:?}: {refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }
    assert!(load(&[], None).unwrap().redis.is_none());
}

#[test]
fn a_secret_is_in_no_error() {
    let file = "[bootstrap]\nadmin_key = 'kw_canary'\nadmin_key = 'kw_canary'";
    assert!(!load(&[], Some(file)).unwrap_err().contains("canary"));
    let settings = load(&[("KEYWARD_BOOTSTRAP__ADMIN_KEY", "kw_canary")], None).unwrap();
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn a_secret_given_in_the_wrong_form_is_in_no_error() {
    for (name, value) in [
        ("KEYWARD_VAULT__MASTER_KEYS", "canary"),
        ("KEYWARD_VAULT__MASTER_KEYS", r#"["canary"]"#),
        (
            "KEYWARD_VAULT__MASTER_KEYS",
            r#"[{"id": "a", "key": ["canary"]}]"#,
        ),
        (
            "KEYWARD_VAULT__MASTER_KEYS",
            r#"[{"id": ["canary"], "key": "canary"}]"#,
        ),
        (
            "KEYWARD_VAULT__MASTER_KEYS",
            r#"[{"id": "a", "key": "canary"}"#,
        ),
        ("KEYWARD_VAULT__FERNET_KEYS", r#"[["canary"]]"#),
        ("KEYWARD_VAULT__FERNET_KEYS", r#"[{"canary": 1}]"#),
        (
            "KEYWARD_VAULT__TRANSIT__URL",
            "https://canary:canary@bao.example",
        ),
        ("KEYWARD_PROVIDERS__OPENAI", "canary"),
        ("KEYWARD_BOOTSTRAP__ADMIN_KEY", r#"["canary"]"#),
    ] {
        let error = load(&[(name, value)], None).unwrap_err();
        assert!(!error.contains("canary"), "{error}");
        assert!(error.contains(name), "{error:?} lacks {name}");
    }
    for file in [
        "[vault]\nmaster_keys = ['canary']",
        "[bootstrap]\nadmin_key = canary",
        "[bootstrap]\nadmin_key = 'canary",
        "[bootstrap]\nadmin_key = 'kw'canary",
        "[bootstrap]\nadmin_key = \"\\canary\"",
    ] {
        let error = load(&[], Some(file)).unwrap_err();
        assert!(!error.contains("canary"), "{error}");
        assert!(error.contains("keyward.toml"), "{error}");
    }
}

#[test]
fn the_environment_is_not_printed() {
    let variables = [(
        "KEYWARD_BOOTSTRAP__ADMIN_KEY".to_owned(),
        "kw_canary".to_owned(),
    )];
    let printed = format!("{:?}", Environment::of(variables, None));
    assert!(printed.contains("KEYWARD_BOOTSTRAP__ADMIN_KEY") && !printed.contains("canary"));
}

#[test]
fn names_that_kubernetes_adds_are_no_settings() {
    let variables = [(
        "KEYWARD_EDGE_PORT".to_owned(),
        "tcp://10.0.0.1:80".to_owned(),
    )];
    let environment = Environment::of(variables, None);
    assert!(Settings::load(&environment).is_ok());
    assert_eq!(
        environment.strangers().collect::<Vec<_>>(),
        ["KEYWARD_EDGE_PORT"]
    );
}

#[test]
fn traces_go_where_the_setting_or_the_standard_variables_say() {
    let endpoint = |variables: &[(&str, &str)]| {
        let export = load(variables, None).unwrap().telemetry.export;
        export.map(|export| export.endpoint.to_string())
    };
    let ours = ("KEYWARD_TELEMETRY__OTLP_ENDPOINT", "http://a:4317");
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:4317");
    let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317");
    assert_eq!(endpoint(&[]), None);
    assert_eq!(
        endpoint(&[ours, general, of_traces]).unwrap(),
        "http://a:4317/"
    );
    assert_eq!(endpoint(&[general, of_traces]).unwrap(), "http://c:4317/");
    assert_eq!(endpoint(&[general]).unwrap(), "http://b:4317/");
    assert_eq!(endpoint(&[ours, ("OTEL_SDK_DISABLED", "TRUE")]), None);
    assert_eq!(endpoint(&[general, ("OTEL_TRACES_EXPORTER", "none")]), None);
}

#[test]
fn the_standard_variables_say_how_traces_are_exported() {
    let with = |variables: &[(&str, &str)]| {
        let mut all = vec![("KEYWARD_TELEMETRY__OTLP_ENDPOINT", "http://a:4317")];
        all.extend(variables);
        load(&all, None).map(|settings| settings.telemetry.export.unwrap())
    };
    let export = with(&[]).unwrap();
    assert_eq!(export.service_name, "keyward");
    assert_eq!(export.sampler, Sampler::default());
    assert_eq!((export.queue, export.batch), (2048, 512));
    let export = with(&[
        ("OTEL_SERVICE_NAME", "gateway"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "250"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ]);
    let export = export.unwrap();
    assert_eq!(export.service_name, "gateway");
    assert_eq!(Some(export.sampler), Sampler::named("traceidratio", 0.25));
    assert_eq!((export.queue, export.batch), (100, 100));
    assert_eq!(export.delay, Duration::from_millis(250));
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "team=a,service.name=b");
    assert_eq!(with(&[attributes]).unwrap().service_name, "b");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ] {
        let mut variables = vec![(name, value)];
        if name == "OTEL_TRACES_SAMPLER_ARG" {
            variables.push(("OTEL_TRACES_SAMPLER", "traceidratio"));
        }
        let error = with(&variables).unwrap_err();
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn mail_needs_a_server_and_somebody_who_writes() {
    let host = ("KEYWARD_MAIL__HOST", "smtp.example");
    let from = ("KEYWARD_MAIL__FROM", "Keyward <keyward@example.com>");
    let user = ("KEYWARD_MAIL__USER", "keyward");
    let password = ("KEYWARD_MAIL__PASSWORD", "canary");
    let plain = ("KEYWARD_MAIL__TLS", "none");
    assert!(load(&[], None).unwrap().mail.is_none());
    let mail = load(&[host, from], None).unwrap().mail.unwrap();
    assert_eq!((mail.port, mail.tls), (587, MailTls::Required));
    let mail = load(&[host, from, plain], None).unwrap().mail.unwrap();
    assert_eq!(mail.port, 25);
    let mail = load(&[host, from, user, password], None).unwrap().mail;
    let (login, secret) = mail.unwrap().login.unwrap();
    assert_eq!((login.as_str(), secret.expose()), ("keyward", "canary"));
    for (set, names) in [
        (vec![from], "mail.host"),
        (vec![host], "mail.from"),
        (vec![host, from, user], "mail.user"),
        (vec![host, from, user, password, plain], "mail.tls"),
        (vec![host, from, ("KEYWARD_MAIL__TLS", "some")], "mail.tls"),
        (vec![("KEYWARD_MAIL__CA_FILE", "ca.pem")], "mail.host"),
    ] {
        let refusal = load(&set, None).unwrap_err();
        assert!(refusal.contains(names), "{refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

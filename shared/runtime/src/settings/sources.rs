//! Gathers settings into one table: the file first, the environment over it, secrets read from their
//! files. Remembers where each came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::SettingsError;

/// What every variable of ours begins with.
const PREFIX: &str = "KEYWARD_";

/// What variables begin with that OpenTelemetry defines; they come from nowhere else.
const STANDARD_PREFIX: &str = "OTEL_";

/// Variables without `__` that are ours all the same.
const PLAIN: [&str; 5] = [
    "KEYWARD_DATA_DIR",
    "KEYWARD_CONFIG",
    "KEYWARD_URL",
    "KEYWARD_ACCESS_KEY",
    "KEYWARD_ACCESS_KEY_FILE",
];

/// Settings that may be given as the path of a file, with `_file` at the end of their name.
const SECRETS: [&str; 5] = [
    "admin_key",
    "system_key",
    "master_keys",
    "fernet_keys",
    "password",
];

/// The file that is read where none is named and it exists.
const DEFAULT_FILE: &str = "keyward.toml";

/// What a process was started with. Values are not printed: some are secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    config: Option<PathBuf>,
}

impl Environment {
    /// That of this process; `config` is the file named on the command line.
    pub fn of_process(config: Option<PathBuf>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            config,
        }
    }

    /// One made up, for tests.
    pub fn of(
        variables: impl IntoIterator<Item = (String, String)>,
        config: Option<PathBuf>,
    ) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            config,
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Variables that look like ours and are not: Kubernetes adds `KEYWARD_EDGE_PORT` and the like
    /// beside a service of that name.
    pub fn strangers(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str).filter(|name| {
            name.starts_with(PREFIX) && !name.contains("__") && !PLAIN.contains(name)
        })
    }

    fn file(&self) -> Option<PathBuf> {
        let named = self
            .config
            .clone()
            .or_else(|| self.get("KEYWARD_CONFIG").map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("config", &self.config)
            .finish()
    }
}

/// Settings in the form of a table, secrets among them, and where each came from.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) table: Table,
    file: Option<PathBuf>,
    /// Variable by setting.
    variables: BTreeMap<String, String>,
}

impl Gathered {
    /// Where a setting came from: the variable that set it, something in it, or what it is in; else
    /// the file.
    pub(super) fn origin(&self, name: &str) -> String {
        let of_name = |setting: &str| {
            let file_of = setting.strip_suffix("_file").unwrap_or(setting);
            is_within(setting, name) || is_within(name, setting) || is_within(name, file_of)
        };
        if let Some((_, variable)) = self.variables.iter().find(|(setting, _)| of_name(setting)) {
            return format!("environment variable {variable}");
        }
        if name.starts_with(STANDARD_PREFIX) {
            return "environment variable".to_owned();
        }
        match &self.file {
            Some(file) => format!("file {}", file.display()),
            None => "default".to_owned(),
        }
    }
}

/// Whether `inner` is the setting `outer`, a field of it, or an element.
fn is_within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

pub(super) fn gather(environment: &Environment) -> Result<Gathered, SettingsError> {
    let mut gathered = Gathered::default();
    if let Some(path) = environment.file() {
        gathered.table = read_file(&path)?;
        gathered.file = Some(path);
    }
    for (variable, value) in &environment.variables {
        if let Some(path) = setting_of(variable) {
            overlay(&mut gathered, variable, &path, guess(value))?;
        }
    }
    let mut table = std::mem::take(&mut gathered.table);
    read_secret_files(&mut table, "", &gathered)?;
    gathered.table = table;
    Ok(gathered)
}

fn read_file(path: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
        path: path.to_owned(),
        source,
    })?;
    text.parse::<Table>().map_err(|error| SettingsError::Toml {
        path: path.to_owned(),
        message: match error.span() {
            Some(span) => {
                let line = text[..span.start.min(text.len())].lines().count().max(1);
                format!("line {line}: {}", error.message())
            }
            None => error.message().to_owned(),
        },
    })
}

/// The path of the setting that a variable names, if it is one of ours.
fn setting_of(variable: &str) -> Option<Vec<String>> {
    if variable == "KEYWARD_DATA_DIR" {
        return Some(vec!["data_dir".to_owned()]);
    }
    let name = variable.strip_prefix(PREFIX)?;
    name.contains("__")
        .then(|| name.split("__").map(str::to_lowercase).collect())
}

/// A variable's value, typed as it looks: JSON for lists and tables, else a number, a switch, text.
fn guess(text: &str) -> Value {
    if text.starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return value;
    }
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Value::Integer(number),
            _ => Value::String(text.to_owned()),
        },
    }
}

fn overlay(
    gathered: &mut Gathered,
    variable: &str,
    path: &[String],
    value: Value,
) -> Result<(), SettingsError> {
    let name = path.join(".");
    let invalid = |message: &str| SettingsError::Invalid {
        name: name.clone(),
        origin: format!("environment variable {variable}"),
        message: message.to_owned(),
    };
    let Some((field, sections)) = path.split_last() else {
        return Err(invalid("names no setting"));
    };
    let mut table = &mut gathered.table;
    for section in sections {
        let entry = table
            .entry(section.as_str())
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry
            .as_table_mut()
            .ok_or_else(|| invalid("is not in a section"))?;
    }
    table.insert(field.clone(), value);
    gathered.variables.insert(name, variable.to_owned());
    Ok(())
}

/// Replaces `…_file` settings of secrets by what the files hold.
fn read_secret_files(
    table: &mut Table,
    prefix: &str,
    gathered: &Gathered,
) -> Result<(), SettingsError> {
    let names: Vec<String> = table.keys().cloned().collect();
    for name in names {
        let full = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        if let Some(Value::Table(inner)) = table.get_mut(&name) {
            read_secret_files(inner, &full, gathered)?;
        } else if let Some(secret) = name
            .strip_suffix("_file")
            .filter(|secret| SECRETS.contains(secret) || is_secret_url(prefix, secret))
        {
            let Some(Value::String(path)) = table.remove(&name) else {
                return Err(SettingsError::Invalid {
                    origin: gathered.origin(&full),
                    name: full,
                    message: "expected the path of a file".to_owned(),
                });
            };
            let value = read_secret_file(Path::new(&path), &full, gathered)?;
            table.insert(secret.to_owned(), value);
        }
    }
    Ok(())
}

/// The address of a store or of Redis has a password in it.
fn is_secret_url(section: &str, name: &str) -> bool {
    name == "url" && matches!(section.rsplit('.').next(), Some("store" | "redis"))
}

fn read_secret_file(path: &Path, name: &str, gathered: &Gathered) -> Result<Value, SettingsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(guess(text.trim())),
        Err(source) => Err(SettingsError::SecretFile {
            name: name.to_owned(),
            origin: gathered.origin(name),
            path: path.to_owned(),
            source,
        }),
    }
}

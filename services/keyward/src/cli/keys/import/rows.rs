//! Rows of a file with Fernet tokens: CSV with the names of its columns in the first line, or a JSON
//! object on each line. Of what cannot be read the number of the line is told, and nothing of its
//! text: it may be a token.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use keyward_secret::Secret;
use serde_json::{Map, Value};

use crate::cli::client::Request;
use crate::cli::exit::Failure;

/// What stands in the row itself, as the management API has it.
const MEMBERS: [&str; 9] = [
    "provider",
    "owner",
    "user",
    "organization",
    "project",
    "label",
    "base_url",
    "expires_at",
    "weight",
];
/// What is a setting of the key.
const SETTINGS: [&str; 4] = [
    "endpoint",
    "api_version",
    "deployments",
    "skip_format_check",
];
/// The token's name.
const TOKEN: &str = "token";

/// A row that can be read.
#[derive(Debug, Clone)]
pub(super) struct Row {
    members: Map<String, Value>,
    settings: Map<String, Value>,
    token: Secret,
}

/// A row of the file, or what is wrong with it.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// What is in it.
    pub(super) row: Result<Row, String>,
}

impl Row {
    /// With what the row says.
    pub(super) fn add_to(&self, mut request: Request) -> Request {
        for (name, value) in &self.members {
            request = request.member(name, Some(value.clone()));
        }
        let settings = Some(self.settings.clone()).filter(|all| !all.is_empty());
        request
            .member("settings", settings)
            .secret("fernet_token", self.token.clone())
    }

    /// A member for people.
    pub(super) fn shown(&self, name: &str) -> Value {
        self.members.get(name).cloned().unwrap_or_default()
    }

    fn new(given: impl IntoIterator<Item = (String, Value)>) -> Result<Self, String> {
        let mut row = Self {
            members: Map::new(),
            settings: Map::new(),
            token: Secret::new(""),
        };
        for (name, value) in given {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                (TOKEN, Value::String(token)) => row.token = Secret::new(token),
                (name, value) if MEMBERS.contains(&name) => {
                    row.members.insert(name.to_owned(), value);
                }
                (name, value) if SETTINGS.contains(&name) => {
                    row.settings.insert(name.to_owned(), value);
                }
                (TOKEN, _) => return Err("its `token` is no text".to_owned()),
                _ => return Err(format!("it has a member that is none of {}", known())),
            }
        }
        match row.token.is_empty() {
            true => Err("it has no `token`".to_owned()),
            false => Ok(row),
        }
    }
}

/// Reads all rows of a file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, Failure> {
    let told = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    match path == Path::new("-") {
        true => drop(
            io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .with_context(told)?,
        ),
        false => bytes = fs::read(path).with_context(told)?,
    }
    // As spreadsheets begin their files.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match text.trim_ascii_start().first() {
        Some(b'{') => Ok(json_lines(text)),
        _ => csv_lines(text),
    }
}

fn json_lines(text: &[u8]) -> Vec<Line> {
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines
        .map(|(line, number)| Line {
            number,
            row: match serde_json::from_slice::<Map<String, Value>>(line) {
                Ok(members) => Row::new(members),
                Err(_) => Err("it is no JSON object".to_owned()),
            },
        })
        .collect()
}

fn csv_lines(text: &[u8]) -> Result<Vec<Line>, Failure> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let columns = columns(&mut reader)?;
    let mut lines = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .context("this is no CSV")?
    {
        lines.push(Line {
            number: record.position().map_or(0, csv::Position::line),
            row: csv_row(&columns, &record),
        });
    }
    Ok(lines)
}

/// The names of the columns. A file without them begins with a row, of which nothing is repeated.
fn columns(reader: &mut csv::Reader<&[u8]>) -> Result<Vec<String>, Failure> {
    let header = reader.byte_headers().context("this is no CSV")?;
    let name = |field: &[u8]| Some(std::str::from_utf8(field).ok()?.trim().to_lowercase());
    let columns: Option<Vec<String>> = header.iter().map(name).collect();
    let columns = columns.unwrap_or_default();
    let is_known = |name: &String| {
        let name = name.as_str();
        name == TOKEN || MEMBERS.contains(&name) || SETTINGS.contains(&name)
    };
    if let Some(at) = columns.iter().position(|name| !is_known(name)) {
        let message = format!("line 1 names no column that is known at place {}", at + 1);
        return Err(Failure::refused(message).hint(format!("These are: {}.", known())));
    }
    match columns.iter().any(|name| name == TOKEN) {
        true => Ok(columns),
        false => Err(Failure::refused("line 1 names no column `token`")
            .hint(format!("It names the columns, of: {}.", known()))),
    }
}

fn csv_row(columns: &[String], record: &csv::ByteRecord) -> Result<Row, String> {
    if record.len() != columns.len() {
        return Err("it has another number of fields than line 1".to_owned());
    }
    let fields = columns.iter().zip(record);
    let given: Result<Vec<_>, String> = fields
        .filter(|(_, field)| !field.is_empty())
        .map(|(name, field)| match std::str::from_utf8(field) {
            Ok(text) => Ok((name.clone(), csv_value(name, text))),
            Err(_) => Err("it is no UTF-8".to_owned()),
        })
        .collect();
    Row::new(given?)
}

/// A field as the member that it stands for. What is no number or switch where one is needed goes as
/// it is, and the gateway says what it expects.
fn csv_value(name: &str, text: &str) -> Value {
    let is_typed = ["weight", "deployments", "skip_format_check"].contains(&name);
    let typed = is_typed.then(|| serde_json::from_str(text).ok()).flatten();
    typed.unwrap_or_else(|| text.into())
}

fn known() -> String {
    let names = MEMBERS.iter().chain(&SETTINGS).chain([&TOKEN]);
    let names: Vec<&str> = names.copied().collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, Result<String, String>)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let shown = |row: Row| row.add_to(Request::post(&["x"])).body().unwrap();
        let lines = read(file.path()).unwrap().into_iter();
        lines
            .map(|line| {
                let body = line.row.map(|row| String::from_utf8(shown(row)).unwrap());
                (line.number, body)
            })
            .collect()
    }

    #[test]
    fn both_forms_say_the_same() {
        let body = r#"{"provider":"azure","user":"bob","weight":3,"settings":{"endpoint":"https://x"},"fernet_token":"gAAA="}"#;
        let csv =
            "\u{feff}provider, user,Token,weight,endpoint,label\nazure,bob,gAAA=,3,https://x,\n";
        assert_eq!(lines(csv), [(2, Ok(body.to_owned()))]);
        let json = r#"
{"provider":"azure","user":"bob","token":"gAAA=","weight":3,"endpoint":"https://x","label":null}"#;
        assert_eq!(lines(json), [(2, Ok(body.to_owned()))]);
    }

    #[test]
    fn a_row_that_cannot_be_read_hides_no_other_and_is_not_repeated() {
        let csv = "provider,token\nopenai\n\"open\nai\",gAAA=\nopenai,\nopenai,gAAB=\n";
        let read = lines(csv);
        let good: Vec<_> = read.iter().map(|(at, row)| (*at, row.is_ok())).collect();
        assert_eq!(good, [(2, false), (3, true), (5, false), (6, true)]);
        let json = "{\"token\":\"canary\",\"tokken\":1}\n{\"token\":\"canary\n{\"token\":7}\n{}\n";
        let read = lines(json);
        assert_eq!(read.len(), 4);
        for (_, row) in read {
            assert!(!row.unwrap_err().contains("canary"));
        }
    }

    #[test]
    fn a_file_that_does_not_name_its_columns_is_refused() {
        for text in ["", "openai,canary\n", "provider,label\nopenai,x\n"] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            let refused = format!("{:?}", read(file.path()).unwrap_err());
            assert!(!refused.contains("canary"), "{refused}");
        }
    }
}

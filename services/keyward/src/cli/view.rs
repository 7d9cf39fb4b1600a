//! How resources are shown to people: a list as a table of chosen columns, one resource as all that
//! it says.

use jiff::tz::TimeZone;
use keyward_runtime::time;
use serde_json::Value;

use super::client::rows;
use super::table::{Align, Cell, Table, Tone};

/// A column of a list: its name for people, the member that it shows, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) Kind,
);

/// How a member is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word, a name, a list of them.
    Text,
    /// An amount or a count.
    Number,
    /// A word that says how something fares.
    Status,
}

impl Column {
    fn align(self) -> Align {
        match self.2 {
            Kind::Text | Kind::Status => Align::Left,
            Kind::Number => Align::Right,
        }
    }

    fn cell(self, row: &Value) -> Cell {
        let Self(_, member, kind) = self;
        // Members of members are written with a slash, as in a JSON pointer.
        let value = row.pointer(&format!("/{member}")).unwrap_or(&Value::Null);
        match kind {
            Kind::Text | Kind::Number => plain(member, value).into(),
            Kind::Status => status(&plain(member, value).replace('_', " ")),
        }
    }
}

/// A list as a table. `empty` is said where there is nothing in it.
pub(crate) fn list(answer: &Value, member: &str, columns: &[Column], empty: &str) -> Table {
    table(rows(answer, member), columns, empty)
}

/// Rows as a table.
pub(crate) fn table(rows: &[Value], columns: &[Column], empty: &str) -> Table {
    let header: Vec<_> = columns
        .iter()
        .map(|column| (column.0, column.align()))
        .collect();
    let mut table = Table::new(&header, empty);
    for row in rows {
        table.row(columns.iter().map(|column| column.cell(row)));
    }
    table
}

/// A resource: the name and the value of each member that has one.
pub(crate) fn resource(resource: &Value) -> Table {
    let mut table = Table::pairs();
    for (name, value) in resource.as_object().into_iter().flatten() {
        let shown = plain(name, value);
        if shown.is_empty() {
            continue;
        }
        let cell = match name.as_str() {
            "status" | "health" => status(&shown),
            _ => shown.into(),
        };
        table.pair(&name.replace('_', " "), cell);
    }
    table
}

/// A member's value in words; empty where it has none.
pub(crate) fn plain(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if is_time(name) => readable_time(text),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let shown: Vec<String> = values.iter().map(|value| plain("", value)).collect();
            shown.join(", ")
        }
        Value::Object(members) => {
            let shown = members
                .iter()
                .map(|(name, value)| (name, plain(name, value)));
            let shown = shown.filter(|(_, value)| !value.is_empty());
            let shown: Vec<String> = shown
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            shown.join(", ")
        }
    }
}

fn is_time(name: &str) -> bool {
    name.ends_with("_at") || name.ends_with("_since") || ["time", "from", "to"].contains(&name)
}

/// A time without the parts of a second, such as `2026-11-21 16:04:05Z`.
fn readable_time(text: &str) -> String {
    match time::from_text(text) {
        Some(time) => {
            let time = time.to_zoned(TimeZone::UTC);
            time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
        }
        None => text.to_owned(),
    }
}

fn status(word: &str) -> Cell {
    let tone = match word {
        "connected" | "ok" | "yes" | "added" => Tone::Good,
        "error" | "failed" | "down" | "refused" | "revoked" => Tone::Bad,
        "expired" | "degraded" | "cut" | "abandoned" | "hedged" | "disabled" | "not tried" => {
            Tone::Warning
        }
        _ => Tone::Plain,
    };
    Cell::new(word, tone)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Column, Kind, list, resource};

    #[test]
    fn a_list_shows_its_columns_alone() {
        let answer = json!({"users": [
            {"id": "bob", "created_at": "2026-11-21T16:04:05.123Z", "limits": {"rpm": 5}, "x": 1},
            {"id": "eve", "created_at": null, "limits": {}},
        ]});
        let columns = [
            Column("user", "id", Kind::Text),
            Column("created", "created_at", Kind::Text),
            Column("rpm", "limits/rpm", Kind::Number),
        ];
        let shown = list(&answer, "users", &columns, "Nobody.").render(false);
        let expect = "USER   CREATED                RPM\n\
                      bob    2026-11-21 16:04:05Z     5\n\
                      eve    -                        -\n";
        assert_eq!(shown, expect);
        let none = list(&json!({"users": []}), "users", &columns, "Nobody.");
        assert_eq!(none.render(false), "Nobody.\n");
    }

    #[test]
    fn a_resource_shows_all_that_it_says() {
        let one = json!({
            "id": "bob", "tier": null, "enabled": true, "last_used_at": "2026-11-21T16:04:05Z",
            "scopes": ["keys", "usage"], "limits": {"rpm": 5, "tpm": null},
        });
        let expect = "id             bob\n\
                      enabled        yes\n\
                      last used at   2026-11-21 16:04:05Z\n\
                      scopes         keys, usage\n\
                      limits         rpm=5\n";
        assert_eq!(resource(&one).render(false), expect);
    }
}

//! What the doctor says: one line for each thing it looked at, and how it stands in all.

use keyward_secret::redact_key_shapes;
use serde_json::{Value, json};

use crate::cli::table::{Align, Cell, Table, Tone};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Works, and somebody should look at it.
    Warn,
    /// Does not work, or must not be so.
    Fail,
    /// Could not be looked at; the message says why.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warning,
            Self::Fail => Tone::Bad,
            Self::Skip => Tone::Plain,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// What it is, such as `store.vault`; scripts find it by that.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) status: Status,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it, where there is something to do.
    pub(crate) mend: Option<String>,
}

impl Check {
    /// All is well.
    pub(crate) fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, message, None)
    }

    /// Somebody should look.
    pub(crate) fn warn(
        name: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(name, Status::Warn, message, Some(mend.into()))
    }

    /// A fault.
    pub(crate) fn fail(
        name: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(name, Status::Fail, message, Some(mend.into()))
    }

    /// Not looked at, and why.
    pub(crate) fn skip(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(name, Status::Skip, reason, None)
    }

    fn new(
        name: impl Into<String>,
        status: Status,
        message: impl Into<String>,
        mend: Option<String>,
    ) -> Self {
        // Part of what is said was written by others: causes, answers. None of it may show a key.
        Self {
            name: name.into(),
            status,
            message: redact_key_shapes(&message.into()),
            mend,
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "status": self.status.word(),
            "message": self.message,
            "mend": self.mend,
        })
    }

    fn line(&self) -> String {
        match &self.mend {
            Some(mend) => format!("{} -> {mend}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Everything that was looked at, in the order in which it is shown.
#[derive(Debug, Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// Adds what was found.
    pub(crate) fn add(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// Whether anything is a fault.
    pub(crate) fn has_failed(&self) -> bool {
        self.count(Status::Fail) > 0
    }

    fn count(&self, status: Status) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| check.status == status).count()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let checks: Vec<Value> = self.checks.iter().map(Check::json).collect();
        json!({
            "checks": checks,
            "summary": {
                "ok": self.count(Status::Ok),
                "warn": self.count(Status::Warn),
                "fail": self.count(Status::Fail),
                "skip": self.count(Status::Skip),
            },
        })
    }

    /// For people: a line each.
    pub(crate) fn table(&self) -> Table {
        let columns = [
            ("status", Align::Left),
            ("check", Align::Left),
            ("found", Align::Left),
        ];
        let mut table = Table::new(&columns, "");
        for check in &self.checks {
            let status = Cell::new(check.status.word(), check.status.tone());
            table.row([status, check.name.as_str().into(), check.line().into()]);
        }
        table
    }

    /// How it stands in all, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let counts = [
            (Status::Ok, "ok"),
            (Status::Warn, "to look at"),
            (Status::Fail, "to mend"),
            (Status::Skip, "skipped"),
        ];
        let counts = counts.map(|(status, words)| format!("{} {words}", self.count(status)));
        counts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Check, Report};

    fn report() -> Report {
        let mut report = Report::default();
        report.add([
            Check::ok("disk", "12 GiB free"),
            Check::fail("peer.vault", "nobody answers", "start it"),
            Check::skip("route", "no gateway runs"),
        ]);
        report
    }

    #[test]
    fn the_shape_for_programs_is_stable() {
        let expected = json!({
            "checks": [
                {"name": "disk", "status": "ok", "message": "12 GiB free", "mend": null},
                {"name": "peer.vault", "status": "fail", "message": "nobody answers",
                 "mend": "start it"},
                {"name": "route", "status": "skip", "message": "no gateway runs", "mend": null},
            ],
            "summary": {"ok": 1, "warn": 0, "fail": 1, "skip": 1},
        });
        assert_eq!(report().json(), expected);
        assert!(report().has_failed());
        assert!(!Report::default().has_failed());
    }

    #[test]
    fn people_read_a_line_for_each_with_the_mend_at_its_end() {
        let expected = "\
STATUS   CHECK        FOUND
ok       disk         12 GiB free
fail     peer.vault   nobody answers -> start it
skip     route        no gateway runs
";
        assert_eq!(report().table().render(false), expected);
        assert_eq!(
            report().sentence(),
            "1 ok, 0 to look at, 1 to mend, 1 skipped"
        );
    }

    #[test]
    fn what_looks_like_a_key_is_not_shown() {
        let check = Check::ok("route", "the key sk-proj-0123456789abcdef was refused");
        assert_eq!(check.message, "the key [redacted] was refused");
    }
}

//! A statement as a page to print. It needs nothing else, runs nothing, and everything in it that came
//! from somebody is escaped.

use std::fmt::{self, Display, Write as _};

use axum::response::{IntoResponse as _, Response};
use http::header;

use super::{LineFigures, LineView, StatementView};

/// Nothing is loaded and nothing runs, whatever may be in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<style>
body { font: 14px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0; }
h2 { font-size: 1.1em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.sum td { border-top: 2px solid #222; font-weight: bold; }
footer { margin-top: 2em; color: #666; }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
</style>
";

/// A text in which nothing is markup.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The page, with headers that let nothing run in it.
pub(super) fn page(statement: &StatementView) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
    ];
    (headers, Page(statement).to_string()).into_response()
}

struct Page<'a>(&'a StatementView);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statement = self.0;
        let (account, month) = (Escaped(&statement.account), Escaped(&statement.month));
        write!(
            f,
            "{HEAD}<title>Statement {month} of {account}</title>\n</head>\n<body>\n"
        )?;
        write!(
            f,
            "<h1>Statement {month}</h1>\n<p>{account}. Amounts in credits, months and "
        )?;
        f.write_str("times in UTC.</p>\n")?;
        credits(f, statement)?;
        usage(f, statement)?;
        savings(f, statement)?;
        f.write_str("<footer>")?;
        if let Some(made) = &statement.created_at {
            write!(f, "Made at {made}.")?;
        }
        f.write_str("</footer>\n</body>\n</html>\n")
    }
}

fn credits(f: &mut fmt::Formatter<'_>, statement: &StatementView) -> fmt::Result {
    let credits = &statement.credits;
    f.write_str("<h2>Credits</h2>\n<table>\n")?;
    for (name, sign, amount) in [
        ("Opening balance", "", credits.opening_balance),
        ("Grants", "+ ", credits.grants),
        ("Refunds", "+ ", credits.refunds),
        ("Charges", "− ", credits.charges),
        ("Expired credits", "− ", credits.expiries),
    ] {
        writeln!(
            f,
            "<tr><td>{name}</td><td class=\"n\">{sign}{amount}</td></tr>"
        )?;
    }
    let closing = credits.closing_balance;
    write!(
        f,
        "<tr class=\"sum\"><td>Closing balance</td><td class=\"n\">{closing}</td></tr>\n</table>\n"
    )?;
    let others = credits.charges_of_other_months;
    if others.nanos() != 0 {
        writeln!(
            f,
            "<p>Of the charges, {others} are for requests of other months.</p>"
        )?;
    }
    Ok(())
}

const COLUMNS: [&str; 6] = [
    "Requests",
    "Failed",
    "Input",
    "Output",
    "List cost",
    "Charge",
];

fn usage(f: &mut fmt::Formatter<'_>, statement: &StatementView) -> fmt::Result {
    f.write_str("<h2>Usage</h2>\n<table>\n<tr><th>Model</th><th>Provider</th><th>Key</th>")?;
    for column in COLUMNS {
        write!(f, "<th class=\"n\">{column}</th>")?;
    }
    f.write_str("<th class=\"n\">Saved</th></tr>\n")?;
    for line in &statement.usage {
        let LineView {
            model,
            provider,
            source,
            figures,
        } = line;
        let source = source.as_deref().unwrap_or_default();
        let (model, provider, source) = (Escaped(model), Escaped(provider), Escaped(source));
        write!(
            f,
            "<tr><td>{model}</td><td>{provider}</td><td>{source}</td>"
        )?;
        cells(f, figures)?;
    }
    f.write_str("<tr class=\"sum\"><td>Total</td><td></td><td></td>")?;
    cells(f, &statement.total)?;
    f.write_str("</table>\n")
}

fn cells(f: &mut fmt::Formatter<'_>, figures: &LineFigures) -> fmt::Result {
    let counts = [
        figures.requests,
        figures.failed_attempts,
        figures.usage.input,
        figures.usage.output,
    ];
    for count in counts {
        write!(f, "<td class=\"n\">{count}</td>")?;
    }
    for amount in [figures.list_cost, figures.charge, figures.saved] {
        write!(f, "<td class=\"n\">{amount}</td>")?;
    }
    f.write_str("</tr>\n")
}

fn savings(f: &mut fmt::Formatter<'_>, statement: &StatementView) -> fmt::Result {
    let (saved, tier) = (statement.savings.saved, Escaped(&statement.savings.tier));
    writeln!(
        f,
        "<p>Own keys saved {saved} against credits at the tier {tier}.</p>"
    )
}

#[cfg(test)]
mod tests {
    use keyward_proto::metering::v1 as wire;

    use super::{Escaped, POLICY, Page, page};
    use crate::rest::usage::statement::StatementView;

    fn statement(name: &str) -> StatementView {
        let line = |charge_nanos| wire::StatementLine {
            model: name.to_owned(),
            provider: name.to_owned(),
            charge_nanos,
            ..wire::StatementLine::default()
        };
        wire::Statement {
            account: name.to_owned(),
            month: name.to_owned(),
            lines: vec![line(1_500_000_000)],
            total: Some(line(1_500_000_000)),
            credits: Some(wire::StatementCredits {
                opening_balance_nanos: 10_000_000_000,
                charges_nanos: 1_500_000_000,
                closing_balance_nanos: 8_500_000_000,
                ..wire::StatementCredits::default()
            }),
            savings: Some(wire::Savings {
                tier: name.to_owned(),
                ..wire::Savings::default()
            }),
            ..wire::Statement::default()
        }
        .into()
    }

    #[test]
    fn nothing_that_came_from_somebody_is_markup() {
        let hostile = "<script>alert(\"1\")</script>&'x";
        assert_eq!(
            Escaped(hostile).to_string(),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;x"
        );
        let page = Page(&statement(hostile)).to_string();
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains("&'"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 7, "{page}");
    }

    #[test]
    fn the_page_needs_nothing_else_and_shows_what_adds_up() {
        let page = Page(&statement("acme")).to_string();
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for amount in ["10.00", "− 1.50", "8.50"] {
            assert!(
                page.contains(&format!("<td class=\"n\">{amount}</td>")),
                "{page}"
            );
        }
    }

    #[test]
    fn nothing_may_run_in_it() {
        let response = page(&statement("acme"));
        let headers = response.headers();
        assert_eq!(headers["content-security-policy"], POLICY);
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
}

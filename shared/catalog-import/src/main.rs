//! Makes the catalogue's data file from two published lists.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use keyward_catalog::{Catalog, CatalogFile, Source};
use keyward_catalog_import::Form;
use keyward_catalog_import::merge::{Recipe, merge};

/// Makes the catalogue's data file from LiteLLM's price map and genai-prices' data.
#[derive(Debug, Parser)]
struct Arguments {
    /// LiteLLM's price map.
    #[arg(long)]
    litellm: PathBuf,
    /// Its version.
    #[arg(long)]
    litellm_version: String,
    /// genai-prices' data, as JSON.
    #[arg(long)]
    genai_prices: PathBuf,
    /// Its version.
    #[arg(long)]
    genai_prices_version: String,
    /// The day of the data, `YYYY-MM-DD`.
    #[arg(long)]
    date: String,
    /// Which of the versions of that day this is, 1 to 99.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=99))]
    revision: u64,
    /// Where to write the data.
    #[arg(long)]
    out: PathBuf,
    /// Where to write what was refused and where the lists disagree.
    #[arg(long)]
    report: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let read = |form: Form, path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let reading = form.read(&text, &arguments.date)?;
        anyhow::Ok(reading)
    };
    let source = |form: Form, version: &str| Source {
        name: form.name().to_owned(),
        version: version.to_owned(),
    };
    let recipe = Recipe {
        version: version(&arguments.date, arguments.revision)?,
        as_of: arguments.date.clone(),
        sources: vec![
            source(Form::LiteLlm, &arguments.litellm_version),
            source(Form::GenaiPrices, &arguments.genai_prices_version),
        ],
    };
    let merged = merge(
        read(Form::LiteLlm, &arguments.litellm)?,
        Some(read(Form::GenaiPrices, &arguments.genai_prices)?),
        &CatalogFile::hand()?,
        recipe,
    );
    Catalog::of(merged.file.clone().under(CatalogFile::hand()?), &[])?;
    fs::write(&arguments.out, merged.file.to_text()?)?;
    fs::write(&arguments.report, merged.report())?;
    write!(std::io::stdout(), "{}", merged.summary())?;
    Ok(())
}

/// `YYYYMMDDnn`.
fn version(date: &str, revision: u64) -> anyhow::Result<u64> {
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    anyhow::ensure!(
        date.len() == 10 && digits.len() == 8,
        "expected a day as YYYY-MM-DD"
    );
    Ok(digits.parse::<u64>()? * 100 + revision)
}

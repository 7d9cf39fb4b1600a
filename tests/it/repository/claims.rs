//! What SECURITY.md says is tried is tried: each test that it names is where it says.

use std::fs;

/// The rows of the table: each a claim and the tests that try it.
fn rows(text: &str) -> Vec<(&str, &str)> {
    let (_, table) = text
        .split_once("## What is tried against it")
        .expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    rows.skip(2)
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 2, "not a claim and its tests: {row}");
            (cells[0].trim(), cells[1])
        })
        .collect()
}

/// The words in back quotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_claim_has_a_test_that_exists() {
    let text = fs::read_to_string(super::root().join("SECURITY.md")).unwrap();
    let rows = rows(&text);
    assert!(rows.len() > 20, "hardly anything is claimed");
    for (claim, cell) in rows {
        let mut file = String::new();
        let mut tests = 0;
        for word in quoted(cell) {
            if word.contains('/') {
                file = fs::read_to_string(super::root().join(word))
                    .unwrap_or_else(|error| panic!("{claim}: {word}: {error}"));
            } else {
                let declared = format!("fn {word}(");
                assert!(file.contains(&declared), "{claim}: there is no {word}");
                tests += 1;
            }
        }
        assert!(tests > 0, "{claim}: no test is named");
    }
}

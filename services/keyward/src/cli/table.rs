//! Tables for people: plain columns without lines, so that they can be read, copied and cut.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

/// The space between two columns.
const GAP: &str = "   ";

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Where a column's text stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// For words.
    Left,
    /// For numbers and amounts.
    Right,
}

/// What a cell says beside its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Somebody should look.
    Warning,
    /// It does not work.
    Bad,
}

/// One text of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a tone. Control characters, which could steer a terminal, become spaces.
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into().replace(char::is_control, " ");
        Self { text, tone }
    }

    fn shown(&self) -> &str {
        match self.text.is_empty() {
            true => NOTHING,
            false => &self.text,
        }
    }

    fn width(&self) -> usize {
        self.shown().chars().count()
    }

    fn style(&self) -> Style {
        match self.tone {
            Tone::Plain => Style::new(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Rows under a header; or, without one, names and values side by side.
#[derive(Debug, Default)]
pub(crate) struct Table {
    header: Vec<Cell>,
    aligns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
    empty: String,
}

impl Table {
    /// A table with these columns. `empty` is said in its place where it has no rows.
    pub(crate) fn new(columns: &[(&str, Align)], empty: &str) -> Self {
        Self {
            header: columns
                .iter()
                .map(|(name, _)| name.to_uppercase().into())
                .collect(),
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: Vec::new(),
            empty: empty.to_owned(),
        }
    }

    /// Names and values, one pair a line.
    pub(crate) fn pairs() -> Self {
        Self {
            aligns: vec![Align::Left, Align::Left],
            ..Self::default()
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a name and its value.
    pub(crate) fn pair(&mut self, name: &str, value: impl Into<Cell>) {
        self.row([name.into(), value.into()]);
    }

    /// The table as text, each line with its end.
    pub(crate) fn render(&self, colour: bool) -> String {
        if self.rows.is_empty() && !self.empty.is_empty() {
            return format!("{}\n", self.empty);
        }
        let widths = self.widths();
        let mut text = String::new();
        if !self.header.is_empty() {
            let bold = colour.then(|| Style::new().bold());
            self.render_row(&self.header, &widths, |_| bold, &mut text);
        }
        for row in &self.rows {
            self.render_row(row, &widths, |cell| colour.then(|| cell.style()), &mut text);
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.aligns.len()];
        for row in std::iter::once(&self.header).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        widths
    }

    fn render_row(
        &self,
        row: &[Cell],
        widths: &[usize],
        style: impl Fn(&Cell) -> Option<Style>,
        text: &mut String,
    ) {
        let start = text.len();
        for (index, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[index].saturating_sub(cell.width()));
            let style = style(cell).unwrap_or_default();
            let gap = if index == 0 { "" } else { GAP };
            let shown = cell.shown();
            // Writing to a text cannot fail.
            let _ = match self.aligns[index] {
                Align::Left => write!(text, "{gap}{style}{shown}{style:#}{padding}"),
                Align::Right => write!(text, "{gap}{padding}{style}{shown}{style:#}"),
            };
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::{Align, Cell, Table, Tone};

    fn keys() -> Table {
        let columns = [
            ("label", Align::Left),
            ("charge", Align::Right),
            ("status", Align::Left),
        ];
        Table::new(&columns, "There are no keys yet.")
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut table = keys();
        table.row(["work".into(), "0.25".into(), Cell::new("ok", Tone::Good)]);
        table.row(["".into(), "1250.00".into(), Cell::new("é", Tone::Bad)]);
        assert_eq!(
            table.render(false),
            "LABEL    CHARGE   STATUS\nwork       0.25   ok\n-       1250.00   é\n"
        );
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = keys();
        table.row([Cell::new("a", Tone::Bad), "1".into(), "ok".into()]);
        let shown = table.render(true);
        assert!(shown.contains("\u{1b}[31ma\u{1b}[0m    "), "{shown:?}");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(keys().render(false), "There are no keys yet.\n");
    }

    #[test]
    fn what_could_steer_a_terminal_is_taken_out() {
        let mut table = Table::pairs();
        table.pair("label", "red\u{1b}[31m\nnext");
        assert_eq!(table.render(false), "label   red [31m next\n");
    }
}

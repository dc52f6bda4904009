//! Sections of Markdown.

use std::fmt::Write as _;

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    text: String,
}

impl Grid {
    /// With these headings. All columns but the first are numbers.
    pub fn new(headings: &[&str]) -> Self {
        let mut grid = Self::default();
        grid.row(headings.iter().map(ToString::to_string));
        grid.row(headings.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" }.to_owned()));
        grid
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.text.push('|');
        for cell in cells {
            // Writing to a string does not fail.
            let _ = write!(self.text, " {cell} |");
        }
        self.text.push('\n');
    }

    /// The table's text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A section: heading, what was done, table, what else there is to say.
pub fn section(heading: &str, before: &str, grid: &Grid, after: &str) -> String {
    let mut text = format!("## {heading}\n\n{before}\n\n{}", grid.text());
    if !after.is_empty() {
        // As above.
        let _ = write!(text, "\n{after}\n");
    }
    text
}

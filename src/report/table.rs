//! A table of plain text: names on the left, figures on the right, one rule under the header.
//!
//! A row is never broken. A table that is wider than the terminal is laid out in several blocks of columns, one under the
//! other, each beginning with the names; columns of a group stay together where they can. A figure's tail (its interval)
//! is aligned apart, so that the figures of a column line up. Left out: boxes, and cells of several lines.

use super::markdown::escaped;
use super::text::{fit, width};

/// What a cell says beyond its words. It is shown in colour only, so the words must say it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Marks good news.
    Good,
    /// Marks bad news.
    Bad,
    /// Marks what is undecided, or of little weight.
    Dim,
    /// Marks a heading.
    Strong,
}

impl Tone {
    /// `text` in this tone: ANSI colour (ECMA-48 SGR) if `colour`, else as it is.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
            Tone::Plain => return text.to_owned(),
        };
        if colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// One cell: a figure and its tail, or a word. Neither holds control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The figure, or the word.
    pub text: String,
    /// What follows it, aligned apart.
    pub tail: String,
    /// How it is shown.
    pub tone: Tone,
}

impl Cell {
    /// A plain cell.
    pub fn new(text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            ..Cell::default()
        }
    }

    /// With what follows the figure.
    #[must_use]
    pub fn tail(mut self, tail: impl Into<String>) -> Cell {
        self.tail = tail.into();
        self
    }

    /// In a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }
}

/// A column's head.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    group: String,
    title: String,
    left: bool,
}

/// A table under construction: columns first, then rows. No text in it holds control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    names: String,
    columns: Vec<Column>,
    rows: Vec<(String, Vec<Cell>)>,
}

/// Spaces between two columns.
const GAP: usize = 2;

/// A name is never cut to fewer columns than this.
const NAME: usize = 8;

impl Table {
    /// A table without columns yet; `names` heads the names of the rows.
    pub fn new(names: &str) -> Table {
        Table {
            names: names.into(),
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a column of figures. Neighbours of one group, if it is not empty, stand under its name.
    pub fn column(&mut self, group: &str, title: &str) {
        self.push(group, title, false);
    }

    /// Adds a column of words.
    pub fn words(&mut self, group: &str, title: &str) {
        self.push(group, title, true);
    }

    /// Adds a row; cells that it lacks stay empty, cells beyond the last column are not shown.
    pub fn row(&mut self, name: &str, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push((name.into(), cells.into_iter().collect()));
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The heads of its columns, that of the names first, and whether what stands below is words.
    pub fn heads(&self) -> impl Iterator<Item = (&str, bool)> {
        let columns = self.columns.iter().map(|column| (column.title.as_str(), column.left));
        std::iter::once((self.names.as_str(), true)).chain(columns)
    }

    /// The rows of the table: a name and its cells.
    pub fn rows(&self) -> &[(String, Vec<Cell>)] {
        &self.rows
    }

    /// The table in GitHub's Markdown, each line ending in a newline. The groups of columns are left out.
    pub(crate) fn markdown(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = row(self.heads().map(|(head, _)| escaped(head)).collect());
        text += &row((self.heads())
            .map(|(_, left)| if left { "---" } else { "---:" }.into())
            .collect());
        for (name, cells) in &self.rows {
            let cell = |cell: &Cell| escaped(format!("{} {}", cell.text, cell.tail).trim());
            let mut texts: Vec<String> = std::iter::once(escaped(name)).chain(cells.iter().map(cell)).collect();
            texts.resize(self.columns.len() + 1, String::new());
            text += &row(texts);
        }
        text
    }

    /// The table in lines of at most `limit` columns, each ending in a newline. Only a column that is wider than the
    /// limit by itself makes a wider line.
    pub fn render(&self, limit: usize, colour: bool) -> String {
        let columns: Vec<Extent> = (0..self.columns.len()).map(|index| self.extent(index)).collect();
        let longest = self.rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let widest = columns.iter().map(|extent| extent.total).max().unwrap_or(0);
        let names = longest
            .max(width(&self.names))
            .min(limit.saturating_sub(GAP + widest).max(NAME));
        let room = limit.saturating_sub(names);
        let blocks = self.blocks(&columns, room);
        let blocks: Vec<String> = blocks
            .iter()
            .map(|block| self.block(block, &self.widened(block, &columns, room), names, colour))
            .collect();
        blocks.join("\n")
    }

    /// The columns, those of `block` as wide as the names of their groups need, where there is room.
    fn widened(&self, block: &[usize], columns: &[Extent], room: usize) -> Vec<Extent> {
        let mut widened = columns.to_vec();
        let mut taken = block.iter().map(|&index| GAP + columns[index].total).sum::<usize>();
        for run in block.chunk_by(|&a, &b| self.columns[a].group == self.columns[b].group) {
            let lacks = self.lacks(run, columns).min(room.saturating_sub(taken));
            widened[run[0]].total += lacks;
            taken += lacks;
        }
        widened
    }

    /// By how much the name of their group is wider than these columns.
    fn lacks(&self, run: &[usize], columns: &[Extent]) -> usize {
        let span = run.iter().map(|&index| GAP + columns[index].total).sum::<usize>() - GAP;
        width(&self.columns[run[0]].group).saturating_sub(span)
    }

    fn push(&mut self, group: &str, title: &str, left: bool) {
        self.columns.push(Column {
            group: group.into(),
            title: title.into(),
            left,
        });
    }

    fn extent(&self, index: usize) -> Extent {
        let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(index));
        let tail = cells.clone().map(|cell| width(&cell.tail)).max().unwrap_or(0);
        let text = cells.map(|cell| width(&cell.text)).max().unwrap_or(0);
        let between = usize::from(tail > 0);
        Extent {
            tail: between + tail,
            total: (text + between + tail).max(width(&self.columns[index].title)),
        }
    }

    /// Shares the columns out to blocks in which they take at most `room`.
    fn blocks(&self, columns: &[Extent], room: usize) -> Vec<Vec<usize>> {
        let mut blocks: Vec<Vec<usize>> = vec![Vec::new()];
        let mut taken = 0;
        let mut next = 0;
        while next < columns.len() {
            let group = &self.columns[next].group;
            let together = if group.is_empty() {
                1
            } else {
                self.columns[next..]
                    .iter()
                    .take_while(|column| column.group == *group)
                    .count()
            };
            let needed = |count: usize| {
                let run: Vec<usize> = (next..next + count).collect();
                run.iter().map(|&i| GAP + columns[i].total).sum::<usize>() + self.lacks(&run, columns)
            };
            // A group that fits in no block is broken up.
            let count = if needed(together) <= room { together } else { 1 };
            if taken > 0 && taken + needed(count) > room {
                blocks.push(Vec::new());
                taken = 0;
            }
            taken += needed(count);
            if let Some(block) = blocks.last_mut() {
                block.extend(next..next + count);
            }
            next += count;
        }
        blocks
    }

    fn block(&self, block: &[usize], columns: &[Extent], names: usize, colour: bool) -> String {
        let mut lines = vec![self.groups(block, columns, names)];
        let mut header = pad(&self.names, names);
        for &index in block {
            let Column { title, left, .. } = &self.columns[index];
            let free = columns[index].total - width(title);
            header += &" ".repeat(GAP + if *left { 0 } else { free });
            header += title;
            header += &" ".repeat(if *left { free } else { 0 });
        }
        let whole = names + block.iter().map(|&index| GAP + columns[index].total).sum::<usize>();
        lines.extend([header, "─".repeat(whole)]);
        for (name, cells) in &self.rows {
            let mut line = pad(&fit(name, names), names);
            for &index in block {
                line += &" ".repeat(GAP);
                let cell = cells.get(index).cloned().unwrap_or_default();
                line += &columns[index].show(&cell, self.columns[index].left, colour);
            }
            lines.push(line);
        }
        let lines = lines.iter().filter(|line| !line.is_empty());
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The line over the header with the names of groups; empty if the block has none.
    fn groups(&self, block: &[usize], columns: &[Extent], names: usize) -> String {
        let mut line = String::new();
        for run in block.chunk_by(|&a, &b| self.columns[a].group == self.columns[b].group) {
            let span = run.iter().map(|&index| GAP + columns[index].total).sum::<usize>() - GAP;
            let group = fit(&self.columns[run[0]].group, span);
            let free = span - width(&group);
            let fill = if group.is_empty() || free < 4 { " " } else { "─" };
            let space = if fill == " " { "" } else { " " };
            let free = free - 2 * space.len();
            line += &" ".repeat(GAP);
            line += &fill.repeat(free / 2);
            line += &format!("{space}{group}{space}");
            line += &fill.repeat(free - free / 2);
        }
        if line.trim().is_empty() {
            return String::new();
        }
        " ".repeat(names) + &line
    }
}

/// How wide a column is.
#[derive(Clone)]
struct Extent {
    /// The tails, with the space before them.
    tail: usize,
    /// All of it.
    total: usize,
}

impl Extent {
    fn show(&self, cell: &Cell, left: bool, colour: bool) -> String {
        let between = if cell.tail.is_empty() { "" } else { " " };
        let shown = format!("{}{between}{}", cell.text, cell.tail);
        let free = self.total.saturating_sub(width(&shown));
        let after = if left {
            free
        } else {
            self.tail.saturating_sub(between.len() + width(&cell.tail))
        };
        let before = free.saturating_sub(after);
        let painted = cell.tone.paint(&shown, colour);
        format!("{}{painted}{}", " ".repeat(before), " ".repeat(after.min(free)))
    }
}

/// `text` with spaces after it up to `columns`.
fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("policy");
        for title in ["p50", "p95"] {
            table.column("TTFT", title);
        }
        table.column("", "errors");
        table.words("", "judged");
        table.row(
            "one",
            [
                Cell::new("320 ms").tail("±4"),
                Cell::new("1.24 s").tail("±0.03"),
                Cell::new("0 %"),
                Cell::new("PASS").tone(Tone::Good),
            ],
        );
        table.row(
            "größer",
            [
                Cell::new("1.00 s").tail("±0.01"),
                Cell::new("–"),
                Cell::new("12.3 %"),
                Cell::new("UNDECIDED"),
            ],
        );
        table
    }

    #[test]
    fn a_table_that_fits_is_one_block() {
        let rule = "─".repeat(6 + (2 + 12) + (2 + 12) + (2 + 6) + (2 + 9));
        let expected = [
            "        ────────── TTFT ──────────",
            "policy           p50           p95  errors  judged",
            &rule,
            "one     320 ms ±4     1.24 s ±0.03     0 %  PASS",
            "größer  1.00 s ±0.01       –        12.3 %  UNDECIDED",
        ];
        let found = table().render(80, false);
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_line_is_wider_than_the_limit_and_each_block_has_the_names() {
        for limit in [22, 30, 36, 40, 50, 60] {
            let found = table().render(limit, false);
            for line in found.lines() {
                assert!(width(line) <= limit, "{limit}: {line}");
            }
            for block in found.split("\n\n") {
                assert_eq!(block.lines().filter(|line| line.starts_with("größer")).count(), 1);
            }
        }
    }

    #[test]
    fn a_group_moves_to_the_next_block_whole() {
        let mut table = Table::new("n");
        table.column("", "aaaaaaaaaa");
        for title in ["bbbbbb", "cccccc"] {
            table.column("g", title);
        }
        table.row("x", []);
        let heads: Vec<String> = table.render(26, false).split("\n\n").map(str::to_owned).collect();
        assert_eq!(heads.len(), 2);
        assert!(
            heads[0].starts_with("n  aaaaaaaaaa\n") && heads[1].contains("bbbbbb  cccccc\n"),
            "{heads:?}"
        );
    }

    /// A bound that is cut in the middle is another bound.
    #[test]
    fn columns_are_as_wide_as_their_groups_say_where_there_is_room() {
        let mut table = Table::new("policy");
        table.column("≤ 12.50 %", "errors");
        table.column("≤ 2.50 s", "p95");
        table.row("one", [Cell::new("0 %"), Cell::new("1 s")]);
        for limit in [17, 26, 80] {
            let text = table.render(limit, false);
            assert!(
                text.contains("≤ 12.50 %") && text.contains("≤ 2.50 s"),
                "{limit}: {text}"
            );
            assert!(text.lines().all(|line| width(line) <= limit), "{limit}: {text}");
        }
        assert!(table.render(12, false).contains('…'));
    }

    #[test]
    fn names_give_way_to_figures() {
        let mut table = Table::new("policy");
        table.column("", "figure");
        table.row("a-very-long-name-of-a-policy", [Cell::new("12345678")]);
        assert!(table.render(20, false).ends_with("\na-ver…licy  12345678\n"));
    }

    #[test]
    fn no_width_is_too_small() {
        let mut bare = Table::new("");
        bare.words("group", "");
        bare.row("", []);
        for limit in 0..8 {
            assert!(table().render(limit, false).contains("größer") && bare.render(limit, false).len() > 1);
        }
    }

    #[test]
    fn colour_changes_no_width() {
        let coloured = table().render(80, true);
        assert!(coloured.contains("\u{1b}[32mPASS\u{1b}[0m"));
        let plain = coloured.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
        let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, table().render(80, false).lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_table_without_columns_still_has_its_names() {
        let mut table = Table::new("policy");
        table.row("one", []);
        assert_eq!(table.render(80, false), "policy\n──────\none\n");
    }
}

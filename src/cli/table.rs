//! Tables: rows and a width to text. Cells are made visible here, so that no table can forget it.

use super::screen::{Screen, Tone, columns_of, cut, visible};

/// One column of a table.
pub struct Column {
    pub title: &'static str,
    pub align: Align,
    /// Where the terminal is too narrow, cells shrink to this width.
    pub least: usize,
    /// Where even that is too wide, columns are left out: the highest number first, 0 never.
    pub leave_out: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A column of text that may be cut.
pub const fn text(title: &'static str, least: usize, leave_out: u8) -> Column {
    Column { title, align: Align::Left, least, leave_out }
}

/// A column of numbers, which are never cut: half a number is a wrong one.
pub const fn number(title: &'static str, leave_out: u8) -> Column {
    Column { title, align: Align::Right, least: usize::MAX, leave_out }
}

pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell::toned(text, Tone::Plain)
    }

    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Cell {
        Cell { text: visible(text.as_ref()), tone }
    }
}

/// Space between two columns.
const GAP: usize = 2;

/// The table as text, every line ended. Rows have a cell a column.
pub fn render(columns: &[Column], rows: &[Vec<Cell>], screen: Screen) -> String {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| columns_of(&cell.text));
            cells.chain([columns_of(column.title)]).max().unwrap_or(0)
        })
        .collect();
    let widths = fit(columns, natural, screen.width);
    let mut out = String::new();
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::toned(column.title, Tone::Heading)).collect();
    for row in std::iter::once(&titles).chain(rows) {
        line(&mut out, columns, row, &widths, screen);
    }
    out
}

/// The width of each column; `None` where it is left out.
fn fit(columns: &[Column], natural: Vec<usize>, width: Option<usize>) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
    let Some(limit) = width else { return widths };
    let least = |index: usize| {
        let natural = natural.get(index).copied().unwrap_or(0);
        columns.get(index).map_or(natural, |column| column.least.min(natural))
    };
    // First, whole columns go until what is left could fit; then the widest cells shrink until it does.
    loop {
        let needed: Vec<Option<usize>> =
            widths.iter().enumerate().map(|(index, kept)| kept.map(|_| least(index))).collect();
        if total(&needed) <= limit {
            break;
        }
        let next = columns
            .iter()
            .enumerate()
            .filter(|(index, column)| column.leave_out > 0 && widths.get(*index).is_some_and(Option::is_some))
            .max_by_key(|(_, column)| column.leave_out);
        match next.and_then(|(index, _)| widths.get_mut(index)) {
            Some(width) => *width = None,
            None => return needed,
        }
    }
    while total(&widths) > limit {
        let widest = widths
            .iter_mut()
            .enumerate()
            .filter_map(|(index, width)| width.as_mut().filter(|width| **width > least(index)))
            .max_by_key(|width| **width);
        match widest {
            Some(width) => *width -= 1,
            None => break,
        }
    }
    widths
}

fn total(widths: &[Option<usize>]) -> usize {
    let kept = widths.iter().flatten();
    kept.clone().sum::<usize>() + GAP * kept.count().saturating_sub(1)
}

fn line(out: &mut String, columns: &[Column], row: &[Cell], widths: &[Option<usize>], screen: Screen) {
    let mut first = true;
    let start = out.len();
    for ((column, cell), width) in columns.iter().zip(row).zip(widths) {
        let Some(width) = *width else { continue };
        if !std::mem::take(&mut first) {
            out.extend(std::iter::repeat_n(' ', GAP));
        }
        let text = cut(&cell.text, width);
        let padding = std::iter::repeat_n(' ', width.saturating_sub(columns_of(&text)));
        let (begin, end) = screen.paint(cell.tone);
        if column.align == Align::Right {
            out.extend(padding.clone());
        }
        out.push_str(begin);
        out.push_str(&text);
        out.push_str(end);
        if column.align == Align::Left {
            out.extend(padding);
        }
    }
    // No line ends in spaces.
    let length = start + out.get(start..).map_or(0, |line| line.trim_end_matches(' ').len());
    out.truncate(length);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[number("ID", 0), text("DEVICE", 6, 0), text("DESTINATION", 8, 1), number("CONNECTIONS", 2)];

    fn rows() -> Vec<Vec<Cell>> {
        [["1", "camera", "any", "7"], ["12", "television in the bedroom", "update.vendor.example", "1234"]]
            .iter()
            .map(|row| row.iter().map(Cell::new).collect())
            .collect()
    }

    fn plain(width: Option<usize>) -> String {
        render(COLUMNS, &rows(), Screen { width, ..Screen::PLAIN })
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_width() {
        let expected = "\
ID  DEVICE                     DESTINATION            CONNECTIONS
 1  camera                     any                              7
12  television in the bedroom  update.vendor.example         1234
";
        assert_eq!(plain(None), expected);
        assert_eq!(plain(Some(65)), expected);
    }

    #[test]
    fn the_widest_cells_shrink_first() {
        let expected = "\
ID  DEVICE              DESTINATION         CONNECTIONS
 1  camera              any                           7
12  television in the…  update.vendor.exa…         1234
";
        assert_eq!(plain(Some(55)), expected);
    }

    #[test]
    fn then_columns_are_left_out() {
        assert_eq!(
            plain(Some(20)),
            "\
ID  DEVICE  DESTINA…
 1  camera  any
12  telev…  update.…
"
        );
        assert_eq!(plain(Some(12)), "ID  DEVICE\n 1  camera\n12  televis…\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_until_nothing_more_can_go() {
        for width in 10..80 {
            for line in plain(Some(width)).lines() {
                assert!(columns_of(line) <= width, "{width}: {line:?}");
            }
        }
        assert_eq!(plain(Some(1)), plain(Some(10)));
    }

    #[test]
    fn hostile_cells_neither_act_nor_break_the_table() {
        let rows = vec![vec![Cell::new("1"), Cell::new("\x1b[2J\n\u{202e}x"), Cell::new("any"), Cell::new("0")]];
        let table = render(COLUMNS, &rows, Screen::PLAIN);
        assert_eq!(table.lines().count(), 2);
        assert!(table.contains("\\u{1b}[2J\\n\\u{202e}x"), "{table}");
        assert!(!table.contains(['\x1b', '\u{202e}']));
    }

    #[test]
    fn colours_take_no_room() {
        let rows = vec![vec![Cell::new("1"), Cell::toned("camera", Tone::Bad), Cell::new("any"), Cell::new("0")]];
        let screen = Screen { width: Some(80), colours: true, ..Screen::PLAIN };
        assert_eq!(
            render(COLUMNS, &rows, screen),
            "\x1b[1mID\x1b[0m  \x1b[1mDEVICE\x1b[0m  \x1b[1mDESTINATION\x1b[0m  \x1b[1mCONNECTIONS\x1b[0m\n \
             1  \x1b[31mcamera\x1b[0m  any                    0\n"
        );
    }
}

//! Results: aligned columns for people, JSON for programs.

use serde_json::Value;

use super::Output;
use crate::failure::Outcome;
use crate::out;

/// Headings, and where in an item their values stand.
pub(crate) type Columns = &'static [(&'static str, &'static str)];

/// Prints a list.
pub(crate) fn many(output: Output, items: &[Value], columns: Columns) -> Outcome {
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(items)?),
        Output::Table => {
            let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
            let rows: Vec<Vec<String>> =
                items.iter().map(|item| columns.iter().map(|(_, field)| cell(&item[*field])).collect()).collect();
            out::raw(aligned(&headings, &rows).as_bytes());
        }
    }
    Ok(())
}

/// Prints one thing, a line for each of its columns.
pub(crate) fn one(output: Output, item: &Value, columns: Columns) -> Outcome {
    match output {
        Output::Json => out::line(serde_json::to_string_pretty(item)?),
        Output::Table => {
            let widest = columns.iter().map(|(heading, _)| heading.len()).max().unwrap_or_default();
            for (heading, field) in columns {
                out::line(format!("{heading:<widest$}  {}", cell(&item[*field])).trim_end());
            }
        }
    }
    Ok(())
}

/// Rows under headings, as wide as they must be.
pub(crate) fn aligned(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => printable(&other.to_string()),
    }
}

/// What others typed must not steer this terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(aligned(&["NAME", "N"], &rows), "NAME    N\na       1\nlonger\n");
    }

    #[test]
    fn what_others_typed_does_not_steer_the_terminal() {
        assert_eq!(cell(&Value::from("a\u{1b}[2Jb\n")), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!((cell(&Value::Null), cell(&Value::from(vec!["x", "y"]))), ("-".into(), "x,y".into()));
    }
}

//! The annotated example and the list of variables, made from the table.

use std::fmt::Write;

use super::setting::{Fallback, OTHER_VARIABLES, Setting};
use super::table::SETTINGS;
use super::value::Value;

/// A configuration file with every setting and its meaning. Each is commented out and shows its default.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# The configuration of `wharf serve`. Every setting is shown with its default, or with an example where there is none.\n\
         # A variable of the environment goes before this file, a flag goes before both. `wharf config show --sources` says what\n\
         # counts and why; `wharf config check FILE` says whether a file can be used. Made by `wharf config example`.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (own, name) = setting.section();
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        } else if section.is_empty() {
            text.push('\n');
        }
        for line in wrapped(setting.doc, 118).into_iter().chain(wrapped(&ways(setting), 118)) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "#{name} = {}", shown(setting));
    }
    text
}

/// How else the setting can be said, and what it is when nobody says.
fn ways(setting: &Setting) -> String {
    let mut ways = format!("Variable {}", setting.variable());
    if let Some((_, variable)) = setting.file_form() {
        let _ = write!(ways, ", or {variable} for a file that holds it");
    }
    if let Some(flag) = setting.flag() {
        let _ = write!(ways, ", flag {flag}");
    }
    match setting.default {
        Fallback::Unset(_) => ways.push_str(". Default: none."),
        Fallback::Found(_, how) => {
            let _ = write!(ways, ". Default: {how}.");
        }
        Fallback::InData(_, name) => {
            let _ = write!(ways, ". Default: {name} in the data directory.");
        }
        Fallback::Is(_) => ways.push('.'),
    }
    ways
}

fn shown(setting: &Setting) -> String {
    let text = match setting.default {
        Fallback::Unset(example) | Fallback::Found(example, _) => example.to_owned(),
        Fallback::Is(text) => text.to_owned(),
        Fallback::InData(prefix, name) => format!("{prefix}./wharf-data/{name}"),
    };
    setting.kind.to_toml(&setting.kind.read_text(&text).unwrap_or(Value::One(text)))
}

/// Every variable with its setting and its meaning, as lines of a table.
pub(crate) fn variables() -> Vec<[String; 3]> {
    let mut rows = Vec::new();
    for setting in SETTINGS {
        rows.push([setting.variable(), setting.key.to_owned(), setting.doc.to_owned()]);
        if let Some((key, variable)) = setting.file_form() {
            rows.push([variable, key, format!("A file that holds {}.", setting.key)]);
        }
    }
    rows.extend(OTHER_VARIABLES.iter().map(|(name, doc)| [(*name).to_owned(), String::new(), (*doc).to_owned()]));
    rows
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() || line.len() + 1 + word.len() <= width {
                line.push_str(if line.is_empty() { "" } else { " " });
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
    }
    lines
}

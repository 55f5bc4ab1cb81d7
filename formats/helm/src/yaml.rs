//! YAML, read with limits and written so that every reader sees the same text.

use std::fmt::Write;

use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, budget, options};

/// Reads one document of at most as many bytes as the caller has taken.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Large charts have long lists of annotations; anchors are for small repetitions.
    let options = options! {
        budget: budget! {
            max_nodes: 100_000,
            max_events: 300_000,
            max_documents: 2,
            max_depth: 32,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 * 1024 * 1024,
            max_total_scalar_bytes: 4 * 1024 * 1024,
        },
        // As Helm does: the last one counts.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let told = error.to_string();
        told.lines().next().unwrap_or("it cannot be read").chars().take(300).collect()
    })
}

/// Appends a text so that readers of YAML 1.1 and 1.2 take it for this text.
pub(crate) fn scalar(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        quote(text, out);
    }
}

/// Whether a text needs no quotes: it is no other type to any reader, and nothing in it is syntax.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let inside = |c: char| c.is_ascii_alphanumeric() || " ./_-+()@,".contains(c);
    let version = || {
        let parts: Vec<_> = text.splitn(3, '.').collect();
        let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && parts[..2].iter().all(number) && parts[2].starts_with(|c: char| c.is_ascii_digit())
    };
    let word = || text.starts_with(|c: char| c.is_ascii_alphabetic()) && !WORDS.contains(&text.to_lowercase().as_str());
    text.len() <= 1024
        && text.chars().all(inside)
        && !text.ends_with(' ')
        && (word() || version() && !text.contains(' '))
}

/// In double quotes, with everything escaped that some reader refuses to see as it is.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' => {
                out.push(c)
            }
            '\u{10000}'.. if u32::from(c) & 0xfffe != 0xfffe => out.push(c),
            '\u{0}'..='\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written() {
        let all: String =
            ('\u{0}'..='\u{2ff}').chain(['\u{2028}', '\u{feff}', '\u{fffe}', '\u{1f600}', '\u{1ffff}']).collect();
        for text in [
            "",
            " ",
            "a",
            "a b",
            "a ",
            "yes",
            "No",
            "null",
            "~",
            "1",
            "1.10",
            "1.2.3",
            "1e5",
            "0x1f",
            ".5",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#b",
            "2024-01-01",
            "12:30:00",
            "=",
            "<<",
            "!a",
            "&a",
            "*a",
            "a\nb",
            "\"",
            "'",
            "\\",
            "é",
            "1.2.3-rc.1+b",
            "v1.0",
            "true",
            "on",
            "[a]",
            "{a}",
            "a, b",
            "?",
            "%",
            "@a",
            "`a`",
            "|",
            ">",
            "...",
            "---",
            &all,
        ] {
            let mut out = "key: ".to_owned();
            scalar(text, &mut out);
            let read: std::collections::BTreeMap<String, String> =
                read(&out).unwrap_or_else(|error| panic!("{out}: {error}"));
            assert_eq!(read["key"], text, "{out}");
            // A reader that looks at types sees a text too.
            let mut typed = String::new();
            scalar(text, &mut typed);
            let typed: serde_json::Value = super::read(&typed).unwrap();
            assert!(typed.is_string(), "{text:?}: {typed}");
        }
    }

    #[test]
    fn documents_that_grow_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let alias = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![alias; 9].join(", ")));
        }
        assert!(read::<serde_json::Value>(&bomb).is_err());
        assert!(read::<serde_json::Value>(&"[".repeat(10_000)).is_err());
        let deep: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(read::<serde_json::Value>(&deep).is_err());
    }
}

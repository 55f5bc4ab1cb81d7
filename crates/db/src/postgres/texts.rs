//! SQL as PostgreSQL wants it: `$1` where the source says `?1`.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// Rewritten statements by the address of the original: it is static, so an address and a length mean one text for ever.
#[derive(Default)]
pub(super) struct Texts(RwLock<HashMap<(usize, usize), Arc<str>>>);

impl Texts {
    pub(super) fn of(&self, sql: &'static str) -> Arc<str> {
        let key = (sql.as_ptr().addr(), sql.len());
        if let Some(text) = self.0.read().get(&key) {
            return Arc::clone(text);
        }
        let text: Arc<str> = rewritten(sql).into();
        self.0.write().insert(key, Arc::clone(&text));
        text
    }
}

/// Question marks in literals, quoted names and comments stay.
fn rewritten(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut until = None;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match until {
            Some(end) if c == end => until = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => until = Some(c),
            None if rest.starts_with("--") => until = Some('\n'),
            None => {}
        }
        let placeholder = until.is_none() && c == '?' && after.starts_with(|c: char| c.is_ascii_digit());
        out.push(if placeholder { '$' } else { c });
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_rewritten_outside_of_quotes_and_comments() {
        for (sql, wanted) in [
            ("a = ?1 AND b = ?12", "a = $1 AND b = $12"),
            ("a = '?1' AND \"b?2\" = ?3", "a = '?1' AND \"b?2\" = $3"),
            ("a = 'it''s ?1' OR b = ?2", "a = 'it''s ?1' OR b = $2"),
            ("SELECT 1 -- what's ?1\n + ?1", "SELECT 1 -- what's ?1\n + $1"),
            ("a ? b", "a ? b"),
        ] {
            assert_eq!(rewritten(sql), wanted);
        }
    }

    #[test]
    fn a_statement_is_rewritten_once() {
        let texts = Texts::default();
        assert!(Arc::ptr_eq(&texts.of("SELECT ?1"), &texts.of("SELECT ?1")));
    }
}

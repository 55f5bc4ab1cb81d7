//! What counts, and where it was said. Secrets stay hidden.

use std::fmt::Write;

use serde_json::{Map, json};

use super::Config;
use super::setting::Setting;
use super::table::SETTINGS;
use super::value::{Kind, Value};

/// A file that says what counts; with `sources`, also where each value comes from.
pub(crate) fn as_toml(config: &Config, sources: bool) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in SETTINGS {
        let (own, name) = setting.section();
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        }
        let line = match value(config, setting) {
            Some(value) => format!("{name} = {}", setting.kind.to_toml(&value)),
            None => format!("# {name} is not set"),
        };
        let _ = match config.layers.get(setting.key).filter(|_| sources) {
            Some(given) => writeln!(text, "{line:<60} # {}", given.origin),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

/// The same for programs: key → value and source.
pub(crate) fn as_json(config: &Config) -> serde_json::Value {
    let entries = SETTINGS.iter().map(|setting| {
        let shown = match value(config, setting) {
            Some(Value::One(text)) => json!(text),
            Some(Value::Many(items)) => json!(items),
            None => json!(null),
        };
        let source = config.layers.get(setting.key).map(|given| given.origin.to_string());
        (setting.key.to_owned(), json!({ "value": shown, "source": source, "variable": setting.variable() }))
    });
    serde_json::Value::Object(entries.collect::<Map<_, _>>())
}

fn value(config: &Config, setting: &Setting) -> Option<Value> {
    let value = config.layers.get(setting.key)?.value.clone();
    Some(match (setting.secret, setting.kind, value) {
        (true, Kind::Database, Value::One(url)) => Value::One(without_password(&url)),
        (true, _, _) => Value::One("(hidden)".to_owned()),
        (false, _, value) => value,
    })
}

fn without_password(database: &str) -> String {
    if database.starts_with("sqlite:") {
        return database.to_owned();
    }
    // libpq takes a password in the authority and as a parameter.
    let Ok(mut url) = url::Url::parse(database) else { return "(hidden)".to_owned() };
    if url.password().is_some() && url.set_password(Some("(hidden)")).is_err() {
        return "(hidden)".to_owned();
    }
    if url.query_pairs().any(|(key, _)| key == "password") {
        let kept: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != "password").collect();
        url.query_pairs_mut().clear().extend_pairs(kept).append_pair("password", "(hidden)");
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_database_is_hidden_wherever_it_stands() {
        for url in [
            "postgres://me:geheim@db/wharf",
            "postgres://me@db/wharf?password=geheim&sslmode=require",
            "postgres://[geheim",
        ] {
            assert!(!without_password(url).contains("geheim"), "{url}");
        }
        assert_eq!(without_password("sqlite:/data/wharf.db"), "sqlite:/data/wharf.db");
    }
}

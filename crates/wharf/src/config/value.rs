//! Values of settings: read from a file or a text, refused if they make no sense.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// An IP address and a port.
    Address,
    /// `http://` or `https://` with a host, and perhaps a path.
    Url,
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.
    Database,
    /// A whole number.
    Number,
    /// Bytes, with or without `KiB`, `MiB`, `GiB`.
    Size,
    /// A time with its unit: `500ms`, `30s`, `5m`, `1h`, `7d`.
    Span,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Networks or single addresses, `10.0.0.0/8`.
    Networks,
}

/// A value that its kind accepts, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of every kind but lists.
    One(String),
    /// Of lists.
    Many(Vec<String>),
}

impl Kind {
    /// What is expected, in words.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text => "a text that is not empty".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Address => "an IP address and a port such as 127.0.0.1:5000 or [::]:5000".to_owned(),
            Self::Url => "a URL such as https://registry.example.com".to_owned(),
            Self::Database => "sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST/NAME".to_owned(),
            Self::Number => "a whole number".to_owned(),
            Self::Size => "a size such as 4MiB".to_owned(),
            Self::Span => "a time such as 500ms, 30s, 5m, 1h or 7d".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Networks => "networks such as 10.0.0.0/8 or 192.0.2.7".to_owned(),
        }
    }

    /// Reads the value of a variable or flag. A list is divided by commas.
    pub(crate) fn read_text(self, text: &str) -> Option<Value> {
        if self == Self::Networks {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect();
            return self.checked(Value::Many(items));
        }
        self.checked(Value::One(text.to_owned()))
    }

    /// Reads a value of a file, where numbers and switches are written without quotes.
    pub(crate) fn read_toml(self, value: &DeValue<'_>) -> Option<Value> {
        let one = |text: &str| self.checked(Value::One(text.to_owned()));
        match (self, value) {
            (Self::Number | Self::Size, DeValue::Integer(number)) => one(number.as_str()),
            (Self::Switch, DeValue::Boolean(switch)) => one(if *switch { "true" } else { "false" }),
            (Self::Networks, DeValue::Array(items)) => {
                let texts: Option<Vec<_>> =
                    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
                self.checked(Value::Many(texts?))
            }
            (Self::Number | Self::Switch | Self::Networks, _) => None,
            (_, DeValue::String(text)) => one(text),
            _ => None,
        }
    }

    /// The value as a file has it.
    pub(crate) fn to_toml(self, value: &Value) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        match value {
            Value::One(text) if matches!(self, Self::Number | Self::Switch) => text.clone(),
            Value::One(text) => quoted(text),
            Value::Many(items) => {
                format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn checked(self, value: Value) -> Option<Value> {
        let valid = match &value {
            Value::One(text) => match self {
                Self::Text | Self::Path => !text.is_empty(),
                Self::Address => text.parse::<SocketAddr>().is_ok(),
                Self::Url => base_url(text),
                Self::Database => database(text),
                Self::Number => text.parse::<u32>().is_ok(),
                Self::Size => size(text).is_some(),
                Self::Span => span(text).is_some(),
                Self::Switch => text == "true" || text == "false",
                Self::Choice(words) => words.contains(&text.as_str()),
                Self::Networks => false,
            },
            Value::Many(items) => self == Self::Networks && items.iter().all(|item| network(item).is_some()),
        };
        valid.then_some(value)
    }
}

fn base_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    })
}

fn database(text: &str) -> bool {
    text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty())
        || ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
}

/// A network, or the network of one address.
pub(crate) fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

/// Bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A time.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_need_a_known_unit() {
        assert_eq!((size("4MiB"), size("4 MiB"), size("17")), (Some(4 << 20), Some(4 << 20), Some(17)));
        assert_eq!((size("4MB"), size(""), size("-1"), size("99999999999GiB")), (None, None, None, None));
        assert_eq!((span("500ms"), span("5m")), (Some(Duration::from_millis(500)), Some(Duration::from_secs(300))));
        assert_eq!((span("30"), span("s"), span("1w")), (None, None, None));
    }

    #[test]
    fn a_value_is_written_as_it_is_read() {
        let cases = [
            (Kind::Number, "17"),
            (Kind::Switch, "true"),
            (Kind::Size, "\"4MiB\""),
            (Kind::Networks, "[\"10.0.0.0/8\", \"::1\"]"),
            (Kind::Text, "\"a \\\"quoted\\\" one\""),
        ];
        for (kind, text) in cases {
            let document = format!("v = {text}");
            let table = toml::de::DeTable::parse(&document).unwrap();
            let value = kind.read_toml(table.get_ref().get("v").unwrap().get_ref()).unwrap();
            let again = kind.to_toml(&value);
            assert_eq!(again.parse::<toml::Value>().unwrap(), text.parse::<toml::Value>().unwrap());
        }
    }

    #[test]
    fn what_a_kind_does_not_accept_is_refused() {
        for (kind, text) in [
            (Kind::Address, "localhost:5000"),
            (Kind::Address, ":5000"),
            (Kind::Url, "registry.example.com"),
            (Kind::Url, "https://a.example/?x"),
            (Kind::Number, "1.5"),
            (Kind::Switch, "yes"),
            (Kind::Choice(&["a", "b"]), "c"),
            (Kind::Networks, "10.0.0.0/33"),
            (Kind::Text, ""),
        ] {
            assert_eq!(kind.read_text(text), None, "{kind:?} {text}");
        }
        assert!(Kind::Networks.read_text("10.0.0.0/8, ::1").is_some());
    }
}

//! Versions as Helm reads them: SemVer 2, and what it takes for one (`1`, `1.2`, a leading `v`, leading zeros).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Most bytes of a version: it becomes a tag too.
const LONGEST: usize = 128;
/// Printable, so that a position can hold it: the symbol 0 is the highest.
const TOP: u8 = b'~';

/// A version of a chart, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    text: String,
    numbers: [u64; 3],
    pre: Vec<Identifier>,
}

/// What comes between the dots of a prerelease. In the order of SemVer 11.4: numbers first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Text(String),
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version: it has to be SemVer, like 1.2.3 or 1.2.3-rc.1+build")]
pub(crate) struct InvalidVersion(String);

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let refused = || InvalidVersion(text.chars().take(100).collect());
        if text.len() > LONGEST {
            return Err(refused());
        }
        Self::read(text).ok_or_else(refused)
    }
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
        let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return None;
        }
        let mut numbers = [0; 3];
        for (at, number) in core.split('.').enumerate() {
            *numbers.get_mut(at)? = is_number(number).then(|| number.parse().ok()).flatten()?;
        }
        let pre = pre.map_or(Some(Vec::new()), |pre| pre.split('.').map(Identifier::read).collect())?;
        Some(Self { text: text.to_owned(), numbers, pre })
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a version to be chosen when none is asked for.
    pub(crate) fn is_stable(&self) -> bool {
        self.pre.is_empty()
    }

    /// As a tag. `+` is no letter of tags, `_` is none of versions: so Helm maps one to the other, and back.
    pub(crate) fn tag(&self) -> String {
        self.text.replace('+', "_")
    }

    /// What a tag stands for.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        tag.replace('_', "+").parse().ok()
    }

    /// A text whose bytewise order is that of versions, newest first. Versions that SemVer holds for equal (`1.0` and `1.0.0`, other
    /// builds) are told apart by how they are written.
    pub(crate) fn newest_first(&self) -> String {
        let mut symbols = Vec::new();
        for number in self.numbers {
            number_symbols(number, &mut symbols);
        }
        // A release comes after what led to it.
        symbols.push(if self.pre.is_empty() { 1 } else { 0 });
        for identifier in &self.pre {
            match identifier {
                Identifier::Number(number) => {
                    symbols.push(1);
                    number_symbols(*number, &mut symbols);
                }
                Identifier::Text(text) => {
                    symbols.push(2);
                    symbols.extend(text.bytes().map(symbol));
                    symbols.push(0);
                }
            }
        }
        if !self.pre.is_empty() {
            symbols.push(0);
        }
        let mut key: String = symbols.into_iter().map(|symbol| char::from(TOP - symbol)).collect();
        if self.text != self.canonical() {
            key.push(' ');
            key.push_str(&self.text);
        }
        key
    }

    fn canonical(&self) -> String {
        let [major, minor, patch] = self.numbers;
        let mut text = format!("{major}.{minor}.{patch}");
        for (at, identifier) in self.pre.iter().enumerate() {
            text.push(if at == 0 { '-' } else { '.' });
            match identifier {
                Identifier::Number(number) => text.push_str(&number.to_string()),
                Identifier::Text(identifier) => text.push_str(identifier),
            }
        }
        text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// SemVer 11, then by text so that equal means the same.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.pre.cmp(&other.pre),
        };
        self.numbers.cmp(&other.numbers).then(pre).then_with(|| self.text.cmp(&other.text))
    }
}

impl Identifier {
    /// Numbers have no leading zeros (SemVer 9).
    fn read(text: &str) -> Option<Self> {
        match text {
            _ if !is_identifier(text) => None,
            "0" => Some(Self::Number(0)),
            _ if !is_number(text) => Some(Self::Text(text.to_owned())),
            _ if text.starts_with('0') => None,
            _ => text.parse().ok().map(Self::Number),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A longer number is a larger one.
fn number_symbols(number: u64, symbols: &mut Vec<u8>) {
    let digits = number.to_string();
    symbols.push(u8::try_from(digits.len()).unwrap_or(u8::MAX));
    symbols.extend(digits.bytes().map(|digit| digit - b'0'));
}

/// ASCII order without its gaps; 0 is the end.
fn symbol(byte: u8) -> u8 {
    match byte {
        b'-' => 1,
        b'0'..=b'9' => byte - b'0' + 2,
        b'A'..=b'Z' => byte - b'A' + 12,
        _ => byte.saturating_sub(b'a') + 38,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn positions_put_the_newest_first() {
        // SemVer 11.4 has the first eight in this order.
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1-0",
            "1.0.1-1",
            "1.0.1-10",
            "1.0.1--",
            "1.0.1-0a",
            "1.0.1-A",
            "1.0.1-a",
            "1.0.1-a.0",
            "1.0.1-a-b",
            "1.0.1-aa",
            "1.0.1",
            "1.0.10",
            "1.2.0",
            "1.10.0",
            "2.0.0-18446744073709551615",
            "2.0.0-x",
            "10.0.0",
            "20241105.0.0",
        ];
        for pair in ascending.windows(2) {
            let [low, high] = [version(pair[0]), version(pair[1])];
            assert!(low < high, "{pair:?}");
            assert!(high.newest_first() < low.newest_first(), "{pair:?}");
        }
    }

    #[test]
    fn equal_versions_have_positions_of_their_own() {
        let texts = ["1.0.0", "v1.0.0", "1.0", "1", "01.0.0", "1.0.0+a", "1.0.0+b", "v1.0.0+a"];
        let mut keys: Vec<_> = texts.iter().map(|text| version(text).newest_first()).collect();
        let newer = version("1.0.1-a").newest_first();
        let older = version("1.0.0-z").newest_first();
        assert!(keys.iter().all(|key| newer < *key && *key < older));
        assert!(keys.iter().flat_map(|key| key.chars()).all(|c| (' '..='~').contains(&c)));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), texts.len());
    }

    #[test]
    fn a_version_is_a_tag_and_back() {
        for text in ["1.2.3", "v1.2", "1.2.3-rc.1+build.7"] {
            let tag = version(text).tag();
            assert!(!tag.contains('+'));
            assert_eq!(Version::of_tag(&tag), Some(version(text)));
        }
        assert_eq!(Version::of_tag("latest"), None);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let long = format!("1.0.0-{}", "a".repeat(128));
        for text in [
            "",
            "v",
            "latest",
            "1.",
            "1.2.3.4",
            "1..2",
            "-1",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0-a..b",
            "1.0.0+",
            "1.0.0+a_b",
            "1.0.0 ",
            "V1.0.0",
            "1.x",
            "1.0.0-ä",
            "18446744073709551616.0.0",
            &long,
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
        assert!(version("1.2.3").is_stable() && !version("1.2.3-0").is_stable());
    }
}

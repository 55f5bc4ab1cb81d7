//! Names that become parts of paths: packages, versions, architectures, distributions, components.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is none of what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct InvalidPart {
    text: String,
    wanted: &'static str,
}

fn invalid(text: &str, wanted: &'static str) -> InvalidPart {
    InvalidPart { text: text.chars().take(100).collect(), wanted }
}

fn made_of(text: &str, others: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// A package's or source's name (Debian Policy 5.6.1; upper case as dpkg takes it).
pub(crate) fn check_name(text: &str) -> Result<(), InvalidPart> {
    let fine = (2..=128).contains(&text.len()) && made_of(text, "+-.");
    if fine { Ok(()) } else { Err(invalid(text, "the name of a package: letters, digits, '+', '-' and '.'")) }
}

/// A version (deb-version(7)): `[epoch:]upstream[-revision]`.
pub(crate) fn check_version(text: &str) -> Result<(), InvalidPart> {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    let number = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) && epoch.parse::<i32>().is_ok();
    let upstream_is_fine = upstream.starts_with(|c: char| c.is_ascii_digit()) && made_of(upstream, ".+-~:");
    let revision_is_fine =
        !revision.is_empty() && revision.chars().all(|c| c.is_ascii_alphanumeric() || "+.~".contains(c));
    let fine = text.len() <= 200 && number && upstream_is_fine && revision_is_fine;
    if fine {
        Ok(())
    } else {
        Err(invalid(text, "a version: [epoch:]upstream[-revision], upstream beginning with a digit"))
    }
}

/// The version as file names have it.
pub(crate) fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

/// An architecture that packages are built for, or `all`.
pub(crate) fn check_architecture(text: &str) -> Result<(), InvalidPart> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fine = (1..=40).contains(&text.len())
        && text.starts_with(plain)
        && text.chars().all(|c| plain(c) || c == '-')
        && !matches!(text, "any" | "source");
    if fine { Ok(()) } else { Err(invalid(text, "an architecture of a binary package, as amd64 or all")) }
}

/// A distribution: the name of an index. May have slashes, as `bookworm/updates`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Distribution(String);

/// A part of a distribution, as `main`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Component(String);

impl FromStr for Distribution {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let part = |part: &str| made_of(part, "+-._~") && part != "by-hash";
        let fine = text.len() <= 100 && text.split('/').count() <= 4 && text.split('/').all(part);
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(text, "a distribution: letters, digits and \"+-._~/\""))
        }
    }
}

impl FromStr for Component {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let fine = text.len() <= 64 && made_of(text, "+-._~") && text != "by-hash";
        if fine { Ok(Self(text.to_owned())) } else { Err(invalid(text, "a component: letters, digits and \"+-._~\"")) }
    }
}

macro_rules! is_text {
    ($($name:ident),*) => {
        $(impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidPart;

            fn try_from(text: String) -> Result<Self, InvalidPart> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        })*
    };
}

is_text!(Distribution, Component);

/// Which list of a distribution: one for each component, kind and architecture. Its text is the folder of its index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct List {
    pub(crate) component: Component,
    pub(crate) kind: Kind,
}

/// What a list names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Packages for an architecture, or for all.
    Binary(String),
    /// Packages of the installer.
    Installer(String),
    /// Sources.
    Source,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let component = &self.component;
        match &self.kind {
            Kind::Binary(architecture) => write!(f, "{component}/binary-{architecture}"),
            Kind::Installer(architecture) => write!(f, "{component}/debian-installer/binary-{architecture}"),
            Kind::Source => write!(f, "{component}/source"),
        }
    }
}

impl FromStr for List {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let unknown = || invalid(text, "a list of a distribution");
        let (component, rest) = text.split_once('/').ok_or_else(unknown)?;
        let (installer, rest) = rest.strip_prefix("debian-installer/").map_or((false, rest), |rest| (true, rest));
        let kind = match (installer, rest.strip_prefix("binary-")) {
            (false, Some(architecture)) => Kind::Binary(architecture.to_owned()),
            (true, Some(architecture)) => Kind::Installer(architecture.to_owned()),
            (false, None) if rest == "source" => Kind::Source,
            _ => return Err(unknown()),
        };
        if let Kind::Binary(architecture) | Kind::Installer(architecture) = &kind {
            check_architecture(architecture)?;
        }
        Ok(Self { component: component.parse()?, kind })
    }
}

/// Where a source and its packages lie: all of them in one folder, whichever distributions list them.
pub(crate) fn pool_folder(source: &str) -> String {
    let length = if source.starts_with("lib") && source.len() > 3 { 4 } else { 1 };
    let prefix: String = source.chars().take(length).collect();
    format!("pool/{prefix}/{source}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_manual() {
        for text in ["1", "1.0-1", "0~rc1", "2:1.2.3+dfsg-4~bpo12+1", "1:2:3-4", "1-2-3", "2024.05.06-1ubuntu0.22.04.1"]
        {
            assert_eq!(check_version(text), Ok(()), "{text}");
        }
        for text in
            ["", "v1", "a:1", ":1", "1:", "1-", "-1", "1_2", "1 2", "1/2", "../1", "1\n", "é", "-1:1", "9999999999:1"]
        {
            assert!(check_version(text).is_err(), "{text:?}");
        }
        assert_eq!(without_epoch("2:1.0-1"), "1.0-1");
        assert_eq!(without_epoch("1.0-1"), "1.0-1");
    }

    #[test]
    fn names_and_architectures_can_stand_in_paths() {
        for text in ["hello", "libstdc++6", "0ad", "python3.11", "Foo"] {
            assert_eq!(check_name(text), Ok(()), "{text}");
        }
        for text in ["", "a", "-a", ".a", "a_b", "a/b", "a b", "..", "ä1"] {
            assert!(check_name(text).is_err(), "{text:?}");
        }
        for text in ["amd64", "all", "kfreebsd-amd64", "x32"] {
            assert_eq!(check_architecture(text), Ok(()), "{text}");
        }
        for text in ["", "source", "any", "AMD64", "a/b", "linux_any", "amd64 arm64", "-a"] {
            assert!(check_architecture(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_distribution_may_have_slashes_and_a_component_may_not() {
        for text in ["stable", "bookworm/updates", "bookworm-backports", "24.04", "a/b/c/d"] {
            assert!(text.parse::<Distribution>().is_ok(), "{text}");
        }
        for text in ["", "/a", "a/", "a//b", "../a", ".a", "a b", "by-hash", "a/b/c/d/e", "a\n"] {
            assert!(text.parse::<Distribution>().is_err(), "{text:?}");
        }
        assert!("non-free".parse::<Component>().is_ok() && "a/b".parse::<Component>().is_err());
    }

    #[test]
    fn a_list_reads_as_it_is_written() {
        for text in ["main/binary-amd64", "contrib/debian-installer/binary-arm64", "main/source", "main/binary-all"] {
            assert_eq!(text.parse::<List>().unwrap().to_string(), text);
        }
        for text in ["main", "main/binary-", "main/debian-installer/source", "main/x", "/source", "main/binary-a/b"] {
            assert!(text.parse::<List>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_pool_is_laid_out_as_debian_does() {
        assert_eq!(pool_folder("hello"), "pool/h/hello");
        assert_eq!(pool_folder("libpng1.6"), "pool/libp/libpng1.6");
        assert_eq!(pool_folder("lib"), "pool/l/lib");
    }
}

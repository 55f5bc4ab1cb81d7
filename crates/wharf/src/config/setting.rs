//! What a setting is, and the names it goes by.

use super::table::SETTINGS;
use super::value::Kind;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Setting {
    /// `<section>.<name>`, or a name without a section.
    pub(crate) key: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// What it is when nobody says.
    pub(crate) default: Fallback,
    /// Not to be shown. `<key>_file` names a file to read it from.
    pub(crate) secret: bool,
    /// What it is for, in full sentences.
    pub(crate) doc: &'static str,
}

/// What a setting is when nobody says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fallback {
    /// Nothing. With an example of what it could be.
    Unset(&'static str),
    /// This, as a variable would have it.
    Is(&'static str),
    /// A path below the data directory, after this prefix.
    InData(&'static str, &'static str),
    /// Something that depends on the machine: an example, and how it is found.
    Found(&'static str, &'static str),
}

impl Setting {
    /// The setting of this key.
    pub(crate) fn of_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The section it stands in, empty for none, and its name there.
    pub(crate) fn section(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }

    /// The variable of the environment that sets it.
    pub(crate) fn variable(&self) -> String {
        match self.key {
            "log.filter" => "WHARF_LOG".to_owned(),
            key => variable(key),
        }
    }

    /// For secrets: the key and variable of the file to read it from.
    pub(crate) fn file_form(&self) -> Option<(String, String)> {
        let key = format!("{}_file", self.key);
        // `instance.key_file` is a row of its own.
        (self.secret && Self::of_key(&key).is_none()).then(|| (key, format!("{}_FILE", self.variable())))
    }

    /// The flag of `wharf serve` that sets it.
    pub(crate) fn flag(&self) -> Option<&'static str> {
        FLAGS.iter().find(|(key, _)| *key == self.key).map(|(_, flag)| *flag)
    }
}

fn variable(key: &str) -> String {
    format!("WHARF_{}", key.replace('.', "_").to_uppercase())
}

/// The flags of `wharf serve` and what they set.
pub(crate) const FLAGS: &[(&str, &str)] = &[
    ("data", "--data"),
    ("listen.address", "--listen"),
    ("web.external_url", "--external-url"),
    ("tls.certificate", "--tls-certificate"),
    ("tls.key", "--tls-key"),
    ("storage.kind", "--storage"),
    ("database.url", "--database"),
    ("log.format", "--log-format"),
    ("log.filter", "--log"),
];

/// Variables that are not settings of the server, and what they are.
pub(crate) const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("WHARF_CONFIG", "The configuration file, as --config."),
    ("WHARF_SERVER", "Commands that talk to a server: its URL, as --server."),
    ("WHARF_TOKEN", "Commands that talk to a server: a personal token or a robot's secret, instead of `wharf login`."),
];

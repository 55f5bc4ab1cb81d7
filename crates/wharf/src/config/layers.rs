//! A file, the environment and flags, laid over each other. Pure but for the files that secrets are read from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::kubernetes::is_service_link;
use super::setting::{FLAGS, OTHER_VARIABLES, Setting};
use super::spelling::nearest;
use super::table::SETTINGS;
use super::value::Value;

/// Where settings are said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The configuration file and its content.
    pub(crate) file: Option<(PathBuf, String)>,
    /// The environment; only names with `WHARF_` matter.
    pub(crate) variables: Vec<(String, String)>,
    /// Flags with their values.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nowhere.
    Default,
    /// In the file, on this line.
    File(PathBuf, usize),
    /// In the environment.
    Variable(String),
    /// On the command line.
    Flag(&'static str),
}

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The value.
    pub(crate) value: Value,
    /// Where it, or the name of the file that holds it, was said.
    pub(crate) origin: Origin,
}

/// Something said that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where.
    pub(crate) origin: Origin,
    /// What is wrong.
    pub(crate) problem: String,
    /// What may have been meant.
    pub(crate) hint: Option<String>,
}

/// The values that were said, by key.
pub(crate) type Layers = BTreeMap<&'static str, Given>;

/// Lays flags over variables over the file.
///
/// # Errors
/// Everything that is wrong, not just the first of it.
pub(crate) fn lay(sources: &Sources) -> Result<Layers, Vec<Wrong>> {
    let mut layers = Layers::new();
    let mut wrongs = Vec::new();
    if let Some((path, content)) = &sources.file {
        Layer::default().read_file(path, content).onto(&mut layers, &mut wrongs);
    }
    Layer::default().read_variables(&sources.variables).onto(&mut layers, &mut wrongs);
    Layer::default().read_flags(&sources.flags).onto(&mut layers, &mut wrongs);
    if wrongs.is_empty() { Ok(layers) } else { Err(wrongs) }
}

#[derive(Default)]
struct Layer {
    given: Layers,
    wrongs: Vec<Wrong>,
}

impl Layer {
    fn onto(self, layers: &mut Layers, wrongs: &mut Vec<Wrong>) {
        layers.extend(self.given);
        wrongs.extend(self.wrongs);
    }

    fn wrong(&mut self, origin: Origin, problem: String, hint: Option<String>) {
        self.wrongs.push(Wrong { origin, problem, hint });
    }

    fn read_file(mut self, path: &Path, content: &str) -> Self {
        let line = |at: usize| Origin::File(path.to_owned(), 1 + content[..at].matches('\n').count());
        match DeTable::parse(content) {
            Err(error) => {
                self.wrong(line(error.span().map_or(0, |span| span.start)), error.message().to_owned(), None);
            }
            Ok(document) => {
                for (name, value) in document.get_ref() {
                    match value.get_ref() {
                        DeValue::Table(section) => {
                            for (inner, value) in section {
                                let key = format!("{}.{}", name.get_ref(), inner.get_ref());
                                self.take_entry(&key, value.get_ref(), line(inner.span().start));
                            }
                        }
                        value => self.take_entry(name.get_ref(), value, line(name.span().start)),
                    }
                }
            }
        }
        self
    }

    fn take_entry(&mut self, key: &str, value: &DeValue<'_>, origin: Origin) {
        if let Some(setting) = Setting::of_key(key) {
            self.take(setting, setting.kind.read_toml(value), origin);
        } else if let Some(setting) = SETTINGS.iter().find(|s| s.file_form().is_some_and(|(form, _)| form == key)) {
            match value.as_str() {
                Some(path) => self.take_content(setting, path, origin),
                None => self.wrong(origin, format!("{key} is not a path"), None),
            }
        } else {
            let hint = suggested_key(key).map(|meant| format!("did you mean {meant}?"));
            self.wrong(origin, format!("unknown setting {key}"), hint);
        }
    }

    fn read_variables(mut self, variables: &[(String, String)]) -> Self {
        for (name, text) in variables.iter().filter(|(name, _)| name.starts_with("WHARF_")) {
            let origin = Origin::Variable(name.clone());
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) {
                self.take(setting, setting.kind.read_text(text), origin);
            } else if let Some(setting) = SETTINGS.iter().find(|s| s.file_form().is_some_and(|(_, form)| form == *name))
            {
                self.take_content(setting, text, origin);
            } else if !OTHER_VARIABLES.iter().any(|(other, _)| other == name) && !is_service_link(name, text) {
                let hint = suggested_variable(name).map(|meant| format!("did you mean {meant}?"));
                self.wrong(origin, format!("unknown variable {name}"), hint);
            }
        }
        self
    }

    fn read_flags(mut self, flags: &[(&'static str, String)]) -> Self {
        for (flag, text) in flags {
            if let Some(setting) =
                FLAGS.iter().find(|(_, known)| known == flag).and_then(|(key, _)| Setting::of_key(key))
            {
                self.take(setting, setting.kind.read_text(text), Origin::Flag(flag));
            }
        }
        self
    }

    /// Takes what `setting.kind` made of something, which is nothing if it could not be read.
    fn take(&mut self, setting: &'static Setting, value: Option<Value>, origin: Origin) {
        match value {
            // Within one layer only the two forms of a secret can meet.
            Some(_) if self.given.contains_key(setting.key) => {
                let problem = format!("{} is given twice: as a value and as the name of a file", setting.key);
                self.wrong(origin, problem, Some("keep one of them".to_owned()));
            }
            Some(value) => drop(self.given.insert(setting.key, Given { value, origin })),
            None => self.wrong(origin, format!("{} must be {}", setting.key, setting.kind.expected()), None),
        }
    }

    fn take_content(&mut self, setting: &'static Setting, path: &str, origin: Origin) {
        match std::fs::read_to_string(path) {
            // Editors and `echo` end a file with a line end that is not part of the secret.
            Ok(content) => self.take(setting, setting.kind.read_text(content.trim_end_matches(['\r', '\n'])), origin),
            Err(error) => self.wrong(origin, format!("{path} cannot be read: {error}"), None),
        }
    }
}

fn suggested_key(unknown: &str) -> Option<String> {
    let name = unknown.rsplit('.').next().unwrap_or(unknown);
    // The right name in the wrong section is further away than a wrong name, and yet the better guess.
    let elsewhere = SETTINGS.iter().find(|setting| setting.section().1 == name && unknown != setting.key);
    let files: Vec<String> = SETTINGS.iter().filter_map(|s| s.file_form().map(|(key, _)| key)).collect();
    let known = SETTINGS.iter().map(|setting| setting.key).chain(files.iter().map(String::as_str));
    nearest(unknown, known).or_else(|| elsewhere.map(|setting| setting.key)).map(str::to_owned)
}

fn suggested_variable(unknown: &str) -> Option<String> {
    let settings = SETTINGS.iter().flat_map(|s| [Some(s.variable()), s.file_form().map(|(_, name)| name)]);
    let known: Vec<String> =
        settings.flatten().chain(OTHER_VARIABLES.iter().map(|(name, _)| (*name).to_owned())).collect();
    nearest(unknown, known.iter().map(String::as_str)).map(str::to_owned)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.problem)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

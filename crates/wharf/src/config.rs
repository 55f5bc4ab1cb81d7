//! What the server is told: flags over the environment over a file over defaults. Every value knows where it was said.

mod example;
mod kubernetes;
mod layers;
mod sections;
mod setting;
mod show;
mod spelling;
mod table;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_storage::bucket;

use crate::failure::{Failure, Outcome};
pub(crate) use example::{example, variables};
pub(crate) use layers::Sources;
use layers::{Given, Layers, Origin, Wrong};
pub(crate) use sections::{Backups, Database, LogFormat, Storage};
use setting::Fallback;
pub(crate) use show::{as_json, as_toml};
use table::SETTINGS;
use value::Value;
pub(crate) use value::span;

/// Read when it is there and neither `--config` nor `WHARF_CONFIG` names another.
const USUAL_FILE: &str = "/etc/wharf/wharf.toml";
/// Made by packages and container images for this purpose, so it goes before a folder of our own making.
const SYSTEM_DATA: &str = "/var/lib/wharf";
const OWN_DATA: &str = "./wharf-data";

/// Every setting with its value. Holding one is proof that all of them make sense.
#[derive(Debug)]
pub(crate) struct Config {
    layers: Layers,
}

impl Config {
    /// Reads the file, the environment of the process and flags.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn load(file: Option<&Path>, flags: Vec<(&'static str, String)>) -> Outcome<Self> {
        let variables = variables_of_process()?;
        let file = match file.map(Path::to_owned).or_else(|| named_by_variable(&variables)) {
            Some(path) => Some(path),
            None => Some(PathBuf::from(USUAL_FILE)).filter(|path| path.exists()),
        };
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(content) => Ok((path, content)),
            Err(error) => Err(Failure::usage(format!("{} cannot be read: {error}", path.display()))),
        };
        let file = file.map(read).transpose()?;
        Self::of(&Sources { file, variables, flags }, is_writable)
    }

    /// Reads `sources`; `writable` says whether a folder can be written to.
    pub(crate) fn of(sources: &Sources, writable: impl Fn(&Path) -> bool) -> Outcome<Self> {
        let layers = layers::lay(sources).map_err(|wrongs| refused(&wrongs))?;
        let config = Self::with_defaults(layers, writable);
        let wrongs = config.contradictions();
        if wrongs.is_empty() { Ok(config) } else { Err(refused(&wrongs)) }
    }

    fn with_defaults(mut layers: Layers, writable: impl Fn(&Path) -> bool) -> Self {
        let mut data = match layers.get("data").map(|given| &given.value) {
            Some(Value::One(path)) => path.clone(),
            _ if writable(Path::new(SYSTEM_DATA)) => SYSTEM_DATA.to_owned(),
            _ => OWN_DATA.to_owned(),
        };
        layers.entry("data").or_insert(Given { value: Value::One(data.clone()), origin: Origin::Default });
        data.truncate(data.trim_end_matches('/').len().max(1));
        for setting in SETTINGS {
            let value = match setting.default {
                Fallback::Is(text) => setting.kind.read_text(text),
                Fallback::InData(prefix, name) => Some(Value::One(format!("{prefix}{data}/{name}"))),
                Fallback::Unset(_) | Fallback::Found(..) => None,
            };
            if let Some(value) = value {
                layers.entry(setting.key).or_insert(Given { value, origin: Origin::Default });
            }
        }
        Self { layers }
    }

    /// What is wrong between settings that are each right.
    fn contradictions(&self) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        for (one, other) in [("tls.certificate", "tls.key"), ("tls.key", "tls.certificate")] {
            if let Some(given) = self.layers.get(one).filter(|_| !self.layers.contains_key(other)) {
                let problem = format!("{one} is given without {other}");
                wrongs.push(Wrong { origin: given.origin.clone(), problem, hint: None });
            }
        }
        for section in ["storage", "backup"] {
            if let Some(kind) = self.kind(section) {
                wrongs.extend(self.bucket_contradictions(section, kind));
            }
        }
        if self.backups() == Backups::Nowhere && self.text("backup.bucket").is_some() {
            let problem = "backup.bucket is given, but backup.kind does not say of which kind it is".to_owned();
            wrongs.push(Wrong { origin: self.origin("backup.bucket").clone(), problem, hint: None });
        }
        wrongs
    }

    /// What the bucket of a section lacks.
    fn bucket_contradictions(&self, section: &'static str, kind: bucket::Kind) -> Vec<Wrong> {
        let (bucket, _) = self.bucket(section, kind);
        let key = |name: &str| format!("{section}.{name}");
        let wrong = |name: &str, problem: String| Wrong {
            origin: self.origin(&key(name)).clone(),
            problem: format!("{} {problem}", key(name)),
            hint: None,
        };
        let mut wrongs = Vec::new();
        if bucket.bucket.is_empty() {
            let kind = self.text(&key("kind")).unwrap_or_default();
            wrongs.push(wrong("kind", format!("is {kind}, but {section}.bucket is not set")));
        }
        for (one, other) in [("access_key", "secret_key"), ("secret_key", "access_key")] {
            let given = |name: &str| self.text(&key(name)).is_some();
            // A service account of Google Cloud is one key.
            if kind != bucket::Kind::Gcs && given(one) && !given(other) {
                wrongs.push(wrong(one, format!("is given without {section}.{other}")));
            }
        }
        for name in ["endpoint", "public_endpoint"] {
            if !bucket.allow_http && self.text(&key(name)).is_some_and(|url| url.starts_with("http://")) {
                wrongs.push(wrong(name, format!("is without TLS: set {section}.allow_http if that is meant")));
            }
        }
        if !(bucket::Config::SMALLEST_PART..=bucket::Config::LARGEST_PART).contains(&bucket.part_size) {
            wrongs.push(wrong("part_size", "is not between 5MiB and 256MiB".to_owned()));
        }
        wrongs
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.text("data").unwrap_or(OWN_DATA).into()
    }

    /// Where the value of `key` was said.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.layers.get(key).map_or(&Origin::Default, |given| &given.origin)
    }

    /// A value as text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.layers.get(key)?.value {
            Value::One(text) => Some(text),
            Value::Many(_) => None,
        }
    }

    fn list(&self, key: &str) -> &[String] {
        match self.layers.get(key).map(|given| &given.value) {
            Some(Value::Many(items)) => items,
            _ => &[],
        }
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    fn span(&self, key: &str) -> Option<Duration> {
        value::span(self.text(key)?)
    }

    fn size(&self, key: &str) -> Option<u64> {
        value::size(self.text(key)?)
    }
}

fn variables_of_process() -> Outcome<Vec<(String, String)>> {
    let ours = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"WHARF_"));
    ours.map(|(name, value)| match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (name, _) => {
            let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
            Err(Failure::usage(format!("{name}: name or value is not UTF-8")))
        }
    })
    .collect()
}

fn named_by_variable(variables: &[(String, String)]) -> Option<PathBuf> {
    variables.iter().find(|(name, _)| name == "WHARF_CONFIG").map(|(_, path)| path.into())
}

fn refused(wrongs: &[Wrong]) -> Failure {
    let lines: Vec<String> = wrongs.iter().map(Wrong::to_string).collect();
    Failure::usage(format!("the configuration cannot be used\n  {}", lines.join("\n  ")))
        .hint("`wharf config example` prints every setting with its meaning")
}

/// Whether a file can be made in the folder. Asking for its mode bits would not tell of read-only mounts.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".wharf-probe-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    made && std::fs::remove_file(probe).is_ok()
}

#[cfg(test)]
mod tests;

//! Packages to upload.

use wharf_testkit::sha256;

/// A package.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) name: String,
    version: String,
    header: String,
    text: String,
}

/// A package of this name and version.
pub(crate) fn note(name: &str, version: &str) -> Note {
    let text = format!("What {name} {version} has to say.\n");
    Note { name: name.to_owned(), version: version.to_owned(), header: String::new(), text }
}

impl Note {
    /// With another text.
    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// With one more line in its header.
    pub(crate) fn field(self, key: &str, value: &str) -> Self {
        Self { header: format!("{}{key}: {value}\n", self.header), ..self }
    }

    /// The file.
    pub(crate) fn file(&self) -> String {
        let Self { name, version, header, text } = self;
        format!("Name: {name}\nVersion: {version}\n{header}\n{text}")
    }

    /// Where it lies inside a repository.
    pub(crate) fn path(&self, channel: &str) -> String {
        format!("{channel}/packages/{}_{}.txt", self.name, self.version)
    }

    /// What an index says of it.
    pub(crate) fn entry(&self, channel: &str) -> String {
        let Self { name, version, header, text } = self;
        let (file, lines) = (self.file(), text.matches('\n').count());
        format!(
            "Name: {name}\nVersion: {version}\n{header}Lines: {lines}\nPath: {}\nSize: {}\nSHA256: {}\n\n",
            self.path(channel),
            file.len(),
            sha256(&file).trim_start_matches("sha256:"),
        )
    }
}

/// The index that lists these and nothing else.
pub(crate) fn index_of(channel: &str, notes: &[Note]) -> String {
    let mut notes: Vec<_> = notes.iter().collect();
    notes.sort_by_key(|note| note.path(channel));
    notes.iter().map(|note| note.entry(channel)).collect()
}

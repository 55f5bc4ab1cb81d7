//! What helm and curl are to be told.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use wharf_core::{PushedFile, SetupBlock, SetupFacts};

use crate::NAME;

/// What may not stand in a segment of a path as it is, and what would end one.
const SEGMENT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b'<').add(b'>').add(b'?').add(b'`');

/// For each client, installing first.
pub(crate) fn setup(facts: &SetupFacts) -> Vec<SetupBlock> {
    let (url, label) = (&facts.url, facts.label());
    let add = if facts.public {
        format!("helm repo add {label} '{url}'")
    } else {
        facts.typed(&format!("helm repo add {label} '{url}' --username '{}' --password-stdin", facts.user))
    };
    vec![
        SetupBlock::new(
            "helm",
            "install from it",
            facts.with_password_to_read(vec![
                add,
                format!("helm repo update {label}"),
                format!("helm search repo {label}/"),
            ]),
        ),
        SetupBlock::new(
            "curl",
            "upload a chart",
            facts.with_password(vec![format!(
                "curl -sS --fail-with-body{} --data-binary '@FILE' '{url}/api/charts?wait=1'",
                facts.writes()
            )]),
        ),
        facts.pushed(NAME, ""),
        SetupBlock::new(
            "helm",
            "upload a chart by OCI; charts are there through both doors",
            facts.with_password(by_oci(facts)),
        ),
    ]
}

/// Charts are artifacts below the repository's name. Without TLS, versions of helm disagree about how to sign in, and not about this.
fn by_oci(facts: &SetupFacts) -> Vec<String> {
    let (host, user, charts) = (facts.host(), &facts.user, facts.repository.full());
    if facts.is_plain() {
        return vec![format!(
            "helm push 'FILE' oci://{host}/{charts} --username '{user}' --password \"$password\" --plain-http"
        )];
    }
    vec![
        facts.typed(&format!("helm registry login {host} -u '{user}' --password-stdin")),
        format!("helm push 'FILE' oci://{host}/{charts}"),
    ]
}

/// Charts and provenance files lie by their names.
pub(crate) fn push_path(file: &PushedFile<'_>) -> Option<String> {
    let ours = [".tgz", ".tgz.prov"].iter().any(|ending| file.name.ends_with(ending));
    ours.then(|| format!("charts/{}", utf8_percent_encode(file.name, SEGMENT)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(server: &str, public: bool) -> String {
        let facts = SetupFacts {
            server: server.to_owned(),
            url: format!("{server}/helm/team/charts"),
            repository: "team/charts".parse().unwrap(),
            public,
            user: "jo".to_owned(),
            fingerprints: Vec::new(),
            indexes: BTreeMap::new(),
        };
        setup(&facts).into_iter().flat_map(|block| block.lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_public_repository_is_added_without_a_password() {
        let lines = told("https://wharf.example", true);
        assert!(lines.starts_with("helm repo add team-charts 'https://wharf.example/helm/team/charts'\n"), "{lines}");
        let lines = told("https://wharf.example", false);
        let line = "\nprintf %s \"$password\" | helm repo add team-charts 'https://wharf.example/helm/team/charts' \
                    --username 'jo' --password-stdin\n";
        assert!(lines.contains(line), "{lines}");
    }

    #[test]
    fn helm_signs_in_where_there_is_tls() {
        let lines = told("https://wharf.example", false);
        assert!(lines.contains("helm registry login wharf.example -u 'jo' --password-stdin\n"), "{lines}");
        assert!(lines.ends_with("helm push 'FILE' oci://wharf.example/team/charts"), "{lines}");
        assert!(told("http://127.0.0.1:5000", false).ends_with("--plain-http"));
    }

    #[test]
    fn files_are_pushed_under_their_own_names() {
        let path = |name| push_path(&PushedFile { name, channel: None, section: None });
        assert_eq!(path("a-1.0.0+b.tgz").as_deref(), Some("charts/a-1.0.0+b.tgz"));
        assert_eq!(path("a b?-1.tgz.prov").as_deref(), Some("charts/a%20b%3F-1.tgz.prov"));
        assert_eq!(path("a.prov"), None);
        assert_eq!(path("a.deb"), None);
    }
}

//! What apt, dput and curl are to be told.

use std::collections::BTreeSet;

use wharf_core::{SetupBlock, SetupFacts};

use crate::NAME;

/// The distribution that uploads go into which name none.
pub(crate) const DISTRIBUTION: &str = "stable";
/// The component of those.
pub(crate) const COMPONENT: &str = "main";

/// For each client, installing first.
pub(crate) fn setup(facts: &SetupFacts) -> Vec<SetupBlock> {
    let shown = Shown::of(facts);
    vec![
        SetupBlock::new("apt", "install from it", install(facts, &shown)),
        SetupBlock::new(
            "curl",
            "upload a package",
            facts.with_password(vec![format!(
                "curl -sS --fail-with-body{} -T 'FILE' '{}/pool/{}/{}/upload?wait=1'",
                facts.writes(),
                facts.url,
                shown.distribution,
                shown.components[0]
            )]),
        ),
        facts.pushed(NAME, &format!(" --channel {} --section {}", shown.distribution, shown.components[0])),
        SetupBlock::new("dput", "upload what a .changes names", dput(facts)),
        SetupBlock::new("dput-ng", "upload what a .changes names", dput_ng(facts)),
    ]
}

/// Which of the distributions the lines are about.
struct Shown<'a> {
    distribution: &'a str,
    /// Not empty.
    components: Vec<&'a str>,
    has_sources: bool,
}

impl<'a> Shown<'a> {
    fn of(facts: &'a SetupFacts) -> Self {
        let named = facts.indexes.get_key_value(DISTRIBUTION).or_else(|| facts.indexes.first_key_value());
        let Some((distribution, files)) = named else {
            return Self { distribution: DISTRIBUTION, components: vec![COMPONENT], has_sources: false };
        };
        let tables = || files.iter().filter_map(|path| path.split_once('/'));
        let mut components: Vec<&str> =
            tables().map(|(component, _)| component).collect::<BTreeSet<_>>().into_iter().collect();
        if components.is_empty() {
            components.push(COMPONENT);
        }
        // The usual one is where uploads go.
        components.sort_by_key(|component| *component != COMPONENT);
        let has_sources = tables().any(|(_, table)| table.starts_with("source/"));
        Self { distribution, components, has_sources }
    }
}

fn install(facts: &SetupFacts, shown: &Shown<'_>) -> Vec<String> {
    let (url, label) = (&facts.url, facts.label());
    let key = format!("/etc/apt/keyrings/{label}.asc");
    let mut lines = vec![
        "sudo install -d -m 755 /etc/apt/keyrings".to_owned(),
        format!("sudo curl -fsS{} -o {key} '{url}/key.asc'", facts.reads()),
        format!("sudo chmod 644 {key}"),
    ];
    if !facts.public {
        let file = format!("/etc/apt/auth.conf.d/{label}.conf");
        lines.extend([
            "# apt takes no password with a space in it: use a token (wharf token create) if yours has one".to_owned(),
            format!("sudo install -D -m 600 /dev/null {file}"),
            format!(
                "printf '%s\\n' \"machine {url}/ login {} password $password\" | sudo tee {file} >/dev/null",
                facts.user
            ),
        ]);
    }
    if facts.indexes.len() > 1 {
        let all: Vec<&str> = facts.indexes.keys().map(String::as_str).collect();
        lines.push(format!("# Suites is one of these, or several: {}", all.join(" ")));
    }
    lines.extend([
        format!("sudo tee /etc/apt/sources.list.d/{label}.sources >/dev/null <<'END'"),
        format!("Types: deb{}", if shown.has_sources { " deb-src" } else { "" }),
        format!("URIs: {url}"),
        format!("Suites: {}", shown.distribution),
        format!("Components: {}", shown.components.join(" ")),
        format!("Signed-By: {key}"),
        "END".to_owned(),
        "sudo apt-get update".to_owned(),
    ]);
    facts.with_password_to_read(lines)
}

/// The path that files come in by, past what a proxy puts before ours.
fn incoming(facts: &SetupFacts) -> String {
    let path = facts.url.get(facts.server.len()..).unwrap_or_default();
    let prefix = facts.place().strip_prefix(facts.host()).unwrap_or_default();
    format!("{prefix}{path}/incoming")
}

fn method(facts: &SetupFacts) -> &'static str {
    if facts.is_plain() { "http" } else { "https" }
}

fn dput(facts: &SetupFacts) -> Vec<String> {
    let label = facts.label();
    vec![
        format!("cat >{label}.dput.cf <<'END'"),
        format!("[{label}]"),
        format!("method = {}", method(facts)),
        format!("fqdn = {}", facts.host()),
        format!("incoming = {}", incoming(facts)),
        format!("login = {}", facts.user),
        "allow_unsigned_uploads = 1".to_owned(),
        "END".to_owned(),
        "# it asks for the password".to_owned(),
        format!("dput -c {label}.dput.cf {label} 'FILE'"),
    ]
}

/// It asks for no password, and knows one only as a part of the URL.
fn dput_ng(facts: &SetupFacts) -> Vec<String> {
    let (label, method) = (facts.label(), method(facts));
    let profile = format!("~/.dput.d/profiles/{label}.json");
    facts.with_password(vec![
        "# it shows the password while it works, and takes none with / ? # [ ] or %( in it: better a token (wharf token create)"
            .to_owned(),
        format!("install -D -m 600 /dev/null {profile}"),
        // As JSON writes it.
        r#"escaped=$(printf '%s\n' "$password" | sed 's/[\"]/\\&/g')"#.to_owned(),
        format!("cat >{profile} <<END"),
        "{".to_owned(),
        format!("  \"method\": \"{method}\","),
        format!("  \"fqdn\": \"{method}://{}:$escaped@{}\",", facts.user, facts.host()),
        format!("  \"incoming\": \"{}\",", incoming(facts)),
        "  \"allow_unsigned_uploads\": true".to_owned(),
        "}".to_owned(),
        "END".to_owned(),
        format!("dput {label} 'FILE'"),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(public: bool, indexes: &[(&str, &[&str])]) -> SetupFacts {
        let files = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
        SetupFacts {
            server: "https://wharf.example/w".to_owned(),
            url: "https://wharf.example/w/apt/team/debs".to_owned(),
            repository: "team/debs".parse().unwrap(),
            public,
            user: "jo".to_owned(),
            fingerprints: Vec::new(),
            indexes: indexes.iter().map(|(name, paths)| ((*name).to_owned(), files(paths))).collect::<BTreeMap<_, _>>(),
        }
    }

    fn block(facts: &SetupFacts, client: &str) -> String {
        setup(facts).iter().find(|block| block.client == client).unwrap().lines.join("\n")
    }

    #[test]
    fn a_password_is_in_its_own_file_and_nowhere_else() {
        let private = block(&facts(false, &[]), "apt");
        let line = "\"machine https://wharf.example/w/apt/team/debs/ login jo password $password\" | \
                    sudo tee /etc/apt/auth.conf.d/team-debs.conf >/dev/null";
        assert!(private.contains(line), "{private}");
        assert!(private.contains("install -D -m 600 /dev/null /etc/apt/auth.conf.d/team-debs.conf\n"), "{private}");
        assert_eq!(private.matches("PASSWORD").count(), 1, "{private}");
        let public = block(&facts(true, &[]), "apt");
        assert!(!public.contains("PASSWORD") && !public.contains("auth.conf"), "{public}");
        assert!(public.contains("Signed-By: /etc/apt/keyrings/team-debs.asc"), "{public}");
    }

    #[test]
    fn the_source_names_what_is_there() {
        let files: &[&str] = &["Release", "contrib/binary-amd64/Packages", "main/binary-all/Packages.gz"];
        let usual = block(&facts(true, &[("sid", &["main/source/Sources"]), ("stable", files)]), "apt");
        assert!(
            usual.contains("Types: deb\n") && usual.contains("Suites: stable\nComponents: main contrib\n"),
            "{usual}"
        );
        assert!(usual.contains("one of these, or several: sid stable"), "{usual}");
        let other = facts(true, &[("sid", &["contrib/source/Sources"])]);
        assert!(block(&other, "apt").contains("Types: deb deb-src\n"));
        assert!(block(&other, "apt").contains("Suites: sid\nComponents: contrib\n"));
        assert!(block(&other, "curl").contains("/pool/sid/contrib/upload?wait=1'"));
        assert!(block(&other, "wharf").contains("apt/team/debs --channel sid --section contrib --wait"));
        assert!(block(&facts(true, &[]), "apt").contains("Suites: stable\nComponents: main\n"));
    }

    #[test]
    fn dput_is_told_the_way_past_a_proxy() {
        let told = block(&facts(false, &[]), "dput");
        assert!(
            told.contains("method = https\nfqdn = wharf.example\nincoming = /w/apt/team/debs/incoming\n"),
            "{told}"
        );
    }
}

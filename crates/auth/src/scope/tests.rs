use super::*;

const OCI: FormatName = FormatName::new("oci");
const APT: FormatName = FormatName::new("apt");

fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

#[test]
fn several_scopes_are_read_and_unknown_ones_left_out() {
    let text = "repository:team/app:pull,push repository(plugin):a:pull registry:catalog:* \
                host:x repository:UPPER:pull repository:a/b:fly nonsense repository(x:a:pull registry:other:*";
    let read: Vec<_> = parse_scope(text).iter().map(Scope::to_string).collect();
    assert_eq!(read, ["repository:team/app:pull,push", "repository:a:pull", "registry:catalog:*"]);
    assert!(parse_scope("").is_empty());
}

#[test]
fn scopes_for_one_repository_are_joined() {
    let read = parse_scope("repository:a/b:pull repository:a/b:push");
    assert_eq!(read.len(), 1);
    assert!(read[0].covers(OCI, &name("a/b"), Verb::Push) && read[0].covers(OCI, &name("a/b"), Verb::Pull));
}

#[test]
fn a_token_full_of_scopes_stays_bounded() {
    let text: String = (0..1000).map(|i| format!("repository:a/r{i}:pull ")).collect();
    assert_eq!(parse_scope(&text).len(), MOST_SCOPES);
}

#[test]
fn each_action_covers_its_verbs_only() {
    let covered = |actions: &str| -> Vec<Verb> {
        let scope = &parse_scope(&format!("repository:a/b:{actions}"))[0];
        Verb::ALL.into_iter().filter(|&verb| scope.covers(OCI, &name("a/b"), verb)).collect()
    };
    assert_eq!(covered("pull"), [Verb::View, Verb::Pull]);
    assert_eq!(covered("push"), [Verb::Push]);
    assert_eq!(covered("delete"), [Verb::Delete]);
    assert_eq!(covered("*"), [Verb::View, Verb::Pull, Verb::Push, Verb::Delete]);
}

#[test]
fn a_scope_covers_its_repository_in_its_format_only() {
    let scope = &parse_scope("repository:default/app:pull")[0];
    assert!(scope.covers(OCI, &name("app"), Verb::Pull));
    assert!(!scope.covers(APT, &name("app"), Verb::Pull));
    assert!(!scope.covers(OCI, &name("default/app/x"), Verb::Pull));
    let apt = Scope::needed(APT, &name("a/b"), Verb::Pull).unwrap();
    assert_eq!(apt.to_string(), "repository(apt):a/b:pull");
    assert!(apt.covers(APT, &name("a/b"), Verb::Pull) && !apt.covers(OCI, &name("a/b"), Verb::Pull));
}

#[test]
fn what_is_needed_is_covered_by_what_is_asked_for_it() {
    for verb in [Verb::View, Verb::Pull, Verb::Push, Verb::Delete] {
        let needed = Scope::needed(OCI, &name("a/b"), verb).unwrap();
        let asked = &parse_scope(&needed.to_string())[0];
        assert!(asked.covers(OCI, &name("a/b"), verb));
        assert_eq!(AccessClaim::from(&needed).scope().unwrap(), needed);
    }
    assert!(parse_scope(&Scope::catalog().to_string())[0].covers_catalog());
}

#[test]
fn a_token_from_a_token_is_no_wider() {
    let had = parse_scope("repository:a/b:pull registry:catalog:*");
    let asked = parse_scope("repository:a/b:* repository:a/c:pull registry:catalog:*");
    let got: Vec<_> = asked.iter().filter_map(|scope| scope.within(&had)).map(|s| s.to_string()).collect();
    assert_eq!(got, ["repository:a/b:pull", "registry:catalog:*"]);
}

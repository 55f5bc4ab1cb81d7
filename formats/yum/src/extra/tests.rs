use super::*;

fn said(extra: Extra, text: &str) -> Result<Contents, InspectError> {
    inspect(extra, None, &mut text.as_bytes())
}

const UPDATE: &str = "<update from=\"me\" type=\"security\" version=\"2\">\n  <id>FOO-2026:0001</id>\n  <title>a &amp; b &#8211;</title>\n</update>";

#[test]
fn a_file_of_advisories_is_taken_apart() {
    let file = format!("<?xml version=\"1.0\"?>\n<updates>\n{UPDATE}\n{}</updates>", UPDATE.replace("0001", "0002"));
    let parts = Extra::Advisory.split(&file).unwrap();
    let ids: Vec<_> = parts.iter().map(|part| said(Extra::Advisory, part).unwrap().name).collect();
    assert_eq!(ids, ["FOO-2026:0001", "FOO-2026:0002"]);
    let contents = said(Extra::Advisory, UPDATE).unwrap();
    assert!(contents.path.starts_with("updateinfo/FOO-2026:0001@") && contents.version == "2", "{contents:?}");
    assert_eq!(contents.fragments[KIND], format!("{UPDATE}\n").into_bytes());
}

#[test]
fn xml_that_does_not_stand_for_itself_is_refused() {
    for (text, why) in [
        ("<update><id>a</id>", "not one whole element"),
        ("<update><id>a</id></updates>", "not XML"),
        ("<update><id>a</id></update><update/>", "not one whole element"),
        ("<update><id>a</id>&evil;</update>", "refers to something"),
        ("<update a='&evil;'><id>a</id></update>", "refers to something"),
        ("<update a='1' a='2'><id>a</id></update>", "not XML"),
        ("<update><id>a</id>&#0;</update>", "refers to something"),
        ("<update><x:id>a</x:id></update>", "prefix"),
        ("<update><title/></update>", "no <id>"),
        ("<update><id>../../a</id></update>", "its name is"),
        ("<updates/>", "not an <update>"),
        ("<update><id>a</id>\u{1}</update>", "control character"),
        ("text", "outside"),
        ("", "not one whole element"),
        (&format!("{}{}", "<update>".repeat(100), "</update>".repeat(100)), "deep"),
    ] {
        let refused = said(Extra::Advisory, text).expect_err(text);
        assert!(refused.0.contains(why), "{text}: {refused}");
    }
}

#[test]
fn what_is_in_a_file_of_groups_goes_into_the_one_that_is_served() {
    let file = "<?xml version=\"1.0\"?>\n<!DOCTYPE comps PUBLIC \"-//x//EN\" \"comps.dtd\">\n<comps><group><id>core</id></group>\n<category/></comps>";
    let contents = inspect(Extra::Groups, Some("mine"), &mut file.as_bytes()).unwrap();
    assert_eq!(contents.fragments[KIND], b"  <group><id>core</id></group>\n  <category/>\n");
    assert!(contents.path.starts_with("comps/mine@"));
    assert!(said(Extra::Groups, "<groups/>").unwrap_err().0.contains("its root is not <comps>"));
}

#[test]
fn a_stream_of_modules_is_taken_apart() {
    let stream = "# a comment\n---\ndocument: modulemd\nversion: 2\ndata:\n  name: tool\n  stream: \"1.10\"\n  version: 20260101\n  \
                  context: abcd\n  arch: x86_64\n  summary: >-\n    x\n...\n---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  \
                  module: tool\n  stream: 1.10\n...\n";
    let parts = Extra::Module.split(stream).unwrap();
    let ids: Vec<_> = parts.iter().map(|part| said(Extra::Module, part).unwrap().name).collect();
    assert_eq!(ids, ["modulemd:tool:1.10:20260101:abcd:x86_64", "modulemd-defaults:tool:1.10"]);
    for (text, why) in [
        ("a: b\n", "no document about modules"),
        ("document: other\ndata: {name: a}\n", "of the kind"),
        ("document: modulemd\ndata: {}\n", "does not name"),
        ("[\n", "no document about modules"),
        ("", "not one YAML document"),
    ] {
        let refused = said(Extra::Module, text).expect_err(text);
        assert!(refused.0.contains(why), "{text}: {refused}");
    }
}

#[test]
fn a_file_covers_what_it_says_in_the_same_words() {
    let all = "<updates>\n<update><id>a</id></update>\n  <update><id>b</id></update></updates>";
    for (some, covered) in [
        ("<updates><update><id>b</id></update></updates>", true),
        ("<updates><update><id>c</id></update></updates>", false),
        ("<updates><update><id>b</id></update><update><id>b</id><title/></update></updates>", false),
        ("<updates/>", true),
    ] {
        assert_eq!(Extra::Advisory.covers(all, some).unwrap(), covered, "{some}");
    }
    let groups = |inner: &str| format!("<comps><group>{inner}</group></comps>");
    assert!(Extra::Groups.covers(&groups("a"), &groups("a")).unwrap());
    assert!(!Extra::Groups.covers(&groups("a"), &groups("b")).unwrap());
    assert!(Extra::Module.covers("---\na: 1\n...\n---\nb: 1\n...\n", "---\nb: 1\n").unwrap());
    assert!(Extra::Advisory.covers(all, "no XML").is_err());
}

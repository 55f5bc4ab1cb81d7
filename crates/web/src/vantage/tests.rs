use http::{HeaderValue, Request};

use super::*;

const ID: HeaderValue = HeaderValue::from_static("id");

fn vantage(trusted: &[&str]) -> Vantage {
    let trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
    Vantage::new(&Config { trusted_proxies, ..Config::default() }, "wharf".into()).unwrap()
}

fn seen(vantage: &Vantage, headers: &[(&str, &str)]) -> (String, String) {
    let mut request = Request::builder().uri("/v2/").header("host", "inside:5000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer = vantage.peer("10.0.0.1:999".parse().unwrap(), "10.0.0.9:5000".parse().unwrap(), false);
    let context = vantage.context(&request.body(()).unwrap().into_parts().0, &peer, &ID).unwrap();
    (context.address.unwrap().to_string(), context.base_url)
}

fn pair(address: &str, base: &str) -> (String, String) {
    (address.to_owned(), base.to_owned())
}

#[test]
fn what_an_untrusted_peer_says_is_ignored() {
    let headers = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil")];
    assert_eq!(seen(&vantage(&[]), &headers), pair("10.0.0.1", "http://inside:5000"));
}

#[test]
fn the_right_most_untrusted_address_is_the_client() {
    let vantage = vantage(&["10.0.0.0/8"]);
    let cases = [
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("1.2.3.4:567, 10.0.0.2", "1.2.3.4"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("1.2.3.4, unknown", "10.0.0.1"),
        ("1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
        ("", "10.0.0.1"),
    ];
    for (list, client) in cases {
        assert_eq!(seen(&vantage, &[("x-forwarded-for", list)]).0, client, "{list}");
    }
}

#[test]
fn scheme_and_host_are_those_that_the_client_talked_to() {
    let vantage = vantage(&["10.0.0.0/8"]);
    let chain = ("x-forwarded-for", "1.2.3.4, 10.0.0.2");
    let one = [chain, ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example")];
    assert_eq!(seen(&vantage, &one).1, "https://a.example");
    let forged = [chain, ("x-forwarded-proto", "x, https, http"), ("x-forwarded-host", "evil, a.example, inside")];
    assert_eq!(seen(&vantage, &forged).1, "https://a.example");
    let nonsense = [chain, ("x-forwarded-proto", "gopher"), ("x-forwarded-host", "a b\"")];
    assert_eq!(seen(&vantage, &nonsense).1, "http://inside:5000");
}

#[test]
fn only_the_configured_family_of_headers_is_believed() {
    let mut vantage = vantage(&["10.0.0.0/8"]);
    let both = [
        ("x-forwarded-for", "1.1.1.1"),
        ("forwarded", "for=\"[2001:db8::7]:1,2\", for=2.2.2.2;proto=https;host=\"b.example:8443\";by=x, for=10.0.0.2"),
    ];
    assert_eq!(seen(&vantage, &both), pair("1.1.1.1", "http://inside:5000"));
    vantage.headers = ProxyHeaders::Forwarded;
    assert_eq!(seen(&vantage, &both), pair("2.2.2.2", "https://b.example:8443"));
}

#[test]
fn a_configured_url_overrides_what_requests_say() {
    let config = Config { external_url: Some("https://a.example/registry/".into()), ..Config::default() };
    let vantage = Vantage::new(&config, "wharf".into()).unwrap();
    assert_eq!(seen(&vantage, &[]).1, "https://a.example/registry");
    assert_eq!(vantage.prefix(), "/registry");
}

#[test]
fn an_external_url_is_checked() {
    for text in ["a.example", "ftp://a", "https://u@a", "https://a/?b", "https://a/#b", "", "/x"] {
        assert!(ExternalUrl::parse(text).is_err(), "{text}");
    }
    assert_eq!(ExternalUrl::parse("http://a:1").unwrap().base, "http://a:1");
}

#[test]
fn a_host_that_could_break_out_of_a_header_is_refused() {
    for host in ["", "a b", "a\"", "a/b", "a?b", "u@a", "a,b"] {
        assert_eq!(host_of(host), Err(InvalidHost), "{host}");
    }
    for host in ["a", "a.b:5000", "[::1]:5000", "127.0.0.1"] {
        assert_eq!(host_of(host), Ok(host));
    }
}

#[test]
fn two_hosts_are_none() {
    let vantage = vantage(&[]);
    let peer = vantage.peer("1.1.1.1:1".parse().unwrap(), "127.0.0.1:5000".parse().unwrap(), false);
    let request = Request::builder().uri("/").header("host", "a").header("host", "b");
    assert!(vantage.context(&request.body(()).unwrap().into_parts().0, &peer, &ID).is_err());
}

#[test]
fn http_1_0_may_leave_out_the_host() {
    let vantage = vantage(&[]);
    let peer = vantage.peer("1.1.1.1:1".parse().unwrap(), "127.0.0.1:5000".parse().unwrap(), true);
    let head = |version| Request::builder().uri("/").version(version).body(()).unwrap().into_parts().0;
    let base = vantage.context(&head(Version::HTTP_10), &peer, &ID).unwrap().base_url;
    assert_eq!(base, "https://127.0.0.1:5000");
    assert!(vantage.context(&head(Version::HTTP_11), &peer, &ID).is_err());
}

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

fn claims() -> Claims {
    Claims {
        iss: "wharf".into(),
        aud: "wharf".into(),
        sub: "alice".into(),
        exp: 2_000,
        nbf: 1_000,
        iat: 1_000,
        holder: Some(Holder { id: 1, token: None, generation: 7 }),
        access: vec![],
        client: None,
    }
}

fn signer(key: &InstanceKey) -> Signer {
    Signer::new(key, Kind::Registry, "wharf")
}

fn encode(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_is_read_back() {
    let signer = signer(&InstanceKey::generate());
    let read = signer.read(&signer.sign(&claims()).unwrap()).unwrap();
    assert_eq!(read.holder, claims().holder);
}

#[test]
fn tokens_are_good_within_their_time_only() {
    let at = |seconds: i64| claims().check_time(Timestamp::from_millis(seconds * 1000));
    assert!(matches!(at(900), Err(Rejected::BadCredentials)));
    assert!(at(970).is_ok() && at(1_999).is_ok());
    assert!(matches!(at(2_000), Err(Rejected::Expired)));
}

#[test]
fn tokens_of_other_keys_kinds_and_services_are_refused() {
    let key = InstanceKey::generate();
    for other in [signer(&InstanceKey::generate()), Signer::new(&key, Kind::Refresh, "wharf")] {
        assert!(signer(&key).read(&other.sign(&claims()).unwrap()).is_err());
    }
    for foreign in [Claims { iss: "other".into(), ..claims() }, Claims { aud: "other".into(), ..claims() }] {
        assert!(signer(&key).read(&signer(&key).sign(&foreign).unwrap()).is_err());
    }
}

#[test]
fn unsigned_tokens_and_other_algorithms_are_refused() {
    let key = InstanceKey::generate();
    let signer = signer(&key);
    let body = serde_json::to_value(claims()).unwrap();
    for algorithm in ["none", "None", "NONE", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""] {
        let header = json!({"typ": "JWT", "alg": algorithm, "kid": key.id()});
        for signature in [&b""[..], b"signature"] {
            assert!(signer.read(&encode(&header, &body, signature)).is_err(), "{algorithm}");
        }
    }
    // The right key under another algorithm of its family.
    let header = Header { kid: Some(key.id()), ..Header::new(Algorithm::HS512) };
    assert!(signer.read(&jsonwebtoken::encode(&header, &claims(), &signer.signing).unwrap()).is_err());
}

#[test]
fn a_token_without_our_key_id_is_refused() {
    let signer = signer(&InstanceKey::generate());
    let header = Header::new(Algorithm::HS256);
    assert!(signer.read(&jsonwebtoken::encode(&header, &claims(), &signer.signing).unwrap()).is_err());
}

#[test]
fn a_changed_token_is_refused() {
    let key = InstanceKey::generate();
    let signer = signer(&key);
    let token = signer.sign(&claims()).unwrap();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut other = claims();
    other.sub = "admin".into();
    let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&other).unwrap());
    assert!(signer.read(&format!("{header}.{body}.{signature}")).is_err());
    for position in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        assert!(signer.read(&String::from_utf8(bytes).unwrap()).is_err(), "{position}");
    }
}

#[test]
fn tokens_without_a_required_claim_are_refused() {
    let signer = signer(&InstanceKey::generate());
    let header = Header { kid: Some(signer.key_id.clone()), ..Header::new(Algorithm::HS256) };
    for claim in ["iss", "aud", "exp", "nbf", "sub"] {
        let mut body = serde_json::to_value(claims()).unwrap();
        body.as_object_mut().unwrap().remove(claim);
        assert!(signer.read(&jsonwebtoken::encode(&header, &body, &signer.signing).unwrap()).is_err(), "{claim}");
    }
}

#[test]
fn garbage_is_refused() {
    let signer = signer(&InstanceKey::generate());
    for text in ["", ".", "..", "a.b.c", "a.b", "eyJ.eyJ.x", &"a".repeat(100_000), &"..".repeat(9), "\u{0}.é.x"] {
        assert!(signer.read(text).is_err(), "{text:.20}");
    }
}

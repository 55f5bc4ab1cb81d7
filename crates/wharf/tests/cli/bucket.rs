//! The real program over a bucket.

use wharf_storage::testing;

use crate::harness::{PASSWORD, Place};

/// The settings of a new part of the bucket, as variables.
fn settings() -> Vec<(&'static str, String)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = runtime.block_on(async { testing::s3().await.config() });
    vec![
        ("WHARF_STORAGE_KIND", "s3".to_owned()),
        ("WHARF_STORAGE_BUCKET", config.bucket),
        ("WHARF_STORAGE_PREFIX", config.prefix),
        ("WHARF_STORAGE_ENDPOINT", config.endpoint.unwrap()),
        ("WHARF_STORAGE_ALLOW_HTTP", "true".to_owned()),
        ("WHARF_STORAGE_ACCESS_KEY", config.access_key.unwrap()),
        ("WHARF_STORAGE_SECRET_KEY", config.secret_key.unwrap().0),
        ("WHARF_STORAGE_RETRIES", "0".to_owned()),
        ("WHARF_ADMIN_PASSWORD", PASSWORD.to_owned()),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

const SERVE: [&str; 5] = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];

#[test]
fn a_server_starts_again_over_its_bucket_and_a_second_one_on_its_sqlite_is_refused() {
    let (place, settings) = (Place::new(), settings());
    for _ in 0..2 {
        let server = place.serve_with(&[], &borrowed(&settings));
        let second = place.run_with(&SERVE, &borrowed(&settings), "").refused(1);
        assert!(second.contains("in use by another process"), "{second}");
        place.login(&server);
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_at_the_start_and_its_setting_named() {
    let right = settings();
    for (variable, value, named) in [
        ("WHARF_STORAGE_BUCKET", "not-there", "storage.bucket names not-there"),
        ("WHARF_STORAGE_ACCESS_KEY", "somebody", "storage.access_key"),
        ("WHARF_STORAGE_SECRET_KEY", "hunter2", "storage.secret_key is refused"),
        ("WHARF_STORAGE_ENDPOINT", "http://127.0.0.1:1", "storage.endpoint cannot be reached"),
        ("WHARF_STORAGE_CA", "/not/there.pem", "storage.ca: /not/there.pem cannot be read"),
        ("WHARF_STORAGE_ALLOW_HTTP", "false", "set storage.allow_http"),
    ] {
        let mut wrong = right.clone();
        wrong.retain(|(name, _)| *name != variable);
        wrong.push((variable, value.to_owned()));
        let ended = Place::new().run_with(&SERVE, &borrowed(&wrong), "");
        assert!(ended.code != 0 && ended.err.contains(named), "{variable}: {ended:?}");
        assert!(!ended.err.contains("hunter2") && !ended.err.contains("test-secret"), "{ended:?}");
    }
}

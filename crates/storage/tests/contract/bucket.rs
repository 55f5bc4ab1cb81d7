//! What only a bucket promises.

use wharf_storage::bucket::{Bucket, Config, Kind, OpenError, Secret};
use wharf_storage::{Progress, Storage, testing};

use crate::facts::{append, key, read, store};
use crate::google;

/// A new part of a bucket of each provider.
async fn each() -> [Config; 3] {
    [testing::s3().await.config(), testing::azure().await.config(), google::config().await]
}

#[tokio::test]
async fn another_process_sees_the_same_bucket_and_goes_on() {
    for config in each().await {
        goes_on_in(&config).await;
    }
}

async fn goes_on_in(config: &Config) {
    let one = Bucket::open(config, [1; 16]).await.unwrap();
    let progress = append(&one, &key(1), &Progress::default(), "from one ").await;
    store(&one, &key(2), "sealed").await;
    let other = Bucket::open(config, [2; 16]).await.unwrap();
    assert_eq!(one.identity(), other.identity());
    let progress = append(&other, &key(1), &progress, "to the other").await;
    other.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&one, &key(1)).await.unwrap(), "from one to the other");
    assert_eq!(read(&other, &key(2)).await.unwrap(), "sealed");
}

#[tokio::test]
async fn prefixes_of_one_bucket_are_storages_of_their_own() {
    for (one, other) in each().await.into_iter().zip(each().await) {
        let (one, other) = (Bucket::open(&one, [1; 16]).await.unwrap(), Bucket::open(&other, [2; 16]).await.unwrap());
        store(&one, &key(1), "abc").await;
        assert_ne!(one.identity(), other.identity());
        assert_eq!(other.survey(None, 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_names_its_setting() {
    for right in each().await {
        refuses_what_does_not_fit(&right).await;
    }
}

async fn refuses_what_does_not_fit(right: &Config) {
    let mut wrong = Vec::new();
    let change = |set: &dyn Fn(&mut Config)| {
        let mut config = right.clone();
        set(&mut config);
        config
    };
    wrong.push(("storage.bucket", change(&|config| config.bucket = "not-there".to_owned())));
    wrong.push(("storage.bucket", change(&|config| config.bucket.clear())));
    // Nobody looks at Google's here.
    if right.kind != Kind::Gcs {
        wrong.push(("storage.access_key", change(&|config| config.access_key = Some("nobody".to_owned()))));
        // In base 64, as Azure's are.
        wrong.push(("storage.access_key", change(&|config| config.secret_key = Some(Secret("hunter22".to_owned())))));
    }
    wrong.push(("storage.allow_http", change(&|config| config.allow_http = false)));
    wrong.push(("storage.part_size", change(&|config| config.part_size = 1)));
    wrong.push((
        "storage.endpoint",
        change(&|config| {
            config.endpoint = Some("http://127.0.0.1:1".to_owned());
            config.retries = 0;
        }),
    ));
    for (expected, config) in wrong {
        let refused = Bucket::open(&config, [1; 16]).await.unwrap_err();
        let named = matches!(&refused, OpenError::Setting { setting, .. } if setting == expected);
        assert!(named, "{:?} {expected}: {refused}", right.kind);
        assert!(!refused.to_string().contains("hunter2") && !refused.to_string().contains("test-secret"), "{refused}");
    }
}

//! What every storage backend must do. A backend joins by one line.
#![expect(clippy::unwrap_used, reason = "a test stops at the first error, also in a function that it calls")]

mod bucket;
mod depot;
mod facts;
mod google;
mod local;

use std::sync::Arc;

use tempfile::TempDir;
use wharf_storage::bucket::{Bucket, Config};
use wharf_storage::{Storage, fs::Fs, memory::Memory, testing};

/// An empty storage, and what must outlive it.
struct Backend {
    storage: Arc<dyn Storage>,
    _folder: Option<TempDir>,
}

async fn memory() -> Backend {
    Backend { storage: Arc::new(Memory::new()), _folder: None }
}

async fn local() -> Backend {
    let folder = TempDir::new().unwrap();
    let storage = Fs::open(folder.path().join("storage")).unwrap();
    Backend { storage: Arc::new(storage), _folder: Some(folder) }
}

async fn s3() -> Backend {
    bucket(testing::s3().await.config()).await
}

async fn azure() -> Backend {
    bucket(testing::azure().await.config()).await
}

async fn gcs() -> Backend {
    bucket(google::config().await).await
}

async fn bucket(config: Config) -> Backend {
    Backend { storage: Arc::new(Bucket::open(&config, [7; 16]).await.unwrap()), _folder: None }
}

macro_rules! holds {
    ($backend:ident) => {
        holds! { $backend:
            an_object_is_written_in_several_requests,
            an_append_from_an_older_progress_cuts_off_what_lies_beyond,
            a_body_that_errs_keeps_what_came_before,
            an_append_counts_what_the_hash_has_seen,
            an_append_behind_more_than_is_there_is_refused,
            a_seal_of_more_than_is_there_is_refused,
            a_seal_cuts_off_what_lies_beyond,
            a_seal_can_be_repeated,
            a_sealed_object_does_not_grow,
            an_unsealed_object_cannot_be_read,
            an_empty_object_is_an_object,
            a_range_is_read_as_far_as_it_goes,
            a_large_object_comes_back_in_order,
            a_large_object_is_written_over_many_requests,
            a_large_append_from_an_older_progress_cuts_off_what_lies_beyond,
            a_large_object_that_was_sealed_does_not_change,
            a_large_object_that_was_discarded_is_gone,
            what_is_not_there_is_not_found,
            a_discarded_object_is_gone,
            a_discard_spares_the_sealed,
            removed_objects_are_gone_and_the_absent_passed_over,
            a_removal_spares_the_unsealed,
            a_survey_pages_through_sealed_and_unsealed_in_order,
            writers_of_different_objects_do_not_meet,
        }
    };
    ($backend:ident: $($fact:ident),* $(,)?) => {
        mod $backend {
            $(#[tokio::test]
            async fn $fact() {
                let backend = super::super::$backend().await;
                crate::facts::$fact(&backend.storage).await;
            })*
        }
    };
}

/// One module of tests for each backend.
mod every {
    holds!(memory);
    holds!(local);
    holds!(s3);
    holds!(azure);
    holds!(gcs);
}

//! Every way to push a blob, with digests of both algorithms that were not announced.

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use serde_json::json;
use wharf_testkit::{Answer, TestServer};

use crate::backend::on_every_backend;
use crate::blob::{ALGORITHMS, Blob, LARGE, noise};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::{Repository, with_digest};

on_every_backend! {
    every_way_of_pushing_ends_with_the_blob,
    wrong_bytes_are_refused_and_not_kept,
    what_is_pushed_twice_is_stored_once,
    a_deleted_blob_can_be_pushed_again,
    an_announced_algorithm_need_not_be_the_one_that_comes,
}

/// How the bytes are spread over requests.
#[derive(Debug, Clone, Copy)]
enum Way {
    OneRequest,
    TwoRequests,
    OneChunk,
    Chunks,
    LastChunkInThePut,
    Stream,
}

impl Way {
    const ALL: [Self; 6] =
        [Self::OneRequest, Self::TwoRequests, Self::OneChunk, Self::Chunks, Self::LastChunkInThePut, Self::Stream];

    /// Pushes the content as what has this digest. The last answer.
    async fn push(self, repository: &Repository, content: &Bytes, digest: &str) -> Answer {
        if let Self::OneRequest = self {
            let path = repository.path(&format!("blobs/uploads/?digest={digest}"));
            return repository.client.post(&path, content.clone()).await;
        }
        let upload = repository.begin().await;
        let third = content.len().div_ceil(3).max(1);
        match self {
            Self::OneRequest => unreachable!(),
            Self::TwoRequests => repository.client.put(&with_digest(&upload, digest), content.clone()).await,
            Self::OneChunk => {
                let upload = append_all(repository, upload, content, content.len().max(1)).await;
                repository.finish(&upload, content.len(), "", digest).await
            }
            Self::Chunks => {
                let upload = append_all(repository, upload, content, third).await;
                repository.finish(&upload, content.len(), "", digest).await
            }
            Self::LastChunkInThePut => {
                let at = content.len() - third.min(content.len());
                let upload = append_all(repository, upload, &content.slice(..at), third).await;
                repository.finish(&upload, at, content.slice(at..), digest).await
            }
            Self::Stream => {
                let streamed = repository.client.patch(&upload, streamed(content)).await;
                repository.finish(&streamed.assert_status(202).location(), content.len(), "", digest).await
            }
        }
    }
}

/// A body without a length.
fn streamed(content: &Bytes) -> reqwest::Body {
    let chunks: Vec<_> =
        content.chunks(10_000).map(|chunk| std::io::Result::Ok(Bytes::copy_from_slice(chunk))).collect();
    reqwest::Body::wrap_stream(stream::iter(chunks))
}

/// Appends the content in chunks; where the upload is afterwards.
async fn append_all(repository: &Repository, mut upload: String, content: &Bytes, size: usize) -> String {
    let mut start = 0;
    for chunk in content.chunks(size) {
        let answer = repository.append(&upload, start, Bytes::copy_from_slice(chunk)).await;
        start += chunk.len();
        answer.assert_status(202).assert_header("range", &format!("0-{}", start - 1));
        upload = answer.location();
    }
    upload
}

async fn every_way_of_pushing_ends_with_the_blob(server: &TestServer) {
    for content in [Bytes::new(), Bytes::from_static(b"{}"), noise(1, 3000), noise(2, LARGE)] {
        for algorithm in ALGORITHMS {
            let blob = Blob::by(algorithm, content.clone());
            for way in Way::ALL {
                let repository = Repository::new(server, &format!("push/{way:?}").to_lowercase());
                let pushed = way.push(&repository, &blob.content, &blob.digest).await;
                pushed.assert_status(201).assert_header("docker-content-digest", &blob.digest).assert_body("");
                assert_eq!(pushed.location(), repository.path(&format!("blobs/{}", blob.digest)));
                assert_readable(&repository, &blob).await;
            }
        }
    }
}

async fn assert_readable(repository: &Repository, blob: &Blob) {
    let (path, length) = (format!("blobs/{}", blob.digest), blob.content.len().to_string());
    let read = repository.get(&path).await;
    read.assert_status(200).assert_body(&blob.content).assert_header("docker-content-digest", &blob.digest);
    read.assert_header("content-length", &length).assert_header("content-type", "application/octet-stream");
    let head = repository.head(&path).await;
    head.assert_status(200).assert_body("").assert_header("docker-content-digest", &blob.digest);
    head.assert_header("content-length", &length);
}

async fn wrong_bytes_are_refused_and_not_kept(server: &TestServer) {
    for length in [3000, LARGE] {
        for algorithm in ALGORITHMS {
            let blob = Blob::by(algorithm, noise(3, length));
            let wrong = Blob::by(algorithm, [&blob.content[..], b"and six"].concat());
            for way in Way::ALL {
                let repository = Repository::new(server, &format!("wrong/{way:?}").to_lowercase());
                let detail = way.push(&repository, &wrong.content, &blob.digest).await.refused(400, "DIGEST_INVALID");
                assert_eq!(detail, json!({ "expected": blob.digest, "actual": wrong.digest }));
                for digest in [&blob.digest, &wrong.digest] {
                    repository.get(&format!("blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
                }
            }
        }
    }
    assert_objects(server, 0).await;
}

async fn what_is_pushed_twice_is_stored_once(server: &TestServer) {
    let blob = Blob::noise(4, LARGE);
    for name in ["one/app", "two/app"] {
        for way in Way::ALL {
            way.push(&Repository::new(server, name), &blob.content, &blob.digest).await.assert_status(201);
        }
        assert_readable(&Repository::new(server, name), &blob).await;
    }
    assert_objects(server, 1).await;
}

async fn a_deleted_blob_can_be_pushed_again(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for content in [Bytes::from_static(b"{}"), noise(5, LARGE)] {
        for algorithm in ALGORITHMS {
            let blob = Blob::by(algorithm, content.clone());
            for way in Way::ALL {
                way.push(&repository, &blob.content, &blob.digest).await.assert_status(201);
                assert_readable(&repository, &blob).await;
                let path = format!("blobs/{}", blob.digest);
                repository.delete(&path).await.assert_status(202);
                repository.head(&path).await.assert_status(404);
            }
        }
    }
}

async fn an_announced_algorithm_need_not_be_the_one_that_comes(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for (announced, algorithm) in ["sha512", "sha256"].into_iter().zip(ALGORITHMS) {
        for length in [3000, LARGE] {
            let blob = Blob::by(algorithm, noise(6, length));
            let path = format!("blobs/uploads/?digest-algorithm={announced}");
            let begun = repository.request(Method::POST, &path).send().await;
            let appended = repository.append(&begun.assert_status(202).location(), 0, blob.content.clone()).await;
            let upload = appended.assert_status(202).location();
            repository.finish(&upload, length, "", &blob.digest).await.assert_status(201);
            assert_readable(&repository, &blob).await;
        }
    }
}

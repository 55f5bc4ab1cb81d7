//! Uploads in chunks: where they stand, what does not follow, what ends them.

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http::header::CONTENT_RANGE;
use wharf_testkit::{Answer, TestServer};

use crate::backend::{on_every_backend, on_every_database};
use crate::blob::{ALGORITHMS, Blob, LARGE, noise, unknown};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::{Repository, with_digest};

mod order {
    use super::*;

    on_every_backend! {
        a_chunk_out_of_order_is_refused_and_the_upload_goes_on,
        a_chunk_without_a_length_is_held_against_its_range,
        a_cancelled_upload_is_gone,
        an_upload_that_has_ended_is_gone,
    }
}

mod heads {
    use super::*;

    on_every_database! {
        the_status_says_how_far_an_upload_has_come,
        ranges_are_taken_in_both_spellings,
        a_range_that_makes_no_sense_is_refused_and_nothing_is_taken,
        an_upload_without_its_digest_is_refused_and_goes_on,
    }
}

/// Fails unless the chunk was refused and the answer says where the upload stands.
#[track_caller]
fn assert_out_of_order(answer: &Answer, received: u64) {
    let detail = answer.refused(416, "BLOB_UPLOAD_INVALID");
    assert_eq!(detail["received"], received, "{answer}");
    answer.assert_header("range", &format!("0-{}", received.saturating_sub(1)));
    assert!(answer.location().contains("/blobs/uploads/"), "{answer}");
}

async fn a_chunk_out_of_order_is_refused_and_the_upload_goes_on(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for piece in [1024, LARGE] {
        for algorithm in ALGORITHMS {
            let blob = Blob::by(algorithm, noise(1, 3 * piece));
            let part = |index: usize| blob.content.slice(index * piece..(index + 1) * piece);
            let upload = repository.begin().await;
            assert_out_of_order(&repository.append(&upload, piece, part(1)).await, 0);
            assert_out_of_order(&repository.finish(&upload, 2 * piece, part(2), &blob.digest).await, 0);
            repository.append(&upload, 0, part(0)).await.assert_status(202);
            let received = piece as u64;
            for start in [0, 1, 2] {
                if start != 1 {
                    assert_out_of_order(&repository.append(&upload, start * piece, part(start)).await, received);
                    let put = repository.finish(&upload, start * piece, part(start), &blob.digest).await;
                    assert_out_of_order(&put, received);
                }
            }
            let status = repository.client.get(&with_digest(&upload, &blob.digest)).await;
            status.assert_status(204).assert_header("range", &format!("0-{}", piece - 1));
            repository.append(&status.location(), piece, part(1)).await.assert_status(202);
            repository.finish(&upload, 2 * piece, part(2), &blob.digest).await.assert_status(201);
            repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
        }
    }
}

async fn the_status_says_how_far_an_upload_has_come(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let upload = repository.begin().await;
    for received in [0_u64, 10, 20] {
        if let Some(start) = received.checked_sub(10) {
            repository.append(&upload, usize::try_from(start).unwrap(), noise(2, 10)).await.assert_status(202);
        }
        let status = repository.client.get(&upload).await;
        status.assert_status(204).assert_body("").assert_header("range", &format!("0-{}", received.saturating_sub(1)));
        assert_eq!(status.location(), upload);
        assert!(upload.ends_with(status.expect_header("docker-upload-uuid")));
        repository.client.head(&upload).await.assert_status(204).assert_header("range", status.expect_header("range"));
    }
    let elsewhere = upload.replace("team/app", "team/web");
    Repository::new(server, "team/web").push(&Blob::of("so that it is there")).await;
    repository.client.get(&elsewhere).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    repository.client.patch(&elsewhere, "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    repository.client.delete(&elsewhere).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

/// Asks everything that can be asked of an upload.
async fn assert_gone(repository: &Repository, upload: &str) {
    repository.client.get(upload).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    repository.append(upload, 0, "more").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    repository.finish(upload, 0, "more", &Blob::of("more").digest).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    repository.client.delete(upload).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

/// A chunk whose length no header says.
async fn stream_of(repository: &Repository, method: Method, path: &str, range: (usize, usize), chunk: &[u8]) -> Answer {
    let pieces: Vec<_> = chunk.chunks(700).map(|piece| std::io::Result::Ok(Bytes::copy_from_slice(piece))).collect();
    let request =
        repository.client.request(method, path).header(CONTENT_RANGE, &format!("{}-{}", range.0, range.1 - 1));
    request.body(reqwest::Body::wrap_stream(stream::iter(pieces))).send().await
}

async fn a_chunk_without_a_length_is_held_against_its_range(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for piece in [1024, LARGE] {
        let blob = Blob::noise(9, 4 * piece);
        let upload = repository.begin().await;
        let part = |from: usize, to: usize| &blob.content[from * piece..to * piece];
        let patch = |range: (usize, usize), chunk| {
            stream_of(&repository, Method::PATCH, &upload, (range.0 * piece, range.1 * piece), chunk)
        };
        // Nothing beyond the range is taken, and what was taken is what the next chunk follows on.
        patch((0, 1), part(0, 3)).await.refused(400, "SIZE_INVALID");
        assert_eq!(repository.received(&upload).await, piece);
        patch((1, 3), part(1, 2)).await.refused(400, "SIZE_INVALID");
        assert_eq!(repository.received(&upload).await, 2 * piece);
        patch((2, 3), part(2, 3)).await.assert_status(202);
        let put = with_digest(&upload, &blob.digest);
        let last = (3 * piece, 4 * piece);
        stream_of(&repository, Method::PUT, &put, last, b"").await.refused(400, "SIZE_INVALID");
        stream_of(&repository, Method::PUT, &put, last, part(3, 4)).await.assert_status(201);
        repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
    }
}

async fn a_cancelled_upload_is_gone(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for length in [0, 3000, LARGE] {
        let upload = repository.begin().await;
        repository.append(&upload, 0, noise(3, length)).await.assert_status(202);
        repository.client.delete(&upload).await.assert_status(204).assert_body("");
        assert_gone(&repository, &upload).await;
    }
    assert_objects(server, 0).await;
}

async fn an_upload_that_has_ended_is_gone(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for length in [3000, LARGE] {
        let blob = Blob::noise(4, length);
        let upload = repository.begin().await;
        repository.finish(&upload, 0, blob.content.clone(), &blob.digest).await.assert_status(201);
        assert_gone(&repository, &upload).await;
        let upload = repository.begin().await;
        repository.append(&upload, 0, blob.content.clone()).await.assert_status(202);
        repository.finish(&upload, length, "", &unknown()).await.refused(400, "DIGEST_INVALID");
        assert_gone(&repository, &upload).await;
    }
    assert_objects(server, 1).await;
}

async fn ranges_are_taken_in_both_spellings(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(5, 30);
    let upload = repository.begin().await;
    for (start, range) in [(0, "0-9"), (10, "bytes 10-19/30"), (20, "bytes=20-29/*")] {
        let chunk = blob.content.slice(start..start + 10);
        let request = repository.client.request(Method::PATCH, &upload).header(CONTENT_RANGE, range);
        request.body(chunk).send().await.assert_status(202);
    }
    repository.finish(&upload, 30, "", &blob.digest).await.assert_status(201);
}

async fn a_range_that_makes_no_sense_is_refused_and_nothing_is_taken(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(6, 10);
    let upload = repository.begin().await;
    let table = [
        ("0-8", "SIZE_INVALID"),
        ("0-10", "SIZE_INVALID"),
        ("0-99999999999", "SIZE_INVALID"),
        ("9-0", "BLOB_UPLOAD_INVALID"),
        ("0", "BLOB_UPLOAD_INVALID"),
        ("-9", "BLOB_UPLOAD_INVALID"),
        ("0-", "BLOB_UPLOAD_INVALID"),
        ("a-b", "BLOB_UPLOAD_INVALID"),
        ("0-18446744073709551615", "BLOB_UPLOAD_INVALID"),
        ("0-99999999999999999999", "BLOB_UPLOAD_INVALID"),
        ("0-4,5-9", "BLOB_UPLOAD_INVALID"),
        ("", "BLOB_UPLOAD_INVALID"),
    ];
    for (range, code) in table {
        for (method, path) in [(Method::PATCH, upload.clone()), (Method::PUT, with_digest(&upload, &blob.digest))] {
            let request = repository.client.request(method, &path).header(CONTENT_RANGE, range);
            request.body(blob.content.clone()).send().await.refused(400, code);
        }
    }
    repository.client.get(&upload).await.assert_status(204).assert_header("range", "0-0");
    repository.finish(&upload, 0, blob.content, &blob.digest).await.assert_status(201);
}

async fn an_upload_without_its_digest_is_refused_and_goes_on(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::of("hello");
    let upload = repository.begin().await;
    repository.append(&upload, 0, Bytes::from_static(b"hel")).await.assert_status(202);
    for digest in ["", "sha256:short", "md5:5d41402abc4b2a76b9719d911017c592", &blob.digest.to_uppercase()] {
        repository.finish(&upload, 3, "lo", digest).await.refused(400, "DIGEST_INVALID");
    }
    repository.client.put(&upload, "lo").await.refused(400, "DIGEST_INVALID");
    repository.finish(&upload, 3, "lo", &blob.digest).await.assert_status(201);
}

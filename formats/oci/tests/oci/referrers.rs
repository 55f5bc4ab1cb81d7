//! Manifests that are about others.

use http::Method;
use serde_json::{Value, json};
use wharf_testkit::{Answer, Descriptor, Image, Index, TestServer, media, sha256};
use wharf_types::{Algorithm, Digest};

use crate::backend::on_every_database;
use crate::blob::{Blob, unknown};
use crate::paging::next;
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_database! {
    nothing_is_attached_to_what_nobody_has_pushed,
    what_is_attached_is_listed_with_its_facts,
    a_filter_is_applied_and_said_to_be,
    pages_of_referrers_lead_to_the_end,
    a_page_with_long_annotations_ends_early,
    annotations_too_long_for_a_list_are_left_out_of_it,
    the_fallback_tag_is_merged_in,
    a_deleted_referrer_is_gone_at_once,
    a_list_that_was_asked_for_before_follows_every_change,
    referrers_are_those_of_the_repository,
    a_push_with_a_subject_says_that_it_was_understood,
    an_index_and_its_images_may_be_about_the_same,
}

const SBOM: &str = "application/vnd.example.sbom+json";
const SIGNATURE: &str = "application/vnd.example.signature";

fn subject() -> Image {
    Image::new().annotation("what", "the subject")
}

fn about(subject: &Image, artifact_type: &str, number: usize) -> Image {
    let number = number.to_string();
    Image::new().artifact_type(artifact_type).annotation("number", &number).subject(subject.descriptor())
}

fn entries(answer: &Answer) -> Vec<Value> {
    answer.assert_status(200).assert_header("content-type", media::INDEX);
    let index = answer.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(media::INDEX)), "{answer}");
    index["manifests"].as_array().expect("a list of descriptors").clone()
}

fn digests(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut digests: Vec<String>) -> Vec<String> {
    digests.sort_unstable();
    digests
}

/// The digests on all pages, and how many there are on each.
async fn all(repository: &Repository, rest: &str) -> (Vec<String>, Vec<usize>) {
    let (mut found, mut sizes, mut path) = (Vec::new(), Vec::new(), Some(repository.path(rest)));
    while let Some(current) = path {
        let page = repository.client.get(&current).await;
        let entries = entries(&page);
        sizes.push(entries.len());
        found.extend(digests(&entries));
        path = next(&page);
        assert!(sizes.len() < 1000, "the pages never end");
    }
    (found, sizes)
}

async fn nothing_is_attached_to_what_nobody_has_pushed(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let rest = format!("referrers/{}", unknown());
    assert_eq!(entries(&repository.get(&rest).await), Vec::<Value>::new());
    repository.push(&Blob::of("{}")).await;
    let answer = repository.get(&rest).await;
    assert_eq!(entries(&answer), Vec::<Value>::new());
    answer.assert_no_header("oci-filters-applied").assert_no_header("link");
    repository.head(&rest).await.assert_status(200).assert_body("").assert_header("content-type", media::INDEX);
    repository.get("referrers/latest").await.refused(400, "DIGEST_INVALID");
    repository.request(Method::PUT, &rest).send().await.refused(405, "UNSUPPORTED");
}

async fn what_is_attached_is_listed_with_its_facts(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let subject = subject();
        let digest = Digest::of(algorithm, &subject.manifest()).to_string();
        let mut descriptor = subject.descriptor();
        descriptor.digest.clone_from(&digest);
        let sbom = Image::new().artifact_type(SBOM).annotation("a", "b").subject(descriptor.clone());
        let old = Image::new().config("config").subject(descriptor.clone());
        let index = Index::new().subject(descriptor.clone());
        for image in [&sbom, &old] {
            image.push(&repository.client, "team/app:image").await;
        }
        let pushed = repository.put_manifest(&index.digest(), media::INDEX, index.manifest()).await;
        pushed.assert_status(201).assert_header("oci-subject", &digest);
        // The subject comes last, and changes nothing.
        for round in 0..2 {
            let mut listed = entries(&repository.get(&format!("referrers/{digest}")).await);
            let of = |image: &Image, artifact_type: &str| {
                let mut entry = image.descriptor().json();
                entry["artifactType"] = json!(artifact_type);
                entry
            };
            let mut expected = vec![of(&sbom, SBOM), of(&old, media::CONFIG), index.descriptor().json()];
            expected[0]["annotations"] = json!({ "a": "b" });
            let by_digest = |entry: &Value| entry["digest"].as_str().map(str::to_owned);
            listed.sort_by_key(by_digest);
            expected.sort_by_key(by_digest);
            assert_eq!(listed, expected, "{algorithm:?}, round {round}");
            let again = repository.put_manifest(&digest, media::MANIFEST, subject.manifest()).await;
            again.assert_status(201).assert_no_header("oci-subject");
        }
    }
}

async fn a_filter_is_applied_and_said_to_be(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (sbom, signature) = (about(&subject(), SBOM, 1), about(&subject(), SIGNATURE, 2));
    sbom.push(&repository.client, "team/app").await;
    signature.push(&repository.client, "team/app").await;
    let table = [
        (SBOM.replace('/', "%2F").replace('+', "%2B"), vec![sbom.digest()]),
        (SIGNATURE.to_owned(), vec![signature.digest()]),
        ("application/vnd.example".to_owned(), vec![]),
        (SIGNATURE.to_uppercase(), vec![]),
    ];
    for (wanted, expected) in table {
        let answer = repository.get(&format!("referrers/{}?artifactType={wanted}", subject().digest())).await;
        assert_eq!(digests(&entries(&answer)), expected, "{wanted}");
        answer.assert_header("oci-filters-applied", "artifactType");
    }
    let unfiltered = repository.get(&format!("referrers/{}?artifactType=", subject().digest())).await;
    assert_eq!(entries(unfiltered.assert_no_header("oci-filters-applied")).len(), 2);
}

async fn pages_of_referrers_lead_to_the_end(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let mut expected = [Vec::new(), Vec::new()];
    for number in 0..12 {
        for (list, artifact_type) in expected.iter_mut().zip([SBOM, SIGNATURE]) {
            let manifest = about(&subject(), artifact_type, number).manifest();
            list.push(sha256(&manifest));
            repository.put_manifest(&sha256(&manifest), media::MANIFEST, manifest).await.assert_status(201);
        }
    }
    let of = |rest: &str| format!("referrers/{}?{rest}", subject().digest());
    for size in [1, 5, 24, 25, 1_000_000] {
        let (found, sizes) = all(&repository, &of(&format!("n={size}"))).await;
        assert_eq!(found, sorted(expected.concat()), "n={size}");
        assert!(sizes.iter().rev().skip(1).all(|&length| length == size), "n={size}: {sizes:?}");
    }
    let filtered = format!("n=5&artifactType={SIGNATURE}");
    assert_eq!(all(&repository, &of(&filtered)).await, (sorted(expected[1].clone()), vec![5, 5, 2]));
    let second = next(&repository.get(&of(&filtered)).await).expect("a second page");
    repository.client.get(&second).await.assert_header("oci-filters-applied", "artifactType");
}

async fn a_page_with_long_annotations_ends_early(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let mut expected = Vec::new();
    for number in 0..60 {
        let image = about(&subject(), SBOM, number).annotation("long", &"x".repeat(60_000));
        expected.push(image.digest());
        repository.put_manifest(&image.digest(), media::MANIFEST, image.manifest()).await.assert_status(201);
    }
    let rest = format!("referrers/{}", subject().digest());
    let first = repository.get(&rest).await;
    assert!(first.body.len() < 4 * 1024 * 1024 && next(&first).is_some());
    let (found, sizes) = all(&repository, &rest).await;
    assert_eq!(found, sorted(expected));
    assert!(sizes.len() > 1 && sizes.iter().all(|&size| size > 0), "{sizes:?}");
}

async fn annotations_too_long_for_a_list_are_left_out_of_it(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let image = about(&subject(), SBOM, 1).annotation("long", &"x".repeat(2_000_000));
    image.push(&repository.client, "team/app").await;
    let listed = entries(&repository.get(&format!("referrers/{}", subject().digest())).await);
    assert_eq!((digests(&listed), &listed[0]["annotations"]), (vec![image.digest()], &Value::Null));
    let read = repository.get(&format!("manifests/{}", image.digest())).await;
    read.assert_status(200).assert_body(image.manifest());
}

async fn the_fallback_tag_is_merged_in(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (new, old) = (about(&subject(), SBOM, 1), about(&subject(), SIGNATURE, 2));
    new.push(&repository.client, "team/app").await;
    // A client without the API keeps the list itself: here with an entry that the API knows, and with nonsense.
    let mut entry = old.descriptor().json();
    entry["artifactType"] = json!(SIGNATURE);
    entry["annotations"] = json!({ "by": "an old client" });
    let nonsense = json!({ "mediaType": "x", "digest": "sha256:short", "size": 1 });
    let index = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [entry.clone(), new.descriptor().json(), nonsense] });
    let digest = subject().digest();
    let kept = repository.put_manifest(&digest.replace(':', "-"), media::INDEX, index.to_string()).await;
    // An index is a manifest like others: its entries must be descriptors.
    kept.refused(400, "MANIFEST_INVALID");
    let index =
        json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [entry.clone(), new.descriptor().json()] });
    let kept = repository.put_manifest(&digest.replace(':', "-"), media::INDEX, index.to_string()).await;
    kept.assert_status(201);
    let listed = entries(&repository.get(&format!("referrers/{digest}")).await);
    assert_eq!(digests(&listed), sorted(vec![new.digest(), old.digest()]));
    assert!(listed.contains(&entry), "{listed:?}");
    let filtered = format!("referrers/{digest}?artifactType={SIGNATURE}");
    assert_eq!(digests(&entries(&repository.get(&filtered).await)), [old.digest()]);
    assert_eq!(
        all(&repository, &format!("referrers/{digest}?n=1")).await,
        (sorted(vec![new.digest(), old.digest()]), vec![1, 1])
    );
    // An image under that tag lists nothing.
    new.push(&repository.client, &format!("team/app:{}", digest.replace(':', "-"))).await;
    assert_eq!(digests(&entries(&repository.get(&format!("referrers/{digest}")).await)), [new.digest()]);
}

async fn a_deleted_referrer_is_gone_at_once(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let list = format!("referrers/{}", subject().digest());
    let (one, two) = (about(&subject(), SBOM, 1), about(&subject(), SBOM, 2));
    one.push(&repository.client, "team/app:one").await;
    two.push(&repository.client, "team/app:two").await;
    // Losing its tag does not detach it.
    repository.delete("manifests/one").await.assert_status(202);
    assert_eq!(entries(&repository.get(&list).await).len(), 2);
    repository.delete(&format!("manifests/{}", one.digest())).await.assert_status(202);
    assert_eq!(digests(&entries(&repository.get(&list).await)), [two.digest()]);
    let filtered = format!("{list}?artifactType={}", SBOM.replace('+', "%2B"));
    assert_eq!(digests(&entries(&repository.get(&filtered).await)), [two.digest()]);
    one.push(&repository.client, "team/app").await;
    assert_eq!(entries(&repository.get(&list).await).len(), 2);
}

async fn a_list_that_was_asked_for_before_follows_every_change(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let subject = subject();
    let [whole, signed] = ["", "?artifactType=application%2Fvnd.example.signature"]
        .map(|query| format!("referrers/{}{query}", subject.digest()));
    let assert_listed = async |expected: &[&Image], signatures: &[&Image]| {
        for (rest, expected) in [(&whole, expected), (&signed, signatures)] {
            let expected = sorted(expected.iter().map(|image| image.digest()).collect());
            for _ in 0..3 {
                assert_eq!(digests(&entries(&repository.get(rest).await)), expected, "{rest}");
            }
        }
    };
    let put = async |image: &Image, reference: &str| {
        repository.put_manifest(reference, media::MANIFEST, image.manifest()).await.assert_status(201);
    };
    let (sbom, one, two) = (about(&subject, SBOM, 1), about(&subject, SIGNATURE, 1), about(&subject, SIGNATURE, 2));
    // The repository is there, and nothing is attached yet.
    assert_listed(&[], &[]).await;
    put(&sbom, &sbom.digest()).await;
    assert_listed(&[&sbom], &[]).await;
    put(&one, &one.digest()).await;
    put(&two, "tagged").await;
    assert_listed(&[&sbom, &one, &two], &[&one, &two]).await;
    repository.delete(&format!("manifests/{}", one.digest())).await.assert_status(202);
    assert_listed(&[&sbom, &two], &[&two]).await;
    // What an old client writes under the fallback tag, and takes away again.
    let listed = Index::new().entry(one.descriptor().json());
    put(&one, "kept").await;
    let fallback = format!("sha256-{}", subject.digest().trim_start_matches("sha256:"));
    repository.delete(&format!("manifests/{}", one.digest())).await.assert_status(202);
    assert_listed(&[&sbom, &two], &[&two]).await;
    let other = Image::new().annotation("number", "3");
    put(&other, "other").await;
    let listed = listed.entry(other.descriptor().json());
    put(&one, "kept").await;
    repository.put_manifest(&fallback, media::INDEX, listed.manifest()).await.assert_status(201);
    assert_listed(&[&sbom, &one, &two, &other], &[&one, &two]).await;
    repository.delete(&format!("manifests/{fallback}")).await.assert_status(202);
    assert_listed(&[&sbom, &one, &two], &[&one, &two]).await;
    repository.client.delete("/api/v1/repositories/oci/team/app").await.assert_status(204);
    assert_listed(&[], &[]).await;
}

async fn referrers_are_those_of_the_repository(server: &TestServer) {
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let image = about(&subject(), SBOM, 1);
    subject().push(&two.client, "two/app:v1").await;
    image.push(&one.client, "one/app").await;
    let list = format!("referrers/{}", subject().digest());
    assert_eq!(digests(&entries(&one.get(&list).await)), [image.digest()]);
    assert_eq!(entries(&two.get(&list).await), Vec::<Value>::new());
    let other = Descriptor::of(media::MANIFEST, b"another subject").digest;
    assert_eq!(entries(&one.get(&format!("referrers/{other}")).await), Vec::<Value>::new());
}

async fn a_push_with_a_subject_says_that_it_was_understood(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let image = about(&subject(), SBOM, 1);
    for round in ["missing", "present"] {
        for reference in [image.digest(), round.to_owned(), format!("{}?tag={round}-2", image.digest())] {
            let pushed = repository.put_manifest(&reference, media::MANIFEST, image.manifest()).await;
            pushed.assert_status(201).assert_header("oci-subject", &subject().digest());
        }
        subject().push(&repository.client, "team/app:v1").await;
    }
    let plain = repository.put_manifest("v2", media::MANIFEST, subject().manifest()).await;
    plain.assert_status(201).assert_no_header("oci-subject");
}

async fn an_index_and_its_images_may_be_about_the_same(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (one, two) = (about(&subject(), SBOM, 1), about(&subject(), SBOM, 2));
    for image in [&one, &two] {
        image.push(&repository.client, "team/app").await;
    }
    let index = Index::new().image(&one, "linux/amd64").image(&two, "linux/arm64");
    let index = index.artifact_type(SIGNATURE).subject(subject().descriptor());
    index.push(&repository.client, "team/app:all").await;
    let listed = entries(&repository.get(&format!("referrers/{}", subject().digest())).await);
    assert_eq!(digests(&listed), sorted(vec![one.digest(), two.digest(), index.digest()]));
    let of_index = listed.iter().find(|entry| entry["digest"] == index.digest()).unwrap();
    assert_eq!((&of_index["artifactType"], &of_index["mediaType"]), (&json!(SIGNATURE), &json!(media::INDEX)));
}

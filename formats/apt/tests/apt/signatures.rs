//! Signed releases, and uploads that have to be signed.

use wharf_core::{Actor, Target};
use wharf_testkit::TestServer;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::{Shop, field};

on_every_database! {
    a_release_is_signed_in_both_forms,
    a_new_key_signs_beside_the_old_one,
    the_key_is_there_for_whoever_may_see_the_repository,
    what_nobody_has_signed_is_refused_where_the_project_has_a_keyring,
}

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----\n";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n";

async fn inline(shop: &Shop) -> (String, String) {
    let text = shop.get("dists/sid/InRelease").await.assert_status(200).text();
    let (signed, signature) = text.split_once(SIGNATURE).expect("a signature");
    let (_, signed) = signed.strip_prefix(BEGIN).and_then(|rest| rest.split_once("\n\n")).expect("a signed text");
    (signed.to_owned(), signature.to_owned())
}

async fn a_release_is_signed_in_both_forms(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let release = shop.release("sid").await;
    assert_eq!(inline(&shop).await.0.trim_end(), release.trim_end());
    let detached = shop.get("dists/sid/Release.gpg").await;
    assert!(detached.assert_status(200).text().starts_with(SIGNATURE), "{detached}");
    detached.assert_header("content-type", "application/pgp-signature");
    assert_eq!(field(&release, "Signed-By").len(), 40, "{release}");
}

async fn a_new_key_signs_beside_the_old_one(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let (one_key, before) = (shop.get("key.asc").await.text(), inline(&shop).await);
    let target = Target::new(wharf_apt::NAME, "team/debs".parse().expect("a name"));
    server.core().rotate_key(&target, None, &Actor::system()).await.expect("a new key");
    while inline(&shop).await == before {
        tokio::task::yield_now().await;
    }
    let release = shop.release("sid").await;
    assert_eq!(field(&release, "Signed-By").split(", ").count(), 2, "{release}");
    assert!(inline(&shop).await.1.len() > before.1.len());
    assert_ne!(shop.get("key.asc").await.text(), one_key);
}

async fn the_key_is_there_for_whoever_may_see_the_repository(server: &TestServer) {
    let shop = Shop::new(server, "team/debian");
    shop.add("sid/main", &deb("one", "1")).await;
    let armored = shop.get("key.asc").await;
    assert!(armored.assert_status(200).text().starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "{armored}");
    armored.assert_header("content-type", "application/pgp-keys");
    let gitea = server.admin().get("/api/packages/team/debian/repository.key").await;
    gitea.assert_status(200).assert_body(armored.text());
    assert!(shop.get("key.gpg").await.assert_status(200).body.first().is_some_and(|byte| byte & 0x80 != 0));
    server.anonymous().get(&shop.path("key.asc")).await.assert_status(401);
    server.admin().get("/apt/team/none/key.asc").await.assert_status(404);
}

async fn what_nobody_has_signed_is_refused_where_the_project_has_a_keyring(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let key = shop.get("key.asc").await.body.to_vec();
    server.core().trust_keys(&"team".parse().expect("a name"), key, &Actor::system()).await.expect("a keyring");
    let path = shop.path("incoming/x_1_amd64.changes");
    let text = "Format: 1.8\nSource: hello\nVersion: 1\nDistribution: sid\n";
    for bad in
        [text.to_owned(), format!("{BEGIN}Hash: SHA512\n\n{text}\n{SIGNATURE}\nabcd\n-----END PGP SIGNATURE-----\n")]
    {
        let refused = server.admin().put(&path, bad).await;
        let said = refused.assert_status(400).text();
        assert!(said.starts_with("it has to be signed by a key of the project's keyring: "), "{said}");
    }
}

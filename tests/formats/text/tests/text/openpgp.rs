//! OpenPGP keys of repositories, as GnuPG sees them.

use std::process::Command;

use wharf_core::{Actor, Error, KeyAlgorithm, KeyError, Target, Verdict};
use wharf_testkit::{Backend, TestServer};

use crate::backend::{idle, on_every_database, servers, work};
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! { with crate::backend::idle;
    gpgv_accepts_what_is_published,
    during_a_rotation_both_keys_sign_and_afterwards_the_new_one,
    a_key_that_was_brought_signs,
    what_uploaders_sign_is_held_against_the_keyring_of_the_project,
}

fn target() -> Target {
    Target::new(wharf_text::NAME, "team/notes".parse().expect("a name"))
}

/// How many good signatures `gpgv` finds in the release with this keyring; panics if one is bad.
async fn good(shelf: &Shelf, keyring: &[u8]) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let file = async |name: &str| shelf.get(&format!("stable/{name}")).await.assert_status(200).body.clone();
    for name in ["Release", "Release.asc", "InRelease"] {
        std::fs::write(folder.path().join(name), file(name).await).expect("a file");
    }
    std::fs::write(folder.path().join("keys.gpg"), keyring).expect("a file");
    let says = |files: &[&str]| {
        let output = Command::new("gpgv")
            .args([&["--keyring", "./keys.gpg"], files].concat())
            .env("GNUPGHOME", folder.path())
            .current_dir(folder.path())
            .output()
            .expect("gpgv");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its own word, because a fingerprint may spell BAD.
        assert!(!said.contains("gpgv: BAD"), "{said}");
        (said.matches("Good signature").count(), said)
    };
    let ((found, beside), (inside, within)) = (says(&["Release.asc", "Release"]), says(&["InRelease"]));
    assert_eq!(found, inside, "{beside}{within}");
    found
}

async fn filled(server: &TestServer) -> Shelf {
    server.project("team").await;
    let shelf = Shelf::new(server, "team/notes");
    shelf.put("stable", note("a", "1").file()).await.assert_status(201);
    work(server).await;
    shelf
}

async fn keyring(shelf: &Shelf) -> Vec<u8> {
    shelf.get("key.gpg").await.assert_status(200).body.to_vec()
}

async fn gpgv_accepts_what_is_published(server: &TestServer) {
    let shelf = filled(server).await;
    assert_eq!(good(&shelf, &keyring(&shelf).await).await, 1);
    let armored = shelf.get("key.asc").await.assert_status(200).text();
    assert!(armored.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{armored}");
    let keys = server.core().repository_keys(&target()).await.expect("keys");
    assert_eq!(keys.len(), 1);
    assert!(keys[0].certificate.user_id().starts_with("team/notes (text repository of "));
    // Nothing has changed, so nothing is signed again.
    let before = shelf.release_tag("stable").await;
    shelf.put("stable", note("a", "1").file()).await;
    work(server).await;
    assert_eq!(shelf.release_tag("stable").await, before);
}

async fn during_a_rotation_both_keys_sign_and_afterwards_the_new_one(server: &TestServer) {
    let shelf = filled(server).await;
    let (core, actor) = (server.core(), Actor::system());
    let old = keyring(&shelf).await;
    let first = core.repository_keys(&target()).await.expect("keys")[0].certificate.fingerprint();
    let last = core.retire_key(&target(), &first, &actor).await;
    assert!(matches!(last, Err(Error::Key(KeyError::Last))), "{last:?}");
    core.rotate_key(&target(), None, &actor).await.expect("a key");
    assert_eq!(work(server).await, 1, "all indexes are signed again");
    assert_eq!((good(&shelf, &old).await, good(&shelf, &keyring(&shelf).await).await), (1, 2));
    core.retire_key(&target(), &first.to_lowercase(), &actor).await.expect("to be retired");
    assert_eq!(work(server).await, 1);
    assert_eq!((good(&shelf, &old).await, good(&shelf, &keyring(&shelf).await).await), (0, 1));
    let again = core.retire_key(&target(), &first, &actor).await;
    assert!(matches!(again, Err(Error::Key(KeyError::Unknown(_)))), "{again:?}");
    let all = core.repository_keys(&target()).await.expect("keys");
    assert_eq!(all.iter().map(|key| key.retired_at.is_some()).collect::<Vec<_>>(), [false, true]);
}

async fn a_key_that_was_brought_signs(server: &TestServer) {
    let shelf = filled(server).await;
    let (core, actor) = (server.core(), Actor::system());
    let key = wharf_testkit::openpgp_key("Release");
    core.import_key(&target(), key.secret.clone(), String::new(), &actor).await.expect("a key");
    let twice = core.import_key(&target(), key.secret.clone(), String::new(), &actor).await;
    assert!(matches!(twice, Err(Error::Key(KeyError::Exists(_)))), "{twice:?}");
    let none = core.import_key(&target(), b"nothing".to_vec(), String::new(), &actor).await;
    assert!(matches!(none, Err(Error::Key(KeyError::Invalid(_)))), "{none:?}");
    work(server).await;
    assert_eq!((good(&shelf, &key.public).await, good(&shelf, &keyring(&shelf).await).await), (1, 2));
}

async fn what_uploaders_sign_is_held_against_the_keyring_of_the_project(server: &TestServer) {
    server.project("team").await;
    let (core, actor, team) = (server.core(), Actor::system(), "team".parse().expect("a name"));
    let [known, stranger] = ["known", "stranger"].map(wharf_testkit::openpgp_key);
    let signed = known.clear_sign("Source: a\n");
    let (verdict, text) = core.verify_clear_signed(&team, &signed).await.expect("a verdict");
    assert_eq!((verdict, text), (Verdict::NoKeyring, None));
    core.trust_keys(&team, known.public.clone(), &actor).await.expect("to be trusted");
    let (verdict, text) = core.verify_clear_signed(&team, &signed).await.expect("a verdict");
    assert!(matches!(&verdict, Verdict::Good(signer) if signer.user_id == "known"), "{verdict:?}");
    assert_eq!(text.as_deref(), Some("Source: a"));
    let (verdict, text) =
        core.verify_clear_signed(&team, &stranger.clear_sign("Source: a\n")).await.expect("a verdict");
    assert!(matches!(verdict, Verdict::Bad(_)) && text.is_none(), "{verdict:?}");
    let beside = known.sign_detached(b"bytes");
    let verdict = core.verify_detached(&team, b"bytes", beside.as_bytes()).await.expect("a verdict");
    assert!(matches!(verdict, Verdict::Good(_)), "{verdict:?}");
    let verdict = core.verify_detached(&team, b"other", beside.as_bytes()).await.expect("a verdict");
    assert!(matches!(verdict, Verdict::Bad(_)), "{verdict:?}");
    let fingerprint = core.project_keyring(&team).await.expect("keys")[0].certificate.fingerprint();
    core.distrust_key(&team, &fingerprint, &actor).await.expect("to be removed");
    assert!(core.distrust_key(&team, &fingerprint, &actor).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_make_rsa_keys_for_old_clients() {
    for server in servers(|| idle().core(|core| core.key_algorithm = KeyAlgorithm::Rsa4096)).await {
        let shelf = filled(&server).await;
        assert_eq!(good(&shelf, &keyring(&shelf).await).await, 1);
        let keys = server.core().repository_keys(&target()).await.expect("keys");
        assert_eq!(keys[0].certificate.algorithm(), "rsa4096");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_ask_for_the_first_key_all_get_the_same() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = TestServer::start(idle().backend(backend)).await;
        server.project("team").await;
        let shelf = Shelf::new(&server, "team/notes");
        shelf.put("stable", note("a", "1").file()).await.assert_status(201);
        let all = futures_util::future::join_all((0..8).map(|_| keyring(&shelf))).await;
        assert!(all.iter().all(|keys| *keys == all[0]));
        server.stop().await;
    }
}

//! What GnuPG says of our keys and signatures, and what we say of its.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper that cannot help has failed the test")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use wharf_trust::openpgp::{
    Algorithm, Certificate, SecretKey, Unverified, armored, certificates, clear_sign, keyring, sign_detached,
    verify_clear_signed, verify_detached,
};
use wharf_types::Timestamp;

/// Now: GnuPG does not like signatures of the future.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// Not the best random numbers, but never the same.
fn random(out: &mut [u8]) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    for chunk in out.chunks_mut(32) {
        let seed =
            format!("{} {:?} {}", COUNT.fetch_add(1, Ordering::Relaxed), std::time::Instant::now(), std::process::id());
        let digest = wharf_types::Digest::sha256(seed.as_bytes());
        chunk.copy_from_slice(&digest.raw()[..chunk.len()]);
    }
}

fn key(algorithm: Algorithm) -> SecretKey {
    SecretKey::generate(algorithm, "team/debs (apt repository)", now(), &random).unwrap()
}

/// Somebody with GnuPG and a folder.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        // Sockets have short paths.
        Self(tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).current_dir(self.path()).env("GNUPGHOME", self.path()).output().expect(program)
    }

    fn gpg(&self, args: &[&str]) -> String {
        let output = self
            .run("gpg", &[&["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "open"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What `gpgv` says with a keyring of these certificates.
    fn gpgv(&self, known: &[Certificate], args: &[&str]) -> (bool, String) {
        self.write("known.gpg", keyring(known).unwrap());
        let output = self.run("gpgv", &[&["--keyring", "./known.gpg"], args].concat());
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.run("gpgconf", &["--kill", "all"]);
    }
}

const TEXT: &str = "Origin: Wharf\nSHA256:\n - dashes\n-and more \nDate: today\n";

#[test]
fn gpgv_accepts_what_each_key_signs_even_if_it_knows_but_one_of_two() {
    let person = Person::new();
    let keys = [key(Algorithm::Ed25519), key(Algorithm::Rsa4096)];
    person.write("Release", TEXT);
    person.write("Release.gpg", sign_detached(TEXT.as_bytes(), &keys, now()).unwrap());
    person.write("InRelease", clear_sign(TEXT, &keys, now()).unwrap());
    let both: Vec<_> = keys.iter().map(|key| key.certificate().clone()).collect();
    for files in [["Release.gpg", "Release"].as_slice(), &["InRelease"]] {
        let (good, said) = person.gpgv(&both, files);
        assert!(good && said.matches("Good signature").count() == 2, "{said}");
        for one in &both {
            let (_, said) = person.gpgv(std::slice::from_ref(one), files);
            assert_eq!(said.matches("Good signature").count(), 1, "{said}");
            assert!(!said.contains("gpgv: BAD"), "{said}");
        }
    }
    person.write("Release", TEXT.replace("today", "tomorrow"));
    let (good, said) = person.gpgv(&both, &["Release.gpg", "Release"]);
    assert!(!good && said.contains("BAD signature"), "{said}");
}

#[test]
fn gpg_imports_an_armored_file_of_several_keys() {
    let person = Person::new();
    let both = [key(Algorithm::Ed25519), key(Algorithm::Ed25519)].map(|key| key.certificate().clone());
    person.write("keys.asc", armored(&both).unwrap());
    person.gpg(&["--import", "keys.asc"]);
    let listed = person.gpg(&["--list-keys", "--with-colons"]);
    for certificate in &both {
        assert!(listed.contains(&certificate.fingerprint()), "{listed}");
    }
    let read = certificates(armored(&both).unwrap().as_bytes()).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].user_id(), read[0].algorithm().as_str()), ("team/debs (apt repository)", "ed25519"));
}

#[test]
fn a_key_is_the_same_after_it_was_kept() {
    let person = Person::new();
    let made = key(Algorithm::Rsa4096);
    assert_eq!(made.certificate().algorithm(), "rsa4096");
    let kept = SecretKey::from_bytes(&made.to_bytes().unwrap()).unwrap();
    assert_eq!(kept.certificate().fingerprint(), made.certificate().fingerprint());
    person.write("a", "a");
    person.write("a.asc", sign_detached(b"a", &[kept], now()).unwrap());
    assert!(person.gpgv(&[made.certificate().clone()], &["a.asc", "a"]).0);
}

#[test]
fn keys_of_gnupg_are_taken_in_with_their_passphrase_and_sign() {
    for (kind, with_subkey) in [("rsa3072", false), ("ed25519", false), ("ed25519", true)] {
        let person = Person::new();
        let usage = if with_subkey { "cert" } else { "sign" };
        person.gpg(&["--quick-gen-key", "Release <r@example.org>", kind, usage, "never"]);
        if with_subkey {
            let listed = person.gpg(&["--list-keys", "--with-colons"]);
            let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
            person.gpg(&["--quick-add-key", fingerprint.trim_end_matches(':'), kind, "sign", "1y"]);
        }
        let exported = person.gpg(&["--armor", "--export-secret-keys"]);
        let refused = SecretKey::import(exported.as_bytes(), "wrong").unwrap_err().to_string();
        assert!(refused.contains("passphrase"), "{refused}");
        let taken = SecretKey::import(exported.as_bytes(), "open").unwrap();
        assert_eq!(taken.certificate().user_id(), "Release <r@example.org>");
        person.write("InRelease", clear_sign(TEXT, std::slice::from_ref(&taken), now()).unwrap());
        let (good, said) = person.gpgv(&[taken.certificate().clone()], &["InRelease"]);
        assert!(good, "{kind} {with_subkey}: {said}");
        if with_subkey {
            // What is exported without the primary key's secret is enough to sign.
            let exported = person.gpg(&["--armor", "--export-secret-subkeys"]);
            let taken = SecretKey::import(exported.as_bytes(), "open").unwrap();
            person.write("a.asc", sign_detached(b"a", std::slice::from_ref(&taken), now()).unwrap());
            person.write("a", "a");
            assert!(person.gpgv(&[taken.certificate().clone()], &["a.asc", "a"]).0);
        }
        let public = person.gpg(&["--armor", "--export"]);
        let refused = SecretKey::import(public.as_bytes(), "").unwrap_err().to_string();
        assert!(refused.contains("no OpenPGP private key"), "{refused}");
    }
}

#[test]
fn what_gnupg_signs_is_verified_and_what_was_changed_is_not() {
    let person = Person::new();
    for kind in ["rsa3072", "ed25519"] {
        person.gpg(&["--quick-gen-key", &format!("{kind}@example.org"), kind, "sign", "never"]);
        person.write("chart.tgz", "the chart");
        person.write("text", TEXT);
        let user = format!("{kind}@example.org");
        person.gpg(&["--local-user", &user, "--armor", "--detach-sign", "chart.tgz"]);
        person.gpg(&["--local-user", &user, "--detach-sign", "chart.tgz"]);
        person.gpg(&["--local-user", &user, "--clear-sign", "text"]);
        let known = certificates(person.gpg(&["--armor", "--export", &user]).as_bytes()).unwrap();
        for signature in ["chart.tgz.asc", "chart.tgz.sig"] {
            let signer = verify_detached(&known, b"the chart", &person.read(signature), now()).unwrap();
            assert_eq!((signer.user_id.as_str(), signer.fingerprint), (user.as_str(), known[0].fingerprint()));
            let bad = verify_detached(&known, b"another chart", &person.read(signature), now());
            assert!(matches!(bad, Err(Unverified::Bad { .. })), "{bad:?}");
        }
        let message = String::from_utf8(person.read("text.asc")).unwrap();
        let (text, _) = verify_clear_signed(&known, &message, now()).unwrap();
        // A blank at the end of a line is no part of what is signed, nor is the end of the last line.
        assert_eq!(text, TEXT.replace("more ", "more").trim_end());
        let changed = verify_clear_signed(&known, &message.replace("today", "tomorrow"), now());
        assert!(matches!(changed, Err(Unverified::Bad { .. })), "{changed:?}");
        let around = verify_clear_signed(&known, &format!("Evil: yes\n{message}"), now());
        assert!(matches!(around, Err(Unverified::Unreadable(_))), "{around:?}");
        let stranger = [key(Algorithm::Ed25519).certificate().clone()];
        let unknown = verify_detached(&stranger, b"the chart", &person.read("chart.tgz.asc"), now());
        assert_eq!(unknown, Err(Unverified::UnknownKey(known[0].fingerprint())));
    }
}

#[test]
fn keys_that_are_revoked_or_over_vouch_for_nothing() {
    let person = Person::new();
    person.gpg(&["--quick-gen-key", "short@example.org", "ed25519", "sign", "1d"]);
    person.write("a", "a");
    person.gpg(&["--detach-sign", "a"]);
    let known = certificates(person.gpg(&["--armor", "--export"]).as_bytes()).unwrap();
    let signature = person.read("a.sig");
    verify_detached(&known, b"a", &signature, now()).unwrap();
    let later = Timestamp::from_millis(now().as_millis() + 2 * 24 * 3_600_000);
    let over = verify_detached(&known, b"a", &signature, later).unwrap_err().to_string();
    assert!(over.contains("expired"), "{over}");
    let listed = person.gpg(&["--list-keys", "--with-colons"]);
    let fingerprint =
        listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned();
    let revocation = person.read(&format!("openpgp-revocs.d/{fingerprint}.rev"));
    person.write("rev.asc", String::from_utf8(revocation).unwrap().replace(":-----BEGIN", "-----BEGIN"));
    person.gpg(&["--import", "rev.asc"]);
    let revoked = certificates(person.gpg(&["--armor", "--export"]).as_bytes()).unwrap();
    assert!(revoked[0].is_revoked());
    let bad = verify_detached(&revoked, b"a", &signature, now()).unwrap_err().to_string();
    assert!(bad.contains("revoked"), "{bad}");
}

#[test]
fn nonsense_is_refused_and_breaks_nothing() {
    let known = [key(Algorithm::Ed25519).certificate().clone()];
    let good = sign_detached(b"a", &[key(Algorithm::Ed25519)], now()).unwrap();
    let long = vec![0x99; 100_000];
    for input in [b"".as_slice(), b"\0", b"-----BEGIN PGP ", &good.as_bytes()[..60], &long, "é".as_bytes()] {
        assert!(certificates(input).is_err());
        assert!(SecretKey::import(input, "").is_err());
        assert!(verify_detached(&known, b"a", input, now()).is_err());
        assert!(verify_clear_signed(&known, &String::from_utf8_lossy(input), now()).is_err());
    }
    assert!(certificates(good.as_bytes()).is_err());
    // One bit of a signature or certificate at a time.
    let certificate = keyring(&known).unwrap();
    for at in 0..certificate.len() {
        let mut damaged = certificate.clone();
        damaged[at] ^= 1;
        if let Ok(read) = certificates(&damaged) {
            assert_eq!(read.len(), 1);
        }
    }
}

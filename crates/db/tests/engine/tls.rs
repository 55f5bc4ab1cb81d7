//! Who is believed to be the server.

use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use wharf_db::Error;
use wharf_db::testing::Cluster;

/// A cluster with TLS on 127.0.0.1, whose certificate is for `localhost`.
struct Secure {
    cluster: Cluster,
    port: u16,
}

fn secure() -> &'static Secure {
    static SHARED: OnceLock<Secure> = OnceLock::new();
    SHARED.get_or_init(|| {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
        let stranger = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = "listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '../server.pem'\n\
             ssl_key_file = '../server.key'";
        let files: [(&str, String); 4] = [
            ("server.pem", certificate.pem()),
            ("server.key", key.serialize_pem()),
            ("authority.pem", authority.pem()),
            ("stranger.pem", stranger.cert.pem()),
        ];
        Secure { cluster: Cluster::start_with(port, settings, &files), port }
    })
}

async fn connected(host: &str, query: &str) -> Result<bool, Error> {
    let server = secure();
    let query = query.replace("FOLDER", &server.cluster.folder().display().to_string());
    let url = format!("postgres://wharf@{host}:{}/postgres?{query}", server.port);
    let db = wharf_db::testing::open_with(&server.cluster.config(&url), &[]).await?;
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    db.read(&encrypted, |tx, sql| Box::pin(async move { tx.query_opt(sql, &[]).await?.unwrap().get(0) })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_encrypted_unless_told_otherwise() {
    assert!(connected("localhost", "").await.unwrap());
    assert!(connected("localhost", "sslmode=require").await.unwrap());
    assert!(!connected("localhost", "sslmode=disable").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_full_wants_the_issuer_and_the_name() {
    let ours = "sslmode=verify-full&sslrootcert=FOLDER/authority.pem";
    assert!(connected("localhost", ours).await.unwrap());
    let other_name = connected("127.0.0.1", ours).await.unwrap_err();
    assert!(other_name.to_string().contains("certificate"), "{other_name}");
    let other_issuer = connected("localhost", "sslmode=verify-full&sslrootcert=FOLDER/stranger.pem").await.unwrap_err();
    assert!(other_issuer.to_string().contains("certificate"), "{other_issuer}");
    connected("localhost", "sslmode=verify-full").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_ca_wants_the_issuer_only() {
    assert!(connected("127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER/authority.pem").await.unwrap());
    connected("127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER/stranger.pem").await.unwrap_err();
    connected("127.0.0.1", "sslmode=require&sslrootcert=FOLDER/stranger.pem").await.unwrap_err();
    assert!(connected("127.0.0.1", "sslmode=require").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_certificates_is_refused() {
    let error = connected("localhost", "sslmode=verify-full&sslrootcert=FOLDER/server.key").await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

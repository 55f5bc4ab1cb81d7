//! TLS: certificates from files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::config::Tls;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no PEM, or holds something else.
    #[error("{} holds no {expected} in PEM: {reason}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// They do not belong together, or are of a kind that is not understood.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate in use.
pub(super) struct Certificate {
    files: Tls,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Contents>,
}

/// What the files held when they were last read. Compared whole: a copy may keep the time of what it replaces.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(files: &Tls) -> Result<Arc<Self>, TlsError> {
        let contents = Contents::read(files)?;
        let current = ArcSwap::from_pointee(contents.parse(files)?);
        Ok(Arc::new(Self { files: files.clone(), current, seen: Mutex::new(contents) }))
    }

    /// Reads the files again. `false` if they are as they were; what cannot be used is said once and leaves the old in use.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&self.files)?;
        let mut seen = self.seen.lock();
        if *seen == contents {
            return Ok(false);
        }
        let parsed = contents.parse(&self.files);
        *seen = contents;
        self.current.store(Arc::new(parsed?));
        Ok(true)
    }

    /// The configuration of connections that use this certificate, whatever it is at the time.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<rustls::ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(config)
    }

    /// Reads the files again and again, and at once on SIGHUP. Ends only by being dropped.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut hangups = signal(SignalKind::hangup()).ok();
        let mut complaint = String::new();
        loop {
            tokio::select! {
                () = sleep(self.files.reload_interval) => {}
                Some(()) = received(&mut hangups) => {}
            }
            let certificate = Arc::clone(&self);
            let Ok(outcome) = spawn_blocking(move || certificate.reload()).await else { continue };
            match outcome {
                Ok(true) => tracing::info!("the new certificate is in use"),
                Ok(false) => {}
                Err(error) => {
                    // What stays broken is said once, not at every look.
                    let text = error.to_string();
                    if text != complaint {
                        tracing::error!(error = text, "the new certificate cannot be used, the old one stays");
                        complaint = text;
                    }
                    continue;
                }
            }
            complaint.clear();
        }
    }
}

async fn received(hangups: &mut Option<Signal>) -> Option<()> {
    hangups.as_mut()?.recv().await
}

impl fmt::Debug for Certificate {
    // The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.files).finish()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Contents {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error });
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    fn parse(&self, files: &Tls) -> Result<CertifiedKey, TlsError> {
        let malformed =
            |path: &Path, expected, reason: String| TlsError::Malformed { path: path.to_owned(), expected, reason };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| malformed(&files.certificate, "certificate", error.to_string()))?;
        if chain.is_empty() {
            return Err(malformed(&files.certificate, "certificate", "there is none".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| malformed(&files.key, "private key", error.to_string()))?;
        Ok(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder with a certificate and its key.
    fn pair() -> (TempDir, Tls) {
        let folder = tempfile::tempdir().unwrap();
        let files = Tls::new(folder.path().join("cert.pem"), folder.path().join("key.pem"));
        write_pair(&files);
        (folder, files)
    }

    fn write_pair(files: &Tls) {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    }

    fn current(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
        certificate.current.load().cert.clone()
    }

    #[test]
    fn a_changed_pair_replaces_the_old_and_an_unchanged_one_does_not() {
        let (_folder, files) = pair();
        let certificate = Certificate::load(&files).unwrap();
        let first = current(&certificate);
        assert!(!certificate.reload().unwrap());
        write_pair(&files);
        assert!(certificate.reload().unwrap());
        assert_ne!(current(&certificate), first);
    }

    #[test]
    fn what_cannot_be_used_leaves_the_old_in_use() {
        let (_folder, files) = pair();
        let certificate = Certificate::load(&files).unwrap();
        let first = current(&certificate);
        let (_other, other) = pair();
        let good = std::fs::read(&files.certificate).unwrap();
        let stranger = std::fs::read(other.certificate).unwrap();
        for broken in [&b"nonsense"[..], b"", &good[..good.len() / 2], &stranger] {
            std::fs::write(&files.certificate, broken).unwrap();
            assert!(certificate.reload().is_err());
        }
        std::fs::remove_file(&files.certificate).unwrap();
        assert!(matches!(certificate.reload(), Err(TlsError::Unreadable { .. })));
        assert_eq!(current(&certificate), first);
        write_pair(&files);
        assert!(certificate.reload().unwrap());
    }

    #[test]
    fn a_server_does_not_begin_with_a_pair_that_does_not_belong_together() {
        let (_folder, mut files) = pair();
        let (_other, other) = pair();
        files.key = other.key;
        assert!(matches!(Certificate::load(&files), Err(TlsError::Unusable(_))));
    }

    #[test]
    fn the_key_is_not_printed() {
        let (_folder, files) = pair();
        let printed = format!("{:?}", Certificate::load(&files).unwrap());
        assert!(printed.contains("cert.pem") && printed.len() < 500, "{printed}");
    }
}

//! What a connection URL says.

use std::path::PathBuf;
use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::SslMode;

use super::tls::{Roots, Trust};
use crate::{Error, Result};

/// Where to connect, and whom to believe to be there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    pub(super) trust: Trust,
}

/// Reads a URL. The two parameters that say how TLS is verified are ours; the driver knows all others.
pub(super) fn parse(url: &str) -> Result<Target> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(refused("the URL must begin with postgres://"));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut others) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(decoded(value)?),
            Some(("sslrootcert", value)) => roots = Some(decoded(value)?),
            _ => others.push(pair),
        }
    }
    let (ssl_mode, trust) = trust(mode.as_deref().unwrap_or("prefer"), roots.map(root_certificates))?;
    let rest = format!("{base}?{}", others.join("&"));
    // The driver's messages name the parameter that it does not like and never its value.
    let mut config = tokio_postgres::Config::from_str(rest.trim_end_matches('?'))
        .map_err(|e| refused(&std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string)))?;
    config.ssl_mode(ssl_mode);
    if config.get_application_name().is_none() {
        config.application_name(concat!("wharf ", env!("CARGO_PKG_VERSION")));
    }
    Ok(Target { config, trust })
}

/// The meanings of libpq (manual, "SSL Support").
fn trust(mode: &str, roots: Option<Roots>) -> Result<(SslMode, Trust)> {
    Ok(match (mode, roots) {
        ("disable", _) => (SslMode::Disable, Trust::Anyone),
        ("prefer", _) => (SslMode::Prefer, Trust::Anyone),
        ("require", None) => (SslMode::Require, Trust::Anyone),
        ("require" | "verify-ca", Some(roots)) => (SslMode::Require, Trust::Issuer(roots)),
        ("verify-ca", None) => (SslMode::Require, Trust::Issuer(Roots::System)),
        ("verify-full", roots) => (SslMode::Require, Trust::Name(roots.unwrap_or(Roots::System))),
        _ => return Err(refused("sslmode must be disable, prefer, require, verify-ca or verify-full")),
    })
}

fn root_certificates(value: String) -> Roots {
    if value == "system" { Roots::System } else { Roots::File(PathBuf::from(value)) }
}

fn decoded(value: &str) -> Result<String> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(Into::into).map_err(|_| refused("a parameter of the URL is not UTF-8"))
}

fn refused(problem: &str) -> Error {
    Error::Config(format!("PostgreSQL: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust_of(query: &str) -> (SslMode, Trust) {
        let target = parse(&format!("postgres://wharf:secret@db.example/wharf?{query}")).unwrap();
        assert_eq!(target.config.get_password(), Some(&b"secret"[..]));
        (target.config.get_ssl_mode(), target.trust)
    }

    #[test]
    fn ssl_modes_mean_what_they_mean_to_libpq() {
        let file = || Roots::File("/etc/ssl/pg ca.pem".into());
        assert_eq!(trust_of(""), (SslMode::Prefer, Trust::Anyone));
        assert_eq!(trust_of("sslmode=disable"), (SslMode::Disable, Trust::Anyone));
        assert_eq!(trust_of("sslmode=require"), (SslMode::Require, Trust::Anyone));
        assert_eq!(trust_of("sslmode=verify-full"), (SslMode::Require, Trust::Name(Roots::System)));
        let with_file = "sslrootcert=%2Fetc%2Fssl%2Fpg%20ca.pem&connect_timeout=3";
        assert_eq!(trust_of(&format!("sslmode=require&{with_file}")), (SslMode::Require, Trust::Issuer(file())));
        assert_eq!(trust_of(&format!("{with_file}&sslmode=verify-full")), (SslMode::Require, Trust::Name(file())));
    }

    #[test]
    fn what_would_silently_mean_something_else_is_refused() {
        for url in ["host=localhost", "mysql://x/y", "postgres://x/y?sslmode=allow", "postgres://x/y?sslmod=require"] {
            assert!(matches!(parse(url), Err(Error::Config(_))), "{url}");
        }
    }

    #[test]
    fn messages_do_not_contain_the_password() {
        for url in [
            "postgres://wharf:geheim@x/y?sslmode=geheim2",
            "postgres://wharf:geheim@x:port/y",
            "postgres://wharf:geheim@",
        ] {
            if let Err(error) = parse(url) {
                assert!(!error.to_string().contains("geheim"), "{error}");
            }
        }
    }
}

//! What the start prints: where the server is, how to get in, what to type first.

use std::fmt::Write;
use std::net::SocketAddr;

use wharf_auth::Bootstrap;
use wharf_web::Listener;

use super::Administrator;
use crate::config::Config;
use crate::out;

/// Where the server is found.
pub(super) struct Place {
    url: String,
    /// What stands before the `/` of an image's name.
    host: String,
    data: String,
    /// Clients that insist on TLS have to be told that there is none.
    plain: bool,
    loopback: bool,
}

impl Place {
    pub(super) fn of(config: &Config, listener: &Listener) -> Self {
        let data = config.data().display().to_string();
        let loopback = listener.address().ip().is_loopback();
        let (url, host) = match config.web().external_url {
            Some(url) => {
                let host =
                    url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
                (url, host)
            }
            None => {
                let host = reachable(listener.address());
                (format!("{}://{host}", if listener.is_tls() { "https" } else { "http" }), host)
            }
        };
        Self { plain: url.starts_with("http://"), url, host, data, loopback }
    }
}

/// An address that can be typed on this machine, where the listener takes all of them.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// Prints it: all of it at the first start, one line afterwards.
pub(super) fn print(place: &Place, administrator: &Administrator) {
    out::line(text(place, administrator).trim_end());
}

fn text(place: &Place, administrator: &Administrator) -> String {
    let mut text = format!("Wharf {} is at {}, its data in {}\n", env!("CARGO_PKG_VERSION"), place.url, place.data);
    let password = match &administrator.made {
        Bootstrap::AlreadyThere => return text,
        Bootstrap::Created => "the one that was given".to_owned(),
        Bootstrap::Generated(password) => format!("{}   (shown only now)", **password),
    };
    let (name, host, url) = (&administrator.name, &place.host, &place.url);
    let (podman, skopeo) = if place.plain { (" --tls-verify=false", " --dest-tls-verify=false") } else { ("", "") };
    let _ = write!(
        text,
        "\n  user      {name}\n  password  {password}\n\n\
         Sign in and push an image with what you have:\n\n  \
           docker login -u {name} {host}\n  \
           docker tag alpine {host}/demo/alpine && docker push {host}/demo/alpine\n\n  \
           podman login{podman} -u {name} {host}\n  \
           podman push{podman} alpine {host}/demo/alpine\n\n  \
           skopeo login{podman} -u {name} {host}\n  \
           skopeo copy{skopeo} docker://docker.io/library/alpine docker://{host}/demo/alpine\n\n\
         Users, robots, projects and grants:\n\n  \
           wharf login -u {name} {url}\n  \
           wharf project list\n"
    );
    if place.loopback {
        text.push_str(
            "\nOnly this machine reaches it. For others: --listen 0.0.0.0:5000 with --tls-certificate and --tls-key, or a proxy.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(made: Bootstrap) -> String {
        let place = Place {
            url: "http://127.0.0.1:5000".into(),
            host: "127.0.0.1:5000".into(),
            data: "./wharf-data".into(),
            plain: true,
            loopback: true,
        };
        text(&place, &Administrator { name: "admin".into(), made })
    }

    #[test]
    fn a_password_is_shown_only_when_it_was_made_up() {
        let made_up = shown(Bootstrap::Generated("geheim".to_owned().into()));
        assert!(made_up.contains("password  geheim") && made_up.contains("docker login -u admin 127.0.0.1:5000"));
        assert!(shown(Bootstrap::Created).contains("the one that was given"));
        assert_eq!(shown(Bootstrap::AlreadyThere).lines().count(), 1);
    }
}

//! `wharf login`.

use std::io::{IsTerminal, Read};

use serde_json::{Value, json};

use crate::client::credentials::{Credentials, Login};
use crate::client::{Call, Client, Proof, base_url, block_on};
use crate::failure::{Failure, Outcome};
use crate::out;

/// Arguments of `wharf login`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The password is used once, to make a personal token for this machine. Only the token is kept, in \
                        $XDG_CONFIG_HOME/wharf/credentials.json."
)]
pub(crate) struct Args {
    /// The server, such as `https://registry.example.com`.
    #[arg(value_name = "URL", env = "WHARF_SERVER")]
    server: String,
    /// Who you are there.
    #[arg(short, long)]
    user: Option<String>,
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
}

impl Args {
    /// Signs in and remembers the server.
    pub(crate) fn run(self) -> Outcome {
        let base = base_url(&self.server)?;
        let user = match self.user {
            Some(user) => user,
            None => asked_name()?,
        };
        if base.starts_with("http://") && !is_loopback(&base) {
            out::note(format!("warning: {base} is not encrypted: whoever is on the way can read the password"));
        }
        let password = password("Password", self.password_stdin)?;
        let client = Client::new(base.clone(), Proof::Password(user.clone(), password))?;
        let login = block_on(sign_in(&client, user))?;
        let mut credentials = Credentials::read()?;
        let before = credentials.remember(&base, login.clone());
        credentials.write()?;
        if let Some(before) = before {
            // The token of the last login is of no more use to anybody; if this fails it is still in the list of tokens.
            let _ = block_on(async { client.send(&Call::new("tokens.revoke").at("token", before.token_id)).await });
        }
        out::line(format!("signed in to {base} as {}", login.user));
        Ok(())
    }
}

async fn sign_in(client: &Client, user: String) -> Outcome<Login> {
    // Two logins of one machine may overlap, and names of tokens are their owner's to tell apart.
    let name = format!("wharf login on {} {}", machine(), hex::encode(rand::random::<[u8; 4]>()));
    let made = client.send(&Call::new("tokens.create").body(json!({ "name": name }))).await?;
    match (&made["secret"], made["token"]["id"].as_i64()) {
        (Value::String(token), Some(token_id)) => Ok(Login { user, token: token.clone(), token_id }),
        _ => Err(Failure::new(format!("{} does not answer like a Wharf server", client.base()))),
    }
}

fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().take(60).collect();
    if name.is_empty() { "a machine without a name".to_owned() } else { name }
}

fn is_loopback(base: &str) -> bool {
    let host = url::Url::parse(base).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    match host {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn asked_name() -> Outcome<String> {
    if !out::somebody_is_there() {
        return Err(Failure::usage("no user is named").hint("say -u USER"));
    }
    out::ask("User:");
    let mut name = String::new();
    std::io::stdin().read_line(&mut name)?;
    Ok(name.trim().to_owned())
}

/// A password from standard input, or asked for on the terminal without showing it.
pub(crate) fn password(prompt: &str, stdin: bool) -> Outcome<String> {
    let password = if stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{prompt}: "))?
    } else {
        return Err(
            Failure::usage("there is no terminal to ask for a password").hint("say --password-stdin and pipe it in")
        );
    };
    if password.is_empty() { Err(Failure::usage("the password is empty")) } else { Ok(password) }
}

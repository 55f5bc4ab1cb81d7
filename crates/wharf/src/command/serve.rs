//! `wharf serve`.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;
use crate::failure::Outcome;
use crate::server;

/// How long a thread for blocking work waits for more. With it goes the memory that the allocator holds for it, which after a
/// password was checked is as much as everything else.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// Arguments of `wharf serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With no configuration at all the server keeps its data in /var/lib/wharf, or in ./wharf-data where that cannot be \
                        written to, and listens on 127.0.0.1:5000. The first start prints the administrator's password, unless \
                        WHARF_ADMIN_PASSWORD or WHARF_ADMIN_PASSWORD_FILE gives it.\n\n\
                        Every setting: wharf config example. SIGTERM stops gracefully, SIGHUP reads the certificate again."
)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
}

/// The settings that have a flag. `setting::FLAGS` says which is which.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// The configuration file [env: WHARF_CONFIG; default: /etc/wharf/wharf.toml if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The URL under which clients reach this server, if that is not what they ask for.
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
    /// Certificate chain in PEM.
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Private key in PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// `local` or `memory`.
    #[arg(long, value_name = "KIND")]
    storage: Option<String>,
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// `text` or `json`.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A level, or directives such as `info,wharf_db=debug` [env: WHARF_LOG].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

impl Settings {
    /// Reads these together with the environment and the file.
    pub(crate) fn load(self) -> Outcome<Config> {
        let flags = [
            ("--data", self.data),
            ("--listen", self.listen),
            ("--external-url", self.external_url),
            ("--tls-certificate", self.tls_certificate),
            ("--tls-key", self.tls_key),
            ("--storage", self.storage),
            ("--database", self.database),
            ("--log-format", self.log_format),
            ("--log", self.log),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| value.map(|value| (flag, value)));
        Config::load(self.config.as_deref(), given.collect())
    }

    /// Only what offline commands need.
    pub(crate) fn offline(config: Option<PathBuf>, data: Option<String>, database: Option<String>) -> Self {
        Self::offline_with(config, data, database, None)
    }

    /// The same for those that touch bytes as well.
    pub(crate) fn offline_with(
        config: Option<PathBuf>,
        data: Option<String>,
        database: Option<String>,
        storage: Option<String>,
    ) -> Self {
        Self {
            config,
            data,
            database,
            listen: None,
            external_url: None,
            tls_certificate: None,
            tls_key: None,
            storage,
            log_format: None,
            log: None,
        }
    }
}

impl Args {
    /// Runs the server until it is told to stop.
    pub(crate) fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.enable_all().thread_keep_alive(KEEP_ALIVE).build()?.block_on(server::run(&config))
    }
}

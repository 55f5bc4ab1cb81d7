//! Settings as the structs beside what they configure. Where nobody said anything, those structs' own defaults stand; a test
//! holds the table's against them.

use std::path::PathBuf;

use wharf_storage::bucket;
use wharf_web as web;

use super::Config;
use super::value::network;

/// Where bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Files below this folder.
    Local(PathBuf),
    /// A bucket. The file with certificates to trust is still to be read.
    Bucket(Box<bucket::Config>, Option<PathBuf>),
    /// Nowhere that lasts.
    Memory,
}

/// Where this server may write backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backups {
    /// Nowhere.
    Nowhere,
    /// Into this folder.
    Folder(PathBuf),
    /// Into a bucket. The file with certificates to trust is still to be read.
    Bucket(Box<bucket::Config>, Option<PathBuf>),
}

/// Which database.
pub(crate) type Database = wharf_db::Config;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// `[storage]`.
    pub(crate) fn storage(&self) -> Storage {
        match (self.text("storage.kind"), self.kind("storage")) {
            (Some("memory"), _) => Storage::Memory,
            (_, None) => Storage::Local(self.path("storage.path")),
            (_, Some(kind)) => {
                let (mut bucket, certificates) = self.bucket("storage", kind);
                bucket.redirect = self.is_on("storage.redirect");
                bucket.public_endpoint = self.text("storage.public_endpoint").map(str::to_owned);
                set(&mut bucket.upload_memory, self.size("storage.upload_memory"));
                Storage::Bucket(Box::new(bucket), certificates)
            }
        }
    }

    /// `[backup]`.
    pub(crate) fn backups(&self) -> Backups {
        match (self.kind("backup"), self.text("backup.path")) {
            (Some(kind), _) => {
                let (bucket, certificates) = self.bucket("backup", kind);
                Backups::Bucket(Box::new(bucket), certificates)
            }
            (None, Some(path)) => Backups::Folder(path.into()),
            (None, None) => Backups::Nowhere,
        }
    }

    /// The kind of bucket that a section is about.
    pub(crate) fn kind(&self, section: &str) -> Option<bucket::Kind> {
        match self.text(&format!("{section}.kind")) {
            Some("s3") => Some(bucket::Kind::S3),
            Some("gcs") => Some(bucket::Kind::Gcs),
            Some("azure") => Some(bucket::Kind::Azure),
            _ => None,
        }
    }

    /// What a section says of a bucket, and the file with certificates to trust.
    pub(crate) fn bucket(&self, section: &'static str, kind: bucket::Kind) -> (bucket::Config, Option<PathBuf>) {
        let key = |name: &str| format!("{section}.{name}");
        let text = |name: &str| self.text(&key(name)).map(str::to_owned);
        let mut bucket = bucket::Config::new(kind, text("bucket").unwrap_or_default());
        bucket.section = section;
        bucket.prefix = text("prefix").unwrap_or_default().trim_matches('/').to_owned();
        bucket.endpoint = text("endpoint");
        bucket.region = text("region");
        bucket.path_style = match text("path_style") {
            Some(said) => said == "true",
            None => bucket.endpoint.is_some(),
        };
        bucket.access_key = text("access_key");
        bucket.secret_key = text("secret_key").map(bucket::Secret);
        bucket.allow_http = self.is_on(&key("allow_http"));
        set(&mut bucket.connect_timeout, self.span(&key("connect_timeout")));
        set(&mut bucket.request_timeout, self.span(&key("request_timeout")));
        set(&mut bucket.retries, self.number(&key("retries")));
        set(&mut bucket.retry_for, self.span(&key("retry_for")));
        set(&mut bucket.part_size, self.size(&key("part_size")).map(|bytes| bytes.try_into().unwrap_or(u32::MAX)));
        (bucket, text("ca").map(PathBuf::from))
    }

    /// `[database]`.
    pub(crate) fn database(&self) -> Database {
        let url = self.text("database.url").unwrap_or_default();
        match url.strip_prefix("sqlite:") {
            Some(":memory:") => Database::SqliteMemory,
            // Both `sqlite:path` and the `sqlite://path` of other programs.
            Some(path) => Database::Sqlite { path: path.strip_prefix("//").unwrap_or(path).into() },
            None => self.postgres(url),
        }
    }

    fn postgres(&self, url: &str) -> Database {
        let mut database = Database::postgres(url);
        if let Database::Postgres { max_connections, connect_timeout, statement_timeout, .. } = &mut database {
            set(max_connections, self.number("database.max_connections"));
            set(connect_timeout, self.span("database.connect_timeout"));
            set(statement_timeout, self.span("database.statement_timeout"));
        }
        database
    }

    /// `[listen]`, `[web]`, `[tls]`, `[metrics]`, and what `[limits]` and `[timeouts]` say of requests.
    pub(crate) fn web(&self) -> web::Config {
        let mut web = web::Config::default();
        set(&mut web.listen, self.number("listen.address"));
        web.external_url = self.text("web.external_url").map(|url| url.trim_end_matches('/').to_owned());
        web.trusted_proxies = self.list("web.trusted_proxies").iter().filter_map(|text| network(text)).collect();
        if self.text("web.proxy_headers") == Some("forwarded") {
            web.proxy_headers = web::ProxyHeaders::Forwarded;
        }
        if let (Some(certificate), Some(key)) = (self.text("tls.certificate"), self.text("tls.key")) {
            let mut tls = web::Tls::new(certificate, key);
            set(&mut tls.reload_interval, self.span("tls.reload_interval"));
            web.tls = Some(tls);
        }
        web.metrics.public = self.is_on("metrics.public");
        web.metrics.token = self.text("metrics.token").map(str::to_owned);
        if self.text("log.access") == Some("failures") {
            web.access_log = web::AccessLog::Failures;
        }
        self.limit(&mut web.limits);
        self.time(&mut web.timeouts);
        web
    }

    fn limit(&self, limits: &mut web::Limits) {
        set(&mut limits.connections, self.number("limits.connections"));
        set(&mut limits.reserve, self.number("limits.reserve"));
        limits.connections_per_address = self.number("limits.connections_per_address");
        set(&mut limits.head_bytes, self.size("limits.head").and_then(|bytes| bytes.try_into().ok()));
        set(&mut limits.uri_bytes, self.size("limits.uri").and_then(|bytes| bytes.try_into().ok()));
        set(&mut limits.http2_streams, self.number("limits.http2_streams"));
    }

    fn time(&self, timeouts: &mut web::Timeouts) {
        set(&mut timeouts.body_bytes_per_second, self.size("limits.body_rate").and_then(|bytes| bytes.try_into().ok()));
        set(&mut timeouts.handshake, self.span("timeouts.handshake"));
        set(&mut timeouts.head, self.span("timeouts.head"));
        set(&mut timeouts.keep_alive, self.span("timeouts.keep_alive"));
        set(&mut timeouts.body_idle, self.span("timeouts.body_idle"));
        set(&mut timeouts.body_grace, self.span("timeouts.body_grace"));
        set(&mut timeouts.write_idle, self.span("timeouts.write_idle"));
        set(&mut timeouts.stop, self.span("timeouts.stop"));
        set(&mut timeouts.stop_delay, self.span("timeouts.stop_delay"));
        set(&mut timeouts.ready, self.span("timeouts.ready"));
    }

    /// `[auth]`.
    pub(crate) fn auth(&self) -> wharf_auth::Config {
        let mut auth = wharf_auth::Config::default();
        set(&mut auth.service, self.text("auth.service").map(str::to_owned));
        set(&mut auth.registry_token_ttl, self.span("auth.registry_token_lifetime"));
        set(&mut auth.refresh_token_ttl, self.span("auth.refresh_token_lifetime"));
        let memory = self.size("auth.hash_memory").and_then(|bytes| u32::try_from(bytes / 1024).ok());
        set(&mut auth.hashing.memory_kib, memory);
        set(&mut auth.hashing.passes, self.number("auth.hash_passes"));
        set(&mut auth.hashing.at_once, self.number("auth.hash_at_once"));
        set(&mut auth.throttle.free_per_account, self.number("auth.free_guesses_per_account"));
        set(&mut auth.throttle.free_per_address, self.number("auth.free_guesses_per_address"));
        set(&mut auth.throttle.first_wait, self.span("auth.first_wait"));
        set(&mut auth.throttle.longest_wait, self.span("auth.longest_wait"));
        auth
    }

    /// `[retention]`, `[sweep]`, `[push]`, `[publish]` and `[jobs]`.
    pub(crate) fn core(&self) -> wharf_core::Config {
        let mut core = wharf_core::Config::default();
        set(&mut core.upload_expiry, self.span("retention.uploads"));
        set(&mut core.low_water, self.size("storage.low_water"));
        set(&mut core.sweep_interval, self.span("sweep.interval"));
        set(&mut core.object_grace, self.span("sweep.grace"));
        set(&mut core.orphan_retention, self.span("retention.orphans"));
        set(&mut core.review_delay, self.span("retention.unreferenced"));
        set(&mut core.bin_retention, self.span("retention.bin"));
        set(&mut core.history_retention, self.span("retention.tag_history"));
        set(&mut core.generation_retention, self.span("retention.generations"));
        set(&mut core.event_retention, self.span("retention.events"));
        set(&mut core.audit_retention, self.span("audit.retention"));
        set(&mut core.access_retention, self.span("audit.access_retention"));
        set(&mut core.access_lines, self.number("audit.buffer"));
        set(&mut core.redirect_from, self.size("storage.redirect_from"));
        set(&mut core.redirect_lifetime, self.span("storage.redirect_lifetime"));
        set(&mut core.scrub.rate, self.size("scrub.rate"));
        set(&mut core.scrub.interval, self.span("scrub.interval"));
        set(&mut core.accept_sparse_images, Some(self.is_on("push.accept_sparse_images")));
        set(&mut core.manifest_memory, self.size("limits.manifest_memory"));
        set(&mut core.publish_delay, self.span("publish.delay"));
        set(&mut core.key_algorithm, self.text("publish.key").and_then(|word| word.parse().ok()));
        set(&mut core.job_lease, self.span("jobs.lease"));
        set(&mut core.publish_lease, self.span("jobs.publish_lease"));
        set(&mut core.job_attempts, self.number("jobs.attempts"));
        set(&mut core.job_poll, self.span("jobs.poll"));
        set(&mut core.workers, self.number("jobs.workers"));
        self.collect(&mut core.collection);
        core
    }

    /// `[collection]`.
    fn collect(&self, collection: &mut wharf_core::Collection) {
        set(&mut collection.grace, self.span("collection.grace"));
        set(&mut collection.wait, self.span("collection.wait"));
        set(&mut collection.batch, self.number("collection.batch"));
        set(&mut collection.rate, self.number("collection.rate"));
        set(&mut collection.byte_rate, self.size("collection.byte_rate"));
    }

    fn is_on(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }

    /// `log.format`.
    pub(crate) fn log_format(&self) -> LogFormat {
        if self.text("log.format") == Some("json") { LogFormat::Json } else { LogFormat::Text }
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.text(key).unwrap_or_default().into()
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

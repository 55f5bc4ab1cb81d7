//! Every setting there is: its key in the file, its default and what it is for. The annotated example, the list of variables
//! and `wharf config show` are made from this table; a test compares the defaults with the structs.

use super::setting::Fallback::{self, Found, InData, Is, Unset};
use super::setting::Setting;
use super::value::Kind::{self, Address, Choice, Database, Networks, Number, Path, Size, Span, Switch, Text, Url};

const fn setting(key: &'static str, kind: Kind, default: Fallback, doc: &'static str) -> Setting {
    Setting { key, kind, default, secret: false, doc }
}

const fn secret(key: &'static str, default: Fallback, doc: &'static str) -> Setting {
    Setting { key, kind: Kind::Text, default, secret: true, doc }
}

/// The table, in the order of the example.
pub(crate) static SETTINGS: &[Setting] = &[
    setting(
        "data",
        Path,
        Found("./wharf-data", "/var/lib/wharf where that exists and is writable, else ./wharf-data"),
        "The data directory: the embedded database, the local storage and the instance key live here unless told otherwise.",
    ),
    setting(
        "listen.address",
        Address,
        Is("127.0.0.1:5000"),
        "Where to listen. The default is reachable from this machine only: beyond it, set up [tls] or a proxy that does, \
         and listen on 0.0.0.0:5000 or [::]:5000.",
    ),
    setting(
        "web.external_url",
        Url,
        Unset("https://registry.example.com"),
        "Scheme, host and path prefix under which clients reach this server. Needed behind a proxy that changes any of them.",
    ),
    setting(
        "web.trusted_proxies",
        Networks,
        Is(""),
        "Proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed.",
    ),
    setting(
        "web.proxy_headers",
        Choice(&["x-forwarded", "forwarded"]),
        Is("x-forwarded"),
        "In which headers those proxies say it. Only one family is believed: a proxy that sets one hands the other on as it came.",
    ),
    setting(
        "tls.certificate",
        Path,
        Unset("/etc/wharf/tls.crt"),
        "Certificate chain (PEM). Read again when the file changes and on SIGHUP.",
    ),
    setting("tls.key", Path, Unset("/etc/wharf/tls.key"), "Private key of the certificate (PEM)."),
    setting("tls.reload_interval", Span, Is("5s"), "How often the two files are looked at for a change."),
    setting(
        "storage.kind",
        Choice(&["local", "s3", "gcs", "azure", "memory"]),
        Is("local"),
        "Where bytes go: files of this machine; a bucket of S3 (or what speaks like it), Google Cloud Storage or Azure, which any \
         number of servers may share; or memory, which forgets everything when the server stops. What is tested is S3 with SeaweedFS, \
         Azure with Azurite, and the client for Google with SeaweedFS behind Google's words; no test asks Amazon, Microsoft or Google.",
    ),
    setting("storage.path", Path, InData("", "storage"), "The folder of the local storage."),
    setting(
        "storage.low_water",
        Size,
        Is("128MiB"),
        "Pushes are refused while less is free on the disk of the storage or of the SQLite database, so that deletes and \
         collection, which make room, still have some. 0 refuses none.",
    ),
    setting(
        "storage.bucket",
        Text,
        Unset("wharf"),
        "The bucket, or on Azure the container. It has to exist. Give it a rule that aborts incomplete uploads after 8 days.",
    ),
    setting(
        "storage.prefix",
        Text,
        Unset("registry"),
        "In front of every name in the bucket, so that it can hold other things too.",
    ),
    setting(
        "storage.endpoint",
        Url,
        Unset("https://s3.example.com"),
        "URL of the object store, where it is not Amazon's, Google's or Microsoft's own.",
    ),
    setting("storage.region", Text, Unset("eu-central-1"), "S3: the region of the bucket."),
    setting(
        "storage.path_style",
        Switch,
        Found("true", "with an endpoint true, otherwise false"),
        "S3: whether the bucket is in the path of URLs and not in their host.",
    ),
    secret(
        "storage.access_key",
        Unset("access key"),
        "The access key, or on Azure the name of the storage account. Without one, what AWS_…, GOOGLE_… or AZURE_… variables or \
         the role of the machine give is used.",
    ),
    secret(
        "storage.secret_key",
        Unset("a long secret"),
        "Its secret; on Azure the account's key; on Google Cloud the JSON key of a service account.",
    ),
    setting("storage.ca", Path, Unset("/etc/wharf/storage-ca.crt"), "Certificates (PEM) trusted beside the system's."),
    setting("storage.allow_http", Switch, Is("false"), "Whether the endpoint may be http://, without TLS."),
    setting(
        "storage.redirect",
        Switch,
        Is("false"),
        "Whether clients fetch large blobs from the object store, by a signed URL. They have to reach it, and what it hands out is \
         not compared with the digest here. With kind gcs at Google's own host only.",
    ),
    setting("storage.redirect_from", Size, Is("1MiB"), "The smallest blob for which they are sent there."),
    setting("storage.redirect_lifetime", Span, Is("10m"), "How long such a URL is good for."),
    setting(
        "storage.public_endpoint",
        Url,
        Unset("https://s3.example.com"),
        "URL of the object store as clients see it, where it differs from storage.endpoint.",
    ),
    setting("storage.connect_timeout", Span, Is("5s"), "How long to wait for a connection to the object store."),
    setting(
        "storage.request_timeout",
        Span,
        Is("60s"),
        "How long to wait for an answer of the object store, or for its next bytes.",
    ),
    setting("storage.retries", Number, Is("20"), "How often a request to the object store is tried again."),
    setting("storage.retry_for", Span, Is("10s"), "No further try after so long: then clients are told to come back."),
    setting(
        "storage.part_size",
        Size,
        Is("5MiB"),
        "Bytes in a part of an upload, from 5MiB to 256MiB. A blob has at most 10000 parts.",
    ),
    setting(
        "storage.upload_memory",
        Size,
        Is("192MiB"),
        "Memory for parts on their way to the object store. Uploads that find none wait for their turn.",
    ),
    Setting {
        key: "database.url",
        kind: Database,
        default: InData("sqlite:", "wharf.db"),
        secret: true,
        doc: "sqlite:PATH for a file of this server alone, sqlite::memory: for nothing that lasts, or postgres://USER:PASSWORD@HOST/NAME \
         for a PostgreSQL server that any number of servers may share.",
    },
    setting("database.max_connections", Number, Is("16"), "PostgreSQL: the most connections of this server."),
    setting("database.connect_timeout", Span, Is("5s"), "PostgreSQL: how long to wait for a connection."),
    setting("database.statement_timeout", Span, Is("30s"), "PostgreSQL: how long one statement may run."),
    secret(
        "admin.password",
        Unset("a long secret"),
        "The password of the first administrator. Read only when the database is new: afterwards it is changed by the API or \
         `wharf admin reset-password`. Without it one is made up and shown once.",
    ),
    setting(
        "admin.user",
        Text,
        Is("admin"),
        "The name of the first administrator. Read only when the database is new.",
    ),
    secret(
        "instance.key",
        Unset("wharf-instance-key"),
        "The key that encrypts secrets in the database, instead of the file below. All servers of one database need the same.",
    ),
    setting(
        "instance.key_file",
        Path,
        InData("", "instance.key"),
        "The file that holds the key. Made at the first start; afterwards a server without it refuses to start.",
    ),
    setting(
        "auth.service",
        Text,
        Is("wharf"),
        "The name that clients ask tokens for. Servers that share a database share it.",
    ),
    setting("auth.registry_token_lifetime", Span, Is("15m"), "How long a token of /token is good for."),
    setting("auth.refresh_token_lifetime", Span, Is("90d"), "How long a refresh token of /token is good for."),
    setting("auth.hash_memory", Size, Is("19MiB"), "Memory for hashing one password (Argon2id)."),
    setting("auth.hash_passes", Number, Is("2"), "Passes over that memory."),
    setting(
        "auth.hash_at_once",
        Number,
        Found("4", "one per core, at most 4"),
        "How many passwords are hashed at once.",
    ),
    setting(
        "auth.free_guesses_per_account",
        Number,
        Is("10"),
        "Wrong passwords for one account before it has to wait.",
    ),
    setting(
        "auth.free_guesses_per_address",
        Number,
        Is("100"),
        "Wrong passwords from one address before it has to wait.",
    ),
    setting(
        "auth.first_wait",
        Span,
        Is("1s"),
        "The first wait after too many wrong passwords; each further one doubles it.",
    ),
    setting("auth.longest_wait", Span, Is("5m"), "The longest wait."),
    setting(
        "limits.connections",
        Number,
        Is("8192"),
        "Connections served at once; never more than the limit of open files allows.",
    ),
    setting(
        "limits.reserve",
        Number,
        Is("64"),
        "Connections beyond those, for health checks; others are told to come back later.",
    ),
    setting(
        "limits.connections_per_address",
        Number,
        Unset("256"),
        "Connections from one address at once, trusted proxies excepted.",
    ),
    setting(
        "limits.head",
        Size,
        Is("32KiB"),
        "The largest head of a request. Registry tokens with many scopes need room.",
    ),
    setting("limits.uri", Size, Is("8KiB"), "The longest path and query of a request."),
    setting("limits.http2_streams", Number, Is("128"), "Requests at once on one HTTP/2 connection."),
    setting(
        "limits.manifest_memory",
        Size,
        Is("64MiB"),
        "What manifests above 64 KiB may take in memory while clients pull them, and as much while clients push them. Who finds \
         no room waits, and is then told to come back.",
    ),
    setting(
        "limits.body_rate",
        Size,
        Is("1KiB"),
        "The least bytes a second of a request's body, on the average once timeouts.body_grace is over.",
    ),
    setting("timeouts.handshake", Span, Is("10s"), "From the first byte of a TLS handshake to its end."),
    setting(
        "timeouts.head",
        Span,
        Is("15s"),
        "From the first byte of a request's head to its end, and from a new connection to its first request.",
    ),
    setting("timeouts.keep_alive", Span, Is("75s"), "Between two requests on one connection."),
    setting("timeouts.body_idle", Span, Is("60s"), "Between two chunks of a request's body."),
    setting("timeouts.body_grace", Span, Is("60s"), "How long a body may take before its rate counts."),
    setting("timeouts.write_idle", Span, Is("60s"), "How long a client may leave a response untaken."),
    setting("timeouts.stop", Span, Is("30s"), "How long requests in flight may take to finish when the server stops."),
    setting(
        "timeouts.stop_delay",
        Span,
        Is("0s"),
        "How long the server goes on accepting after it was told to stop, with /readyz saying no, so that load balancers look elsewhere.",
    ),
    setting("timeouts.ready", Span, Is("3s"), "How long /readyz waits for the database and the storage."),
    setting(
        "metrics.public",
        Switch,
        Is("false"),
        "Whether everyone may read /metrics. Administrators and auditors always may.",
    ),
    secret("metrics.token", Unset("a long secret"), "Whoever presents this as a bearer token may read /metrics."),
    setting("retention.uploads", Span, Is("7d"), "An upload that nobody has touched for so long is forgotten."),
    setting(
        "retention.unreferenced",
        Span,
        Is("1d"),
        "How long content that lost its last reference is kept before the collector looks at it. What nothing ever referred to is \
         kept for a minute at least.",
    ),
    setting(
        "retention.bin",
        Span,
        Is("7d"),
        "How long what was deleted lies in the bin and can be restored; 0s is no bin. Only after that the times around this one begin.",
    ),
    setting("retention.tag_history", Span, Is("365d"), "How long moves of tags are remembered."),
    setting(
        "retention.generations",
        Span,
        Is("3d"),
        "How long a package index stays readable after the next one is published, for clients in the middle of an update.",
    ),
    setting("retention.events", Span, Is("7d"), "How long events wait for somebody to fetch them."),
    setting(
        "retention.orphans",
        Span,
        Is("3d"),
        "How long a stored object that no row points at is only noted before it is removed. Whoever restored the wrong \
         database has this time to see it.",
    ),
    setting(
        "collection.grace",
        Span,
        Is("1d"),
        "How long a blob that no manifest uses is hidden from clients before it goes; it must be longer than the longest push.",
    ),
    setting(
        "collection.wait",
        Span,
        Is("15m"),
        "How long the bytes of a collected blob stay in the storage, for pulls under way.",
    ),
    setting("collection.batch", Number, Is("256"), "How many reviews the collector takes at once."),
    setting(
        "collection.rate",
        Number,
        Is("6500"),
        "The most rows a second that the collector of each server looks at.",
    ),
    setting(
        "collection.byte_rate",
        Size,
        Is("4GiB"),
        "The most bytes a second that the collector of each server removes from the storage.",
    ),
    setting("audit.retention", Span, Is("730d"), "How long changes stay in the audit log."),
    setting("audit.access_retention", Span, Is("90d"), "How long pulls, logins and refusals stay in the audit log."),
    setting(
        "audit.buffer",
        Number,
        Is("20000"),
        "How many different pulls, logins and refusals wait in memory to be written, every few seconds or when the database is \
         back. What does not fit is dropped, counted, and the count is a line of the log.",
    ),
    setting("sweep.interval", Span, Is("1h"), "How often abandoned uploads and objects without a row are looked for."),
    setting(
        "sweep.grace",
        Span,
        Is("1d"),
        "An object is written before the row that points at it: one that is younger is left alone. Longer than any push takes.",
    ),
    setting(
        "backup.kind",
        Choice(&["local", "s3", "gcs", "azure"]),
        Is("local"),
        "Where `wharf backup` lets this server write to: a folder, or a bucket of S3 (or what speaks like it), Google Cloud Storage or \
         Azure. The store must keep to the conditions of writes (If-Match, If-None-Match); that is tried out at the start. Damaged \
         blobs are taken again from there.",
    ),
    setting(
        "backup.path",
        Path,
        Unset("/var/backups/wharf"),
        "The folder. Servers that share a database need it in the same place. Without it or a bucket a running server makes no backups.",
    ),
    setting(
        "backup.bucket",
        Text,
        Unset("wharf-backups"),
        "The bucket, or on Azure the container. It has to exist. Give it a rule that aborts incomplete uploads after 8 days.",
    ),
    setting("backup.prefix", Text, Unset("registry"), "In front of every name in the bucket."),
    setting(
        "backup.endpoint",
        Url,
        Unset("https://s3.example.com"),
        "URL of the object store, where it is not Amazon's, Google's or Microsoft's own.",
    ),
    setting("backup.region", Text, Unset("eu-central-1"), "S3: the region of the bucket."),
    setting(
        "backup.path_style",
        Switch,
        Found("true", "with an endpoint true, otherwise false"),
        "S3: whether the bucket is in the path of URLs and not in their host.",
    ),
    secret(
        "backup.access_key",
        Unset("access key"),
        "The access key, or on Azure the name of the storage account. Without one it is as with the storage's.",
    ),
    secret(
        "backup.secret_key",
        Unset("a long secret"),
        "Its secret; on Azure the account's key; on Google Cloud the JSON key of a service account.",
    ),
    setting("backup.ca", Path, Unset("/etc/wharf/backup-ca.crt"), "Certificates (PEM) trusted beside the system's."),
    setting("backup.allow_http", Switch, Is("false"), "Whether the endpoint may be http://, without TLS."),
    setting("backup.connect_timeout", Span, Is("5s"), "How long to wait for a connection to the object store."),
    setting(
        "backup.request_timeout",
        Span,
        Is("60s"),
        "How long to wait for an answer of the object store, or for its next bytes.",
    ),
    setting("backup.retries", Number, Is("20"), "How often a request to the object store is tried again."),
    setting("backup.retry_for", Span, Is("10s"), "No further try after so long."),
    setting(
        "backup.part_size",
        Size,
        Is("16MiB"),
        "Bytes in a part of an upload, from 5MiB to 256MiB. A blob has at most 10000 parts; a backup holds up to eight at once.",
    ),
    setting(
        "scrub.rate",
        Size,
        Is("16MiB"),
        "How many bytes a second are read to find damage before a client does. 0 reads nothing.",
    ),
    setting("scrub.interval", Span, Is("30d"), "How often everything is read: from one beginning to the next."),
    setting(
        "push.accept_sparse_images",
        Switch,
        Is("false"),
        "Whether an image may be pushed whose layers or configuration are not here. An index may always name images that are not.",
    ),
    setting(
        "publish.delay",
        Span,
        Is("200ms"),
        "How long a burst of uploads may delay the package index that lists them.",
    ),
    setting(
        "publish.key",
        Choice(&["ed25519", "rsa4096"]),
        Is("ed25519"),
        "What kind of OpenPGP key a new repository gets to sign its index: rsa4096 is for clients of before 2015.",
    ),
    setting("jobs.workers", Number, Is("2"), "How many background jobs run at once."),
    setting(
        "jobs.attempts",
        Number,
        Is("12"),
        "How often a background job is tried before it is given up and shown as dead.",
    ),
    setting(
        "jobs.lease",
        Span,
        Is("60s"),
        "How long a job is held without a sign of life before another worker takes it over.",
    ),
    setting(
        "jobs.publish_lease",
        Span,
        Is("10s"),
        "The same for the publication of an index: who waits for one does not wait much longer where a server was killed.",
    ),
    setting("jobs.poll", Span, Is("2s"), "How often an idle worker looks for jobs that other servers have asked for."),
    setting("log.format", Choice(&["text", "json"]), Is("text"), "How log lines look."),
    setting(
        "log.access",
        Choice(&["all", "failures"]),
        Is("all"),
        "Which requests are logged: all but health checks, or those that failed through the server's fault.",
    ),
    setting(
        "log.filter",
        Text,
        Is("info,tokio_postgres=warn"),
        "Which log lines are written: a level, or directives such as `info,wharf_db=debug`. Its variable is WHARF_LOG.",
    ),
];

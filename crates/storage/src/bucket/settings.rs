//! What a bucket needs to be reached, and the client made of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use super::failure::OpenError;
use super::{Door, Doors};

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Whose protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Amazon S3 and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// How to reach a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The section of the settings that this is, for errors that name one.
    pub section: &'static str,
    /// Whose protocol.
    pub kind: Kind,
    /// Bucket, or container.
    pub bucket: String,
    /// In front of every name, without slashes at its ends. Empty for none.
    pub prefix: String,
    /// URL of the service, where it is not the provider's own.
    pub endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: Option<String>,
    /// Whether the bucket is in the path of a URL and not in its host.
    pub path_style: bool,
    /// Access key, or name of the storage account.
    pub access_key: Option<String>,
    /// Its secret, or the key of a service account as JSON.
    pub secret_key: Option<Secret>,
    /// What the environment says in the provider's own names (`AWS_…`): used where the fields above say nothing.
    pub ambient: Vec<(String, Secret)>,
    /// Certificates (PEM) trusted beside the system's.
    pub certificates: Option<String>,
    /// Whether the endpoint may be without TLS.
    pub allow_http: bool,
    /// Whether clients are sent to the bucket with a signed URL.
    pub redirect: bool,
    /// The URL of the service as clients see it, for signed URLs.
    pub public_endpoint: Option<String>,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, or for the next bytes of one.
    pub request_timeout: Duration,
    /// How often a request is tried again. The waits in between grow by 50 ms on the average: twenty tries take ten seconds.
    pub retries: usize,
    /// No further try after so long.
    pub retry_for: Duration,
    /// Bytes in a part of a multipart upload, all but the last.
    pub part_size: u32,
    /// Bytes of all uploads that are held at once, on their way to the bucket.
    pub upload_memory: u64,
}

impl Config {
    /// The smallest part that the providers take.
    pub const SMALLEST_PART: u32 = 5 * 1024 * 1024;
    /// The largest part that one wants to hold in memory.
    pub const LARGEST_PART: u32 = 256 * 1024 * 1024;

    /// A bucket with everything else as it is when nothing is said.
    pub fn new(kind: Kind, bucket: impl Into<String>) -> Self {
        Self {
            section: "storage",
            kind,
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: false,
            access_key: None,
            secret_key: None,
            ambient: Vec::new(),
            certificates: None,
            allow_http: false,
            redirect: false,
            public_endpoint: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            retries: 20,
            retry_for: Duration::from_secs(10),
            part_size: Self::SMALLEST_PART,
            upload_memory: 192 * 1024 * 1024,
        }
    }

    /// Whether requests go out without TLS.
    fn is_plain(&self) -> bool {
        [&self.endpoint, &self.public_endpoint].into_iter().flatten().any(|url| url.starts_with("http://"))
    }

    fn client(&self) -> Result<ClientOptions, OpenError> {
        // No time for a whole answer: a layer takes as long as its reader does.
        let mut options = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(self.connect_timeout)
            .with_read_timeout(self.request_timeout)
            .with_default_content_type("application/octet-stream")
            .with_user_agent(http::HeaderValue::from_static(concat!("wharf/", env!("CARGO_PKG_VERSION"))))
            .with_allow_http(self.allow_http);
        if let Some(pem) = &self.certificates {
            let invalid = |_| OpenError::setting(self.section, "ca", "is not a file of certificates (PEM)");
            for certificate in Certificate::from_pem_bundle(pem.as_bytes()).map_err(invalid)? {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    fn retry(&self) -> RetryConfig {
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(3), base: 2.0 };
        RetryConfig { backoff, max_retries: self.retries, retry_timeout: self.retry_for }
    }

    /// The client, and the one that signs URLs.
    pub(crate) fn connect(&self) -> Result<Doors, OpenError> {
        self.check()?;
        let store = self.build(self.endpoint.as_deref())?;
        let signer: Option<Arc<dyn Door>> = match (&self.public_endpoint, self.redirect) {
            (_, false) => None,
            (None, true) => Some(Arc::clone(&store)),
            (Some(public), true) => Some(self.build(Some(public))?),
        };
        Ok(Doors { store, signer })
    }

    fn check(&self) -> Result<(), OpenError> {
        let wrong = |setting, problem| Err(OpenError::setting(self.section, setting, problem));
        if self.bucket.is_empty() {
            return wrong("bucket", "is not set");
        }
        if self.is_plain() && !self.allow_http {
            return wrong("allow_http", "is not on, but the endpoint is http:// and so without TLS");
        }
        if !(Self::SMALLEST_PART..=Self::LARGEST_PART).contains(&self.part_size) {
            return wrong("part_size", "is not between 5MiB and 256MiB");
        }
        if self.redirect && self.kind == Kind::Gcs && !self.is_google() {
            return wrong("redirect", "works with https://storage.googleapis.com only");
        }
        Ok(())
    }

    /// Whether requests and signed URLs go to Google itself: the library signs for that host whatever the endpoint is, and
    /// elsewhere such a signature is worth nothing.
    fn is_google(&self) -> bool {
        let google = |url: &String| url.trim_end_matches('/') == "https://storage.googleapis.com";
        [&self.endpoint, &self.public_endpoint].into_iter().flatten().all(google)
    }

    fn build(&self, endpoint: Option<&str>) -> Result<Arc<dyn Door>, OpenError> {
        match self.kind {
            Kind::S3 => self.s3(endpoint),
            Kind::Gcs => self.gcs(endpoint),
            Kind::Azure => self.azure(endpoint),
        }
    }

    fn has_key(&self) -> bool {
        self.secret_key.is_some() && (self.kind != Kind::S3 || self.access_key.is_some())
    }

    /// What the environment says, by names that the provider's own programs read. Beside a key that the settings name, the
    /// `credentials` in the environment are another's: half of each would be refused.
    fn ambient<K: std::str::FromStr + PartialEq>(&self, credentials: &[K]) -> impl Iterator<Item = (K, &str)> {
        self.ambient
            .iter()
            .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.0.as_str())))
            .filter(|(key, _)| !self.has_key() || !credentials.contains(key))
    }

    fn s3(&self, endpoint: Option<&str>) -> Result<Arc<dyn Door>, OpenError> {
        let said: AmazonS3Builder = self
            .ambient(&[AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::Token])
            .fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
        let mut builder = said
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_client_options(self.client()?)
            .with_allow_http(self.allow_http)
            .with_retry(self.retry());
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(self.bucket_endpoint(endpoint)?);
        }
        if let (Some(key), Some(secret)) = (&self.access_key, &self.secret_key) {
            builder = builder.with_access_key_id(key).with_secret_access_key(&secret.0);
        }
        Ok(Arc::new(builder.build().map_err(|error| OpenError::configured(&error))?))
    }

    /// With the bucket in the host the library wants the host with the bucket.
    fn bucket_endpoint(&self, endpoint: &str) -> Result<String, OpenError> {
        let endpoint = endpoint.trim_end_matches('/');
        if self.path_style {
            return Ok(endpoint.to_owned());
        }
        match endpoint.split_once("://") {
            Some((scheme, host)) => Ok(format!("{scheme}://{}.{host}", self.bucket)),
            None => Err(OpenError::setting(self.section, "endpoint", "is not a URL")),
        }
    }

    fn gcs(&self, endpoint: Option<&str>) -> Result<Arc<dyn Door>, OpenError> {
        let said: GoogleCloudStorageBuilder = self
            .ambient(&[
                GoogleConfigKey::ServiceAccount,
                GoogleConfigKey::ServiceAccountKey,
                GoogleConfigKey::ApplicationCredentials,
            ])
            .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
        let mut builder =
            said.with_bucket_name(&self.bucket).with_client_options(self.client()?).with_retry(self.retry());
        if let Some(endpoint) = endpoint {
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        if let Some(key) = &self.secret_key {
            builder = builder.with_service_account_key(&key.0);
        }
        Ok(Arc::new(builder.build().map_err(|error| OpenError::configured(&error))?))
    }

    fn azure(&self, endpoint: Option<&str>) -> Result<Arc<dyn Door>, OpenError> {
        let said: MicrosoftAzureBuilder = self
            .ambient(&[AzureConfigKey::AccessKey, AzureConfigKey::SasKey, AzureConfigKey::Token])
            .fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
        let mut builder = said
            .with_container_name(&self.bucket)
            .with_client_options(self.client()?)
            .with_allow_http(self.allow_http)
            .with_retry(self.retry());
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        if let Some(account) = &self.access_key {
            builder = builder.with_account(account);
        }
        if let Some(key) = &self.secret_key {
            builder = builder.with_access_key(&key.0);
        }
        Ok(Arc::new(builder.build().map_err(|error| OpenError::configured(&error))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn google() -> Config {
        let key = r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
        Config { secret_key: Some(Secret(key.to_owned())), ..Config::new(Kind::Gcs, "blobs") }
    }

    #[test]
    fn a_key_in_the_settings_is_not_mixed_with_one_in_the_environment() {
        let ambient = |name: &str| vec![(name.to_owned(), Secret("another".to_owned()))];
        let google = Config { ambient: ambient("GOOGLE_SERVICE_ACCOUNT"), ..google() };
        assert!(google.connect().is_ok());
        let mut amazon = Config { ambient: ambient("AWS_SESSION_TOKEN"), ..Config::new(Kind::S3, "blobs") };
        let token = |config: &Config| config.ambient(&[AmazonS3ConfigKey::Token]).count();
        assert_eq!(token(&amazon), 1);
        (amazon.access_key, amazon.secret_key) = (Some("key".to_owned()), Some(Secret("secret".to_owned())));
        assert_eq!(token(&amazon), 0);
    }

    #[test]
    fn what_google_signs_is_good_at_its_own_host_only() {
        let redirecting = |endpoint: Option<&str>| {
            let endpoint = endpoint.map(str::to_owned);
            Config { redirect: true, endpoint, ..google() }.connect().map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(redirecting(None), Ok(()));
        assert_eq!(redirecting(Some("https://storage.googleapis.com/")), Ok(()));
        let refused = redirecting(Some("https://storage.example.com")).unwrap_err();
        assert!(refused.starts_with("storage.redirect "), "{refused}");
    }
}

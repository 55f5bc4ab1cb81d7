//! Taking a package in. Order of writes: bytes, made durable and inspected, then in one transaction the blob's row, the link,
//! the package's row and the order for a new index. What is refused leaves nothing behind, not even a new repository.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::io::{StreamReader, SyncIoBridge};
use wharf_db::catalog::placements::{self, Place};
use wharf_db::catalog::{audit, blobs, events, packages, snapshots};
use wharf_db::{Durability, Tx};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::{Algorithm, Timestamp};

use super::{Added, Arrival, Pointed, drop_package, still_points};
use crate::actor::about;
use crate::artifact::{Companion, Twin, attach, put_twin};
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::room::interrupted;
use crate::upload::{Session, to_the_end};
use crate::{Actor, Contents, Core, Error, Format, GoesWith, Result, Verdict};

/// Most bytes of a path; index rows of PostgreSQL end at 2704.
const LONGEST_PATH: usize = 1024;
/// Most bytes of a name, a version, an architecture and a channel.
const LONGEST_NAME: usize = 255;

/// How many packages are inspected at once: that is work for a processor, and memory to unpack into.
pub(crate) struct Inspections(Semaphore);

impl Default for Inspections {
    fn default() -> Self {
        Self(Semaphore::new(std::thread::available_parallelism().map_or(2, |n| n.get().max(2))))
    }
}

impl Inspections {
    /// Never closed, so there is always a turn to come.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.acquire().await.ok()
    }
}

/// A package that was read.
pub(crate) struct Adding<'a> {
    pub(crate) target: &'a Target,
    pub(crate) arrival: Arrival,
    pub(crate) actor: &'a Actor,
    /// For what follows a tag: nothing is done unless it points there.
    pub(crate) still: Option<Pointed>,
}

/// What else is written with a package.
enum Form {
    None,
    /// Its manifest and tag.
    Package(Box<Twin>),
    /// It is a layer of the manifest of another.
    Companion(Box<Companion>),
}

struct Add {
    target: Target,
    repository: i64,
    blob: blobs::Blob,
    package: packages::NewPackage,
    fragments: BTreeMap<String, Vec<u8>>,
    place: Option<Place>,
    /// What must be here with it.
    goes_with: Option<GoesWith>,
    replaces: bool,
    companions: Vec<String>,
    form: Form,
    still: Option<Pointed>,
    /// Whom the project trusts with it.
    signer: Option<String>,
    actor: Actor,
    review_due: Timestamp,
    publish_delay: std::time::Duration,
}

impl Core {
    /// Takes a package in: stores it, has its format inspect it, writes it down and asks for a new index.
    ///
    /// # Errors
    /// [`Error::PackageInvalid`], [`Error::PackageExists`] if the path holds other content.
    pub async fn add_package(
        &self,
        target: &Target,
        arrival: Arrival,
        body: ByteStream,
        actor: &Actor,
    ) -> Result<Added> {
        let format = self.format_of(target)?;
        let (core, target, actor) = (self.clone(), target.clone(), actor.clone());
        to_the_end(async move { core.take_body(&target, format, arrival, body, &actor).await }).await
    }

    async fn take_body(
        &self,
        target: &Target,
        format: Arc<dyn Format>,
        arrival: Arrival,
        body: ByteStream,
        actor: &Actor,
    ) -> Result<Added> {
        // No row will ever name this session, so it needs neither an id nor a repository.
        let mut session = Session::new(String::new(), 0, Hashing::new(&[Algorithm::Sha256]));
        self.require_room().await?;
        let taken = session.take(&self.inner, self.while_there_is_room(body)).await?;
        let object = session.unfinished();
        let outcome = match taken {
            Some(error) => Err(interrupted(error)),
            None => self.take_in(target, format, arrival, session, actor).await,
        };
        // An answer from the database that never came may hide a commit: then the object must stay.
        let known = matches!(&outcome, Ok((_, true)) | Err(Error::Db(_)));
        if let (false, Some((key, progress))) = (known, object) {
            self.remove_object(key, &progress).await?;
        }
        let (added, _) = outcome?;
        self.inner.work.notify_one();
        Ok(added)
    }

    /// With the flag whether the catalog points at the new bytes.
    async fn take_in(
        &self,
        target: &Target,
        format: Arc<dyn Format>,
        arrival: Arrival,
        session: Session,
        actor: &Actor,
    ) -> Result<(Added, bool)> {
        let digest = session.digest(&self.inner, Algorithm::Sha256).await?;
        if let Some((key, progress)) = session.unfinished() {
            self.inner.storage.seal(&key, &progress).await?;
        }
        let blob = session.into_blob(digest, self.inner.storage.name());
        let contents = self.inspect(format, &blob, arrival.clone()).await?;
        self.write_package(Adding { target, arrival, actor, still: None }, blob, contents).await
    }

    /// Writes down what was inspected. With the flag whether the catalog points at these very bytes.
    pub(crate) async fn write_package(
        &self,
        adding: Adding<'_>,
        blob: blobs::Blob,
        contents: Contents,
    ) -> Result<(Added, bool)> {
        let Adding { target, arrival: Arrival { channel, replaces, .. }, actor, still } = adding;
        check(&contents, &channel)?;
        let signer = self.signer_of(target, &contents).await?;
        let digest = blob.digest;
        let companions = self.format_of(target)?.companions(&contents.path);
        let repository = self.ensure_repository(target, actor).await?;
        let form = match still {
            None => self.form_of(target, &contents, &blob, replaces, actor).await?,
            Some(_) => Form::None,
        };
        let at = self.inner.clock.now();
        let place = contents.part.map(|part| {
            let position = super::position(contents.sorts_as.as_deref(), &digest, at);
            Place { channel, part, position }
        });
        let (fragments, goes_with) = (contents.fragments, contents.goes_with);
        let package = packages::NewPackage {
            path: contents.path,
            name: contents.name,
            version: contents.version,
            architecture: contents.architecture,
            digest,
            size: blob.size,
            sorts_as: contents.sorts_as,
            created_at: at,
        };
        let (target, actor) = (target.clone(), actor.clone());
        let (publish_delay, review_due) = (self.inner.config.publish_delay, at.after(self.inner.config.review_delay));
        let args = Add {
            target,
            repository,
            blob,
            package,
            fragments,
            place,
            goes_with,
            replaces,
            companions,
            form,
            still,
            signer,
            actor,
            review_due,
            publish_delay,
        };
        self.inner.db.write(Durability::Full, args, |tx, a| Box::pin(add(tx, a))).await
    }

    /// Holds a clear-signed file against the project's keyring, if it has one. Who signed it, if that is known.
    async fn signer_of(&self, target: &Target, contents: &Contents) -> Result<Option<String>> {
        let signed = contents.goes_with.as_ref().and_then(|with| with.clear_signed.as_ref());
        let Some((message, text)) = signed else { return Ok(None) };
        let refused =
            |why: String| Err(Error::PackageInvalid(format!("the project's keyring does not vouch for it: {why}")));
        match self.verify_clear_signed(target.name.project(), message).await {
            Ok((Verdict::NoKeyring, _)) | Err(Error::ProjectUnknown(_)) => Ok(None),
            Ok((Verdict::Bad(why), _)) => refused(why.to_string()),
            // What was read is what was signed, and not something before or behind it.
            Ok((Verdict::Good(signer), Some(signed))) if same_lines(&signed, text) => Ok(Some(signer.fingerprint)),
            Ok((Verdict::Good(_), _)) => refused("it has more text than what is signed".to_owned()),
            Err(error) => Err(error),
        }
    }

    /// What the package is to become as an artifact.
    async fn form_of(
        &self,
        target: &Target,
        contents: &Contents,
        blob: &blobs::Blob,
        replaces: bool,
        actor: &Actor,
    ) -> Result<Form> {
        let Some(shown) = self.inner.rules.doors().shown_by(target.format.as_str()) else { return Ok(Form::None) };
        if contents.part.is_some() {
            let of = (blob.digest, blob.size);
            let twin = self.twin(shown, target, contents, of, replaces, actor).await?;
            return Ok(twin.map_or(Form::None, |twin| Form::Package(Box::new(twin))));
        }
        let Some(of) = shown.twin_of(target, &contents.name, &contents.version) else { return Ok(Form::None) };
        let (media_type, _) = shown.form.companion();
        let (actor, rules, at) = (actor.clone(), self.inner.rules.clone(), self.inner.clock.now());
        let due = at.after(self.inner.config.review_delay);
        Ok(Form::Companion(Box::new(Companion { of, media_type, actor, rules, at, due })))
    }

    pub(crate) async fn inspect(
        &self,
        format: Arc<dyn Format>,
        blob: &blobs::Blob,
        arrival: Arrival,
    ) -> Result<Contents> {
        let turn = self.inner.inspections.turn().await;
        let content = self.open_content(&blob.digest, blob.size, &blob.place, 0..blob.size).await?;
        let mut file = Watched { inner: SyncIoBridge::new(StreamReader::new(content)), failure: None };
        let inspected = tokio::task::spawn_blocking(move || {
            let contents = format.inspect(&mut file, &arrival);
            (contents, file.failure)
        });
        let inspected = inspected.await;
        drop(turn);
        match inspected {
            Ok((_, Some(failure))) => Err(wharf_storage::Error::Unavailable(failure).into()),
            Ok((contents, None)) => contents.map_err(|refused| Error::PackageInvalid(refused.0)),
            Err(error) => {
                tracing::error!(%error, blob.digest = %blob.digest, "a package could not be inspected");
                Err(Error::PackageInvalid("the package cannot be read".into()))
            }
        }
    }
}

/// Signing leaves ends of lines and blanks before them open.
fn same_lines(one: &str, other: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines(one) == lines(other)
}

/// Remembers that it was the storage that failed, so that the package is not blamed for it.
struct Watched<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|failure| {
            let told = io::Error::new(failure.kind(), failure.to_string());
            self.failure = Some(failure);
            told
        })
    }
}

/// What a package says of itself goes into rows and their indexes, into URLs and onto mirrors' file systems.
fn check(contents: &Contents, channel: &str) -> Result<()> {
    let Contents { name, version, architecture, path, part, sorts_as, .. } = contents;
    let (part, sorts_as) = (part.as_deref().unwrap_or_default(), sorts_as.as_deref().unwrap_or_default());
    let refused = |why: String| Err(Error::PackageInvalid(why));
    let shown = |text: &str| text.chars().take(100).collect::<String>();
    for (what, text) in [
        ("name", name.as_str()),
        ("version", version),
        ("architecture", architecture),
        ("channel", channel),
        ("part", part),
        ("order", sorts_as),
    ] {
        if text.len() > LONGEST_NAME || text.contains(char::is_control) {
            return refused(format!("its {what} would be {:?}", shown(text)));
        }
    }
    if name.is_empty() || version.is_empty() {
        return refused("it has no name or no version".to_owned());
    }
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
    if path.len() > LONGEST_PATH || path.contains(char::is_control) || !path.split('/').all(plain) {
        return refused(format!("its path would be {:?}", shown(path)));
    }
    Ok(())
}

async fn add(tx: &mut Tx<'_>, add: &Add) -> Result<(Added, bool)> {
    let Add { target, repository, blob, package, .. } = add;
    let added = |new| Added { path: package.path.clone(), digest: package.digest, new };
    if !still_points(tx, add.still.as_ref()).await? {
        return Ok((added(false), false));
    }
    require_company(tx, add).await?;
    let there = packages::find(tx, *repository, &package.path).await?;
    if let Some(there) = there.as_ref().filter(|there| there.package.digest != package.digest) {
        replace(tx, add, there).await?;
    } else if let Some(there) = there {
        // The same bytes for another list, or back from where only snapshots listed them.
        packages::mark_removed(tx, there.id, None).await?;
        let new = list(tx, add, there.id).await?;
        let ours = blobs::find(tx, &blob.digest).await?.is_some_and(|found| found.place == blob.place);
        return Ok((added(new), ours));
    }
    let at = package.created_at;
    let fresh = blobs::insert(tx, blob, at).await?;
    blobs::link(tx, *repository, &blob.digest, at).await?;
    let id = packages::insert(tx, *repository, package).await?;
    let id = id.ok_or_else(|| Error::PackageExists { path: package.path.clone() })?;
    for (kind, content) in &add.fragments {
        packages::insert_fragment(tx, id, kind, content).await?;
    }
    list(tx, add, id).await?;
    match &add.form {
        Form::None => {}
        Form::Package(twin) => put_twin(tx, twin, package).await?,
        Form::Companion(companion) => attach(tx, companion, Some((package.digest, package.size))).await?,
    }
    let mut entry = add.actor.did("package.add", &target.name, at);
    entry.detail = add.signer.as_ref().map(|signer| format!("signed by {signer}"));
    audit::append(tx, &about(entry, Some(package.path.clone()), Some(package.digest))).await?;
    let payload = serde_json::json!({
        "format": target.format, "repository": target.name.canonical(), "path": package.path, "digest": package.digest,
    });
    events::append(tx, at, "package.added", &payload.to_string()).await?;
    Ok((added(true), fresh))
}

/// A file that speaks of a package is taken beside this package only.
async fn require_company(tx: &mut Tx<'_>, add: &Add) -> Result<()> {
    let Some(GoesWith { path, digest, .. }) = &add.goes_with else { return Ok(()) };
    match packages::find(tx, add.repository, path).await? {
        Some(there) if there.package.digest == *digest => Ok(()),
        Some(there) => {
            let here = there.package.digest;
            Err(Error::PackageInvalid(format!("it speaks of {path} with {digest}; here it is {here}")))
        }
        None => Err(Error::PackageInvalid(format!("it speaks of {path}, which is not here: upload that first"))),
    }
}

/// Other content makes way, if it was asked to: what spoke of it goes too.
async fn replace(tx: &mut Tx<'_>, add: &Add, old: &packages::Package) -> Result<()> {
    let Add { target, repository, package, replaces, companions, publish_delay, .. } = add;
    let when = (package.created_at, add.review_due);
    // What a snapshot lists is found at its path, with the content that it names.
    if !replaces || snapshots::hold(tx, old.id).await? {
        return Err(Error::PackageExists { path: package.path.clone() });
    }
    let mut channels = drop_package(tx, *repository, old, when).await?;
    for companion in companions {
        if let Some(companion) = packages::find(tx, *repository, companion).await? {
            channels.append(&mut drop_package(tx, *repository, &companion, when).await?);
        }
    }
    for channel in &channels {
        ask_for_index(tx, target, (*repository, channel), *publish_delay, package.created_at).await?;
    }
    let mut entry = about(
        add.actor.did("package.replace", &target.name, package.created_at),
        Some(package.path.clone()),
        Some(old.package.digest),
    );
    entry.detail = Some(format!("by {}", package.digest));
    Ok(audit::append(tx, &entry).await?)
}

/// Puts a package into its list and asks for the index. False if it stands there already.
async fn list(tx: &mut Tx<'_>, add: &Add, id: i64) -> Result<bool> {
    let Add { target, repository, package, place, publish_delay, .. } = add;
    let Some(place) = place else { return Ok(false) };
    if !placements::insert(tx, *repository, id, place).await? {
        return Ok(false);
    }
    ask_for_index(tx, target, (*repository, &place.channel), *publish_delay, package.created_at).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(path: &str) -> Contents {
        Contents { name: "a".into(), version: "1".into(), path: path.into(), ..Contents::default() }
    }

    #[test]
    fn a_path_that_is_no_plain_path_is_refused() {
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\nb", "a\0", &"a".repeat(LONGEST_PATH + 1)] {
            assert!(check(&contents(path), "").is_err(), "{path:?}");
        }
        assert!(check(&contents("pool/a/a+b_1~2^3.txt"), "stable").is_ok());
    }

    #[test]
    fn a_storage_that_fails_is_told_from_a_bad_package() {
        struct Away;
        impl Read for Away {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the storage is away"))
            }
        }
        let mut file = Watched { inner: b"whole".chain(Away), failure: None };
        let mut part = [0; 5];
        assert!(file.read_exact(&mut part).is_ok() && file.failure.is_none());
        assert!(file.read(&mut part).is_err());
        assert_eq!(file.failure.map(|failure| failure.to_string()).as_deref(), Some("the storage is away"));
    }

    #[test]
    fn what_no_row_can_hold_is_refused() {
        let long = "a".repeat(LONGEST_NAME + 1);
        for text in ["a\0", "a\nb", &long] {
            assert!(check(&Contents { name: text.to_owned(), ..contents("a") }, "").is_err());
            assert!(check(&Contents { version: text.to_owned(), ..contents("a") }, "").is_err());
            assert!(check(&Contents { architecture: text.to_owned(), ..contents("a") }, "").is_err());
            assert!(check(&contents("a"), text).is_err());
        }
        assert!(check(&Contents { version: String::new(), ..contents("a") }, "").is_err());
    }
}

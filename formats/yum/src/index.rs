//! The metadata of a repository: put together from what was rendered of each package when it came, in pieces that generations share.
//!
//! A list's first line says how many packages it has and is a piece of its own, so a package more renders and compresses no other
//! piece than the one it stands in. Only the hashes of the whole files are new each time.

mod repomd;
mod signatures;

use wharf_core::encode::Encoding;
use wharf_core::{IndexError, IndexFile, ListPlan, Package, Piece, Publication, Reissue};

use crate::extra::{self, Extra};
use crate::package::{FILELISTS, OTHER, PRIMARY, filled};
use repomd::Record;
pub(crate) use signatures::Signatures;

/// What clients read first. It names the files that are compressed with gzip: every client there is reads those.
pub(crate) const REPOMD: &str = "repomd.xml";
/// Its signature.
pub(crate) const REPOMD_ASC: &str = "repomd.xml.asc";
/// The same for the files that are compressed with Zstandard, which clients before RHEL 8.4 and zypper 1.14 do not read.
pub(crate) const REPOMD_ZSTD: &str = "zstd/repomd.xml";
/// Its signature.
pub(crate) const REPOMD_ZSTD_ASC: &str = "zstd/repomd.xml.asc";

/// The signatures of these and of those before them.
pub(crate) const SIGNATURES: &str = "signatures";
/// The media type of a signature.
pub(crate) const SIGNATURE: &str = "application/pgp-signature";

const XML: &str = "application/xml";
const ENCODINGS: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

/// A list of packages: its name, the root element, and the rest of the root's begin.
const LISTS: [(&str, &str, &str); 3] = [
    (
        PRIMARY,
        "metadata",
        "xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"",
    ),
    (FILELISTS, "filelists", "xmlns=\"http://linux.duke.edu/metadata/filelists\""),
    (OTHER, "otherdata", "xmlns=\"http://linux.duke.edu/metadata/other\""),
];

/// Puts the metadata together.
pub(crate) async fn publish(publication: &mut Publication, piece_bytes: usize) -> Result<(), IndexError> {
    let mut records: [Vec<Record>; ENCODINGS.len()] = Default::default();
    for (kind, root, names) in LISTS {
        let plan = ListPlan { part: "", kind, piece_bytes, encodings: &ENCODINGS };
        let mut render = |package: &Package, fragment: &[u8], out: &mut Vec<u8>| {
            filled(package, fragment, out);
            Ok(())
        };
        let pieces = publication.list(&plan, &mut render).await?;
        let count: u64 = pieces.iter().map(|piece| piece.entries).sum();
        let begin = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} {names} packages=\"{count}\">\n");
        let list = List { name: format!("{kind}.xml"), media_type: XML, begin, end: format!("</{root}>\n"), pieces };
        list.add(publication, kind, &mut records).await?;
    }
    for extra in Extra::ALL {
        extras(publication, extra, piece_bytes, &mut records).await?;
    }
    let at = publication.now();
    let signed = Signatures::of(publication.current_content(SIGNATURES).await?);
    sign(publication, records.map(|records| repomd::render(&records, at)), signed).await
}

/// Says earlier metadata anew: with the time and the signatures of now. yum keeps what it has where what it finds is older.
pub(crate) async fn reissue(publication: &mut Publication, why: Reissue) -> Result<(), IndexError> {
    let earlier = (publication.current_content(REPOMD).await?, publication.current_content(REPOMD_ZSTD).await?);
    let (Some(gzip), Some(zstd)) = earlier else {
        publication.keep_current();
        return Ok(());
    };
    if why == Reissue::Due && !publication.keys_have_changed().await? {
        publication.keep_current();
        return Ok(());
    }
    let at = publication.now();
    // Who has begun with what is seen until now still finds its signature.
    let mut signed = Signatures::of(publication.current_content(SIGNATURES).await?);
    signed.extend(Signatures::of(publication.seen_content(SIGNATURES).await?));
    sign(publication, [gzip, zstd].map(|text| repomd::dated(&String::from_utf8_lossy(&text), at)), signed).await
}

/// Adds both forms of repomd.xml, signed.
async fn sign(
    publication: &mut Publication,
    texts: [String; ENCODINGS.len()],
    mut signed: Signatures,
) -> Result<(), IndexError> {
    for (text, (path, beside)) in texts.into_iter().zip([(REPOMD, REPOMD_ASC), (REPOMD_ZSTD, REPOMD_ZSTD_ASC)]) {
        let signature = publication.sign_detached(text.as_bytes()).await?;
        let file = publication.add_whole(path, XML, text.into()).await?;
        signed.add(&file.digest, &signature);
        publication.add_whole(beside, SIGNATURE, signature.into()).await?;
    }
    publication.add_whole(SIGNATURES, "text/plain", signed.render().into()).await?;
    Ok(())
}

/// Advisories, groups and modules are named only where there are some.
async fn extras(
    publication: &mut Publication,
    extra: Extra,
    piece_bytes: usize,
    records: &mut [Vec<Record>; ENCODINGS.len()],
) -> Result<(), IndexError> {
    let plan = ListPlan { part: extra.part(), kind: extra::KIND, piece_bytes, encodings: &ENCODINGS };
    let mut render = |_: &Package, fragment: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(fragment);
        Ok(())
    };
    let pieces = publication.list(&plan, &mut render).await?;
    if pieces.is_empty() {
        return Ok(());
    }
    let media_type = if extra == Extra::Module { "application/yaml" } else { XML };
    let (begin, end) = extra.frame();
    let (name, begin, end) = (extra.file().to_owned(), begin.to_owned(), end.to_owned());
    let list = List { name, media_type, begin, end, pieces };
    match extra {
        Extra::Advisory => list.add(publication, "updateinfo", records).await,
        Extra::Module => list.add(publication, "modules", records).await,
        // Groups are named unpacked too, for clients that look for nothing else.
        Extra::Groups => {
            let open = list.whole(publication).await?;
            let packed = list.packed(publication, Encoding::Gzip).await?;
            for records in records {
                records.push(Record::plain("group", open.clone()));
                records.push(Record::packed("group_gz", packed.clone(), &open));
            }
            Ok(())
        }
    }
}

/// A file of metadata in its parts.
struct List {
    name: String,
    media_type: &'static str,
    begin: String,
    end: String,
    pieces: Vec<Piece>,
}

impl List {
    /// Makes the file in all its forms, and names it in the records of each.
    async fn add(
        &self,
        publication: &mut Publication,
        kind: &'static str,
        records: &mut [Vec<Record>; ENCODINGS.len()],
    ) -> Result<(), IndexError> {
        let open = self.whole(publication).await?;
        for (records, encoding) in records.iter_mut().zip(ENCODINGS) {
            records.push(Record::packed(kind, self.packed(publication, encoding).await?, &open));
        }
        Ok(())
    }

    /// As it is when it is unpacked: repomd.xml says the hash of that too.
    async fn whole(&self, publication: &mut Publication) -> Result<IndexFile, IndexError> {
        let mut file = publication.begin(&self.name, self.media_type).await?;
        if !self.begin.is_empty() {
            file.push(self.begin.clone().into()).await?;
        }
        for piece in &self.pieces {
            file.take(&piece.raw).await?;
        }
        if !self.end.is_empty() {
            file.push(self.end.clone().into()).await?;
        }
        Ok(publication.finish(file).await?)
    }

    async fn packed(&self, publication: &mut Publication, encoding: Encoding) -> Result<IndexFile, IndexError> {
        // An empty text is a member or frame of nothing.
        let pack = |text: &str| match encoding.piece(text.as_bytes()) {
            Ok((bytes, _)) => Ok(bytes),
            Err(error) => Err(IndexError::Format(format!("{} was not compressed: {error}", self.name))),
        };
        let path = format!("{}.{}", self.name, encoding.extension());
        let mut file = publication.begin(&path, encoding.media_type()).await?;
        file.push(pack(&self.begin)?).await?;
        for piece in &self.pieces {
            let (segment, _) = piece
                .encoded(encoding)
                .ok_or_else(|| IndexError::Format(format!("a piece of {} has no {path}", self.name)))?;
            file.take(&segment).await?;
        }
        file.push(pack(&self.end)?).await?;
        Ok(publication.finish(file).await?)
    }
}

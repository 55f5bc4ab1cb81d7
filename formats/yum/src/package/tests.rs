//! Packages made here, and packages that somebody has damaged.

use std::collections::HashSet;

use proptest::prelude::*;
use rpm::{BuildConfig, CompressionType, Dependency, FileMode, FileOptions, PackageBuilder};
use wharf_core::Package;
use wharf_types::{Digest, Timestamp};

use super::*;

fn builder(name: &str) -> PackageBuilder {
    let mut builder = PackageBuilder::new(name, "1.0~rc1", "MIT", "x86_64", "A thing & <another>");
    builder
        .release("2.el9^git")
        .epoch(3)
        .description("It does\nthings.")
        .url("https://example.com/?a=1&b=2")
        .vendor("Vendor")
        .packager("Packer <packer@example.com>")
        .build_host("builder")
        .requires(Dependency::greater_eq("other", "1:2.0-1"))
        .requires(Dependency::any("/usr/bin/tool"))
        .requires(Dependency::script_pre("before"))
        .provides(Dependency::eq("capability(\"quoted\")", "1"))
        .recommends(Dependency::any("nice"))
        .add_changelog_entry("First <f@example.com> - 1-1", "- began", 1_600_000_000)
        .add_changelog_entry("Second <s@example.com> - 1-2", "- went on", 1_700_000_000);
    builder
        .with_file_contents("#!/bin/sh\n", FileOptions::new("/usr/bin/tool").mode(FileMode::regular(0o755)))
        .unwrap();
    builder.with_file_contents("x", FileOptions::new("/usr/share/thing/data")).unwrap();
    builder.with_dir_entry(FileOptions::dir("/var/lib/thing")).unwrap();
    builder
}

fn built(builder: &mut PackageBuilder) -> Vec<u8> {
    let mut bytes = Vec::new();
    builder.build().unwrap().write(&mut bytes).unwrap();
    bytes
}

fn package(compression: CompressionType) -> Vec<u8> {
    let mut builder = builder("thing");
    builder.using_config(BuildConfig::v4().compression(compression).source_date(1_700_000_000u32));
    built(&mut builder)
}

fn said(bytes: &[u8]) -> Result<Contents, InspectError> {
    inspect(&mut &*bytes)
}

/// What the metadata say of a package.
fn rendered(bytes: &[u8], kind: &str) -> String {
    let contents = said(bytes).unwrap();
    let package = Package {
        path: contents.path,
        name: contents.name,
        version: contents.version,
        architecture: contents.architecture,
        digest: Digest::sha256(bytes),
        size: bytes.len() as u64,
        created_at: Timestamp::from_millis(1_750_000_000_500),
    };
    let mut out = Vec::new();
    filled(&package, &contents.fragments[kind], &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_package_of_any_compression_and_version_says_what_it_is() {
    let mut v6 = builder("thing");
    v6.using_config(BuildConfig::v6());
    for bytes in [
        package(CompressionType::None),
        package(CompressionType::Gzip),
        package(CompressionType::Xz),
        package(CompressionType::Zstd),
        built(&mut v6),
    ] {
        let contents = said(&bytes).unwrap();
        assert_eq!(contents.path, "Packages/t/epoch-3/thing-1.0~rc1-2.el9^git.x86_64.rpm");
        assert_eq!((contents.version.as_str(), contents.architecture.as_str()), ("3:1.0~rc1-2.el9^git", "x86_64"));
        assert_eq!(contents.part.as_deref(), Some(""));
    }
}

#[test]
fn primary_says_of_a_package_what_clients_choose_it_by() {
    let bytes = package(CompressionType::Gzip);
    let text = rendered(&bytes, describe::PRIMARY);
    let digest = Digest::sha256(&bytes);
    for line in [
        "<package type=\"rpm\">",
        "  <name>thing</name>",
        "  <version epoch=\"3\" ver=\"1.0~rc1\" rel=\"2.el9^git\"/>",
        &format!("  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>", digest.hex()),
        "  <summary>A thing &amp; &lt;another&gt;</summary>",
        "  <description>It does",
        "  <url>https://example.com/?a=1&amp;b=2</url>",
        "  <time file=\"1750000000\" build=\"1700000000\"/>",
        "  <location href=\"Packages/t/epoch-3/thing-1.0~rc1-2.el9^git.x86_64.rpm\"/>",
        "    <rpm:license>MIT</rpm:license>",
        "    <rpm:vendor>Vendor</rpm:vendor>",
        "      <rpm:entry name=\"capability(&quot;quoted&quot;)\" flags=\"EQ\" epoch=\"0\" ver=\"1\"/>",
        "      <rpm:entry name=\"thing\" flags=\"EQ\" epoch=\"3\" ver=\"1.0~rc1\" rel=\"2.el9^git\"/>",
        "      <rpm:entry name=\"other\" flags=\"GE\" epoch=\"1\" ver=\"2.0\" rel=\"1\"/>",
        "      <rpm:entry name=\"before\" pre=\"1\"/>",
        "    <rpm:recommends>",
        "    <file>/usr/bin/tool</file>",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains(&format!("<size package=\"{}\"", bytes.len())), "{text}");
    for absent in ["rpmlib(", "<rpm:entry name=\"/usr/bin/tool\"/>", "/usr/share/thing"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    let header = read(&mut bytes.as_slice()).unwrap().header;
    assert!(text.contains(&format!("<rpm:header-range start=\"{}\" end=\"{}\"/>", header.start, header.end)), "{text}");
    assert_eq!(bytes[usize::try_from(header.start).unwrap()..][..4], [0x8e, 0xad, 0xe8, 1]);
}

#[test]
fn the_long_lists_say_files_and_changes() {
    let bytes = package(CompressionType::Gzip);
    let digest = Digest::sha256(&bytes);
    let begin = format!(
        "<package pkgid=\"{}\" name=\"thing\" arch=\"x86_64\">\n  <version epoch=\"3\" ver=\"1.0~rc1\" rel=\"2.el9^git\"/>\n",
        digest.hex()
    );
    assert_eq!(
        rendered(&bytes, describe::FILELISTS),
        format!(
            "{begin}  <file>/usr/bin/tool</file>\n  <file>/usr/share/thing/data</file>\n  \
             <file type=\"dir\">/var/lib/thing</file>\n</package>\n"
        )
    );
    let other = rendered(&bytes, describe::OTHER);
    assert!(other.starts_with(&begin), "{other}");
    assert!(
        other.contains("<changelog author=\"Second &lt;s@example.com&gt; - 1-2\" date=\"1700000000\">- went on<"),
        "{other}"
    );
}

#[test]
fn an_unsigned_package_names_no_signer() {
    assert_eq!(read(&mut package(CompressionType::Gzip).as_slice()).unwrap().signers(), []);
}

fn why(bytes: &[u8]) -> String {
    match said(bytes) {
        Ok(contents) => panic!("{} was taken", contents.path),
        Err(error) => error.0,
    }
}

#[test]
fn a_package_that_is_not_whole_is_refused_wherever_it_ends() {
    let bytes = package(CompressionType::Gzip);
    for end in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        let why = why(&bytes[..end]);
        assert!(
            ["shorter than the lead", "ends in its", "cut short"].iter().any(|known| why.contains(known)),
            "{end}: {why}"
        );
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(why(&longer).contains("damaged or was cut short"));
}

#[test]
fn a_package_whose_bytes_have_changed_is_refused() {
    let bytes = package(CompressionType::Gzip);
    let header = read(&mut bytes.as_slice()).unwrap().header;
    let at = |offset: u64| usize::try_from(offset).unwrap();
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert!(why(&flipped(at(header.end) - 40)).contains("SHA-256"));
    assert!(why(&flipped(at(header.end) + 40)).contains("payload"));
    assert!(why(&flipped(0)).contains("not an RPM package"));
}

/// A package of which a stretch of its payload is another, and its digests say so.
fn resealed(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = package(CompressionType::None);
    let header = read(&mut bytes.as_slice()).unwrap().header;
    let (start, end) = (usize::try_from(header.start).unwrap(), usize::try_from(header.end).unwrap());
    let hash = |bytes: &[u8]| Digest::sha256(bytes).hex().to_string();
    let place = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|found| found == text).unwrap();
    let (payload, whole) = (hash(&bytes[end..]), hash(&bytes[start..end]));
    let at = end + place(&bytes[end..], from);
    bytes[at..at + to.len()].copy_from_slice(to);
    let again = hash(&bytes[end..]);
    let at = start + place(&bytes[start..end], payload.as_bytes());
    bytes[at..at + 64].copy_from_slice(again.as_bytes());
    let at = place(&bytes, whole.as_bytes());
    let again = hash(&bytes[start..end]);
    bytes[at..at + 64].copy_from_slice(again.as_bytes());
    bytes
}

#[test]
fn tricks_of_the_payload_are_refused() {
    let magic = b"070701";
    assert!(said(&resealed(magic, magic)).is_ok());
    let head = |at: usize, text: &[u8]| {
        let bytes = package(CompressionType::None);
        let begin = usize::try_from(read(&mut bytes.as_slice()).unwrap().header.end).unwrap();
        let from = bytes[begin..begin + at + text.len()].to_vec();
        resealed(&from, &[&from[..at], text].concat())
    };
    let (size, name) = (6 + 6 * 8, 6 + 11 * 8);
    for (bytes, wanted) in [
        (resealed(b"./usr/bin/tool\0", b"./../../tool/a\0"), "\"./../../tool/a\" that its header does not name"),
        (resealed(b"./usr/bin/tool\0", b"/etc/passwd/xyz"), "does not end where it says"),
        (resealed(b"./usr/bin/tool\0", b"/etc/passwd/xy\0"), "that its header does not name"),
        (resealed(b"./usr/bin/tool\0", b"./usr/bin\0tool\0"), "does not end where it says"),
        (resealed(magic, b"070707"), "not a cpio archive of rpm's kind"),
        (head(size, b"ffffffff"), "cannot be unpacked"),
        (head(size, b"-0000001"), "a number in its payload is none"),
        (head(size, b"+000000b"), "a number in its payload is none"),
        (head(name, b"ffffffff"), "has a name of 4294967295 bytes"),
        (head(name, b"00000000"), "has a name of 0 bytes"),
        (resealed(b"TRAILER!!!", b"FAILER!!!!"), "that its header does not name"),
    ] {
        let why = why(&bytes);
        assert!(why.contains(wanted), "{wanted}: {why}");
    }
}

#[test]
fn a_payload_is_unpacked_so_far_and_no_farther() {
    let paths = HashSet::from([b"a".to_vec()]);
    let entry = |size: u32, name: &str| {
        let fields = [0, 0, 0, 0, 1, 0, size, 0, 0, 0, 0, u32::try_from(name.len() + 1).unwrap(), 0];
        let head: String = fields.iter().map(|field| format!("{field:08x}")).collect();
        let mut entry = format!("070701{head}{name}\0").into_bytes();
        entry.resize(entry.len().next_multiple_of(4), 0);
        entry
    };
    let walk =
        |content: &[u8]| archive::walk(&content[..8.min(content.len())], content, &paths).map_err(|error| error.0);
    let end = entry(0, "TRAILER!!!");
    assert_eq!(walk(&[entry(4, "./a"), b"abcd".to_vec(), end.clone()].concat()), Ok(()));
    assert!(walk(&[entry(8, "a"), b"abcd".to_vec()].concat()).unwrap_err().contains("cannot be unpacked"));
    let twice = walk(&[entry(0, "a"), entry(0, "/a"), entry(0, "a"), end].concat()).unwrap_err();
    assert!(twice.contains("more files than its header names"), "{twice}");
    // A GiB of nothing in a few kilobytes.
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    std::io::copy(&mut entry(1 << 30, "a").as_slice().chain(std::io::repeat(0).take(1 << 30)), &mut packed).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    assert_eq!(walk(&packed), Ok(()));
    assert_eq!(walk(b"of no kind that is known"), Ok(()));
    assert!(walk(b"\x1f\x8bno gzip").unwrap_err().contains("cannot be unpacked"));
}

#[test]
fn a_header_names_files_below_the_root() {
    let honest = package(CompressionType::None);
    for folder in ["/usr/../in/", "usr/share/t/", "/usr/./././/"] {
        let mut bytes = honest.clone();
        let from = b"/usr/share/";
        let at = bytes.windows(from.len()).position(|found| found == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(&folder.as_bytes()[..from.len()]);
        let why = why(&bytes);
        assert!(why.contains("not a path from the root"), "{folder}: {why}");
    }
}

/// A header of these numbers and bytes.
fn header(entries: u32, store: u32, bytes: &[u8]) -> Vec<u8> {
    let intro = [&[0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0], entries.to_be_bytes().as_slice(), &store.to_be_bytes()].concat();
    [intro.as_slice(), bytes].concat()
}

fn lead() -> Vec<u8> {
    let mut lead = vec![0; 96];
    lead[..4].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb]);
    lead
}

fn entry(kind: u32, offset: u32, count: u32) -> Vec<u8> {
    [1000, kind, offset, count].iter().flat_map(|number: &u32| number.to_be_bytes()).collect()
}

#[test]
fn a_header_that_lies_about_its_sizes_is_refused_before_anything_is_kept_for_it() {
    let one = |kind, offset, count, store: &[u8]| {
        let bytes = [entry(kind, offset, count).as_slice(), store].concat();
        header(1, u32::try_from(store.len()).unwrap(), &bytes)
    };
    let many: Vec<u8> = (0..1000).flat_map(|_| entry(6, 0, 1)).chain([b'a'; 5000]).chain([0]).collect();
    let table = [
        (header(u32::MAX, u32::MAX, &[]), "too much"),
        (header(0, 0, &[]), "too much"),
        (header(1, 0x7fff_ffff, &[]), "too much"),
        (header(70_000, 16, &[]), "too much"),
        (header(1000, 5001, &many), "over each other"),
        (header(1, 1 << 20, &entry(7, 0, 1)), "ends in its signature header"),
        (one(7, 0, 9, &[0; 8]), "does not lie inside it"),
        (one(7, 9, 0, &[0; 8]), "does not lie inside it"),
        (one(7, 0xffff_fff0, 16, &[0; 8]), "does not lie inside it"),
        (one(4, 0, u32::MAX, &[0; 8]), "does not lie inside it"),
        (one(5, 0, 0x2000_0001, &[0; 8]), "does not lie inside it"),
        (one(6, 0, 1, b"no end  "), "does not lie inside it"),
        (one(8, 0, 3, b"a\0b\0cccc"), "does not lie inside it"),
        (one(8, 0, u32::MAX, b"a\0b\0cccc"), "does not lie inside it"),
        (one(10, 0, 1, &[0; 8]), "does not lie inside it"),
        (b"\x8e\xad\xe8\x02\0\0\0\0\0\0\0\x01\0\0\0\0".to_vec(), "version 1"),
    ];
    for (header, wanted) in table {
        let why = why(&[lead(), header].concat());
        assert!(why.contains(wanted), "{wanted}: {why}");
    }
}

#[test]
fn a_name_that_cannot_be_a_file_name_is_refused() {
    let honest = package(CompressionType::None);
    // What builds packages refuses such names too, so an honest one is changed. Its digests are compared later.
    for name in ["../..", "a/b/c", "a b c", "%{na}", "a\nb\nc", "-aaaa", "\u{e4}aaa"] {
        let mut bytes = honest.clone();
        let places: Vec<_> = (0..bytes.len() - 5).filter(|at| bytes[*at..].starts_with(b"thing")).collect();
        for at in places {
            bytes[at..at + 5].copy_from_slice(name.as_bytes());
        }
        let why = why(&bytes);
        assert!(why.contains("its name is"), "{name:?}: {why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_package_is_read_or_refused(changes in prop::collection::vec((0..6000usize, any::<u8>()), 1..30)) {
        let mut bytes = package(CompressionType::None);
        for (at, byte) in changes {
            let at = 4 + at % (bytes.len() - 4);
            bytes[at] = byte;
        }
        // What is read of its header is read without its digests too.
        if let Ok((rpm, _)) = read_head(&mut bytes.as_slice()) {
            rpm.signers();
            let _ = rpm.contents();
        }
        let _ = said(&bytes);
    }

    #[test]
    fn a_header_of_anything_is_read_or_refused(
        entries in prop::collection::vec((prop::sample::select(vec![62u32, 63, 1000, 1001, 1004, 1028, 1030, 1037, 1044, 1047, 1049, 1080, 1081, 1112, 1113, 1116, 1117, 1118, 5009]), 0..11u32, 0..80u32, 0..20u32), 1..12),
        store in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..80),
    ) {
        let count = u32::try_from(entries.len()).unwrap();
        let mut bytes: Vec<u8> = entries.iter().flat_map(|(tag, kind, offset, count)| [*tag, *kind, *offset, *count]).flat_map(u32::to_be_bytes).collect();
        bytes.extend_from_slice(&store);
        let whole = header(count, u32::try_from(store.len()).unwrap(), &bytes);
        let mut file = [lead(), header(1, 8, &[entry(7, 0, 8), vec![0; 8]].concat())].concat();
        file.extend_from_slice(&whole);
        if let Ok((rpm, _)) = read_head(&mut file.as_slice()) {
            rpm.signers();
            let _ = rpm.contents();
        }
    }
}

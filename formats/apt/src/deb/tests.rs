use std::io::Write;

use proptest::prelude::*;
use wharf_core::Contents;

use super::ar::tests::archive;
use super::*;
use crate::package::{Ask, Brings};

const CONTROL: &str = "Package: hello\nVersion: 1:2.10-3\nArchitecture: amd64\nMaintainer: A <a@example.org>\nSection: devel\n\
                       Depends: libc6 (>= 2.34), b | c\nX-Odd:  kept\nSize: 7\nFilename: lies\nDescription: says hello\n more\n";

fn arrival(ask: impl FnOnce(&mut Ask)) -> Arrival {
    let mut said = Ask::new(Brings::Binary, "main".parse().unwrap());
    ask(&mut said);
    said.into_arrival("sid")
}

fn read(file: &[u8]) -> Result<Contents, String> {
    inspect(&mut &*file, &arrival(|_| ())).map_err(|error| error.0)
}

/// One header and content, with any name and size written into the header.
fn entry(path: &[u8], kind: tar::EntryType, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str, content: &[u8]) -> Vec<u8> {
    entry(path.as_bytes(), tar::EntryType::Regular, content.len() as u64, content)
}

fn tarball(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn control_of(text: &[u8]) -> Vec<u8> {
    tarball(&[entry(b"./", tar::EntryType::Directory, 0, b""), file("./control", text)])
}

fn data() -> Vec<u8> {
    tarball(&[
        entry(b"./", tar::EntryType::Directory, 0, b""),
        entry(b"./usr/bin/", tar::EntryType::Directory, 0, b""),
        file("./usr/bin/hello", b"#!"),
        entry(b"./usr/bin/hi", tar::EntryType::Symlink, 0, b""),
    ])
}

fn deb_of(control: &[u8], data: &[u8]) -> Vec<u8> {
    archive(&[("debian-binary", b"2.0\n"), ("control.tar", control), ("data.tar", data)])
}

fn deb(control: &str) -> Vec<u8> {
    deb_of(&control_of(control.as_bytes()), &data())
}

fn compressed(ending: &str, content: &[u8]) -> Vec<u8> {
    match ending {
        ".gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        ".xz" => {
            let mut out = Vec::new();
            liblzma::read::XzEncoder::new(content, 0).read_to_end(&mut out).unwrap();
            out
        }
        ".bz2" => {
            let mut out = Vec::new();
            bzip2::read::BzEncoder::new(content, bzip2::Compression::fast()).read_to_end(&mut out).unwrap();
            out
        }
        ".zst" => zstd::encode_all(content, 1).unwrap(),
        _ => content.to_vec(),
    }
}

fn fragment(contents: &Contents, kind: &str) -> String {
    String::from_utf8(contents.fragments[kind].clone()).unwrap()
}

#[test]
fn a_package_says_what_it_is_in_every_compression() {
    for ending in ["", ".gz", ".xz", ".zst"] {
        let control = compressed(ending, &control_of(CONTROL.as_bytes()));
        let file = archive(&[
            ("debian-binary", b"2.0\n"),
            ("_extra", b"x"),
            (&format!("control.tar{ending}"), &control),
            (&format!("data.tar{ending}"), &compressed(ending, &data())),
            ("_gpgbuilder", b"signature"),
        ]);
        let contents = read(&file).unwrap();
        assert_eq!(
            (contents.name.as_str(), contents.version.as_str(), contents.architecture.as_str()),
            ("hello", "1:2.10-3", "amd64")
        );
        assert_eq!(contents.path, "pool/h/hello/hello_2.10-3_amd64.deb");
        assert_eq!(contents.part.as_deref(), Some("main/binary-amd64"));
        assert_eq!(contents.depends, ["libc6 (>= 2.34)", "b | c"]);
        let stanza = fragment(&contents, kind::PACKAGES);
        let (sums, control) = stanza.split_once('\n').unwrap();
        assert_eq!(control, CONTROL.replace("Size: 7\nFilename: lies\n", ""));
        let Sums { md5, sha1, sha512 } = Sums::of(&file);
        assert_eq!(sums, format!("{md5} {sha1} {sha512}"));
        assert_eq!(fragment(&contents, kind::CONTENTS), "usr/bin/hello\tdevel/hello\nusr/bin/hi\tdevel/hello\n");
    }
}

#[test]
fn the_pool_is_by_source_and_an_installer_package_has_its_own_list() {
    let contents = read(&deb(&CONTROL.replace("Section", "Source: libhello (2.10)\nSection"))).unwrap();
    assert_eq!(contents.path, "pool/libh/libhello/hello_2.10-3_amd64.deb");
    let contents = read(&deb(&CONTROL.replace("Section", "Package-Type: udeb\nSection"))).unwrap();
    assert_eq!(contents.part.as_deref(), Some("main/debian-installer/binary-amd64"));
    assert_eq!(contents.path, "pool/h/hello/hello_2.10-3_amd64.udeb");
    let named = arrival(|ask| ask.file_name = "hello.udeb".into());
    assert!(inspect(&mut &*deb(CONTROL), &named).unwrap().path.ends_with(".udeb"));
    let by_content = arrival(|ask| ask.by_content = true);
    let path = inspect(&mut &*deb(CONTROL), &by_content).unwrap().path;
    assert_eq!(path.split('/').nth(3), Some(&Sums::of(&deb(CONTROL)).sha512[..16]));
}

#[test]
fn a_package_for_another_architecture_than_the_request_says_is_refused() {
    let wants = |architecture: &str| arrival(|ask| ask.architectures = vec![architecture.to_owned()]);
    assert!(inspect(&mut &*deb(CONTROL), &wants("amd64")).is_ok());
    let refused = inspect(&mut &*deb(CONTROL), &wants("arm64")).unwrap_err();
    assert_eq!(refused.0, "hello 1:2.10-3 is built for amd64, and the request says arm64");
    assert!(inspect(&mut &*deb(&CONTROL.replace("amd64", "all")), &wants("arm64")).is_ok());
}

#[test]
fn a_package_that_cannot_be_listed_can_be_taken() {
    let file = archive(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &control_of(CONTROL.as_bytes())),
        ("data.tar.new", b"whatever"),
    ]);
    assert_eq!(fragment(&read(&file).unwrap(), kind::CONTENTS), "");
}

#[test]
fn files_of_old_packages_in_bzip2_are_listed() {
    let of = |control: &str, data: &[u8]| {
        let content = compressed(control, &control_of(CONTROL.as_bytes()));
        archive(&[("debian-binary", b"2.0\n"), (&format!("control.tar{control}"), &content), ("data.tar.bz2", data)])
    };
    let files = data();
    let data = compressed(".bz2", &files);
    let plain = fragment(&read(&deb(CONTROL)).unwrap(), kind::CONTENTS);
    assert!(!plain.is_empty());
    assert_eq!(fragment(&read(&of(".gz", &data)).unwrap(), kind::CONTENTS), plain);
    // As several packers at once write it: one stream behind the other.
    let (head, tail) = files.split_at(700);
    let streams = [compressed(".bz2", head), compressed(".bz2", tail)].concat();
    assert_eq!(fragment(&read(&of(".gz", &streams)).unwrap(), kind::CONTENTS), plain);
    // What is cut off or no bzip2 is told; and dpkg reads no control files in it.
    for broken in [&data[..data.len() - 5], b"BZh9", b"nothing of the kind"] {
        assert!(read(&of(".gz", broken)).unwrap_err().contains("cannot be read"));
    }
    assert!(read(&of(".bz2", &data)).unwrap_err().contains("no such compression of control files"));
}

#[test]
fn long_paths_are_read_in_both_dialects() {
    let long = format!("usr/share/{}/file", "x".repeat(150));
    let link = format!("{long}\0");
    let gnu =
        [entry(b"././@LongLink", tar::EntryType::GNULongName, link.len() as u64, link.as_bytes()), file("short", b"")];
    let pair = format!("path={long}\n");
    let record = format!("{} {pair}", pair.len() + 4);
    let pax = [entry(b"PaxHeaders/x", tar::EntryType::XHeader, record.len() as u64, record.as_bytes()), file("s", b"")];
    for entries in [gnu, pax] {
        let contents = read(&deb_of(&control_of(CONTROL.as_bytes()), &tarball(&entries))).unwrap();
        assert_eq!(fragment(&contents, kind::CONTENTS), format!("{long}\tdevel/hello\n"));
    }
}

/// What its uploader is told of a package with this control archive and these files.
fn told(control: &[u8], data: &[u8]) -> String {
    read(&deb_of(control, data)).expect_err("refused")
}

#[test]
fn tricks_of_tar_are_refused() {
    use tar::EntryType as Kind;
    let good = control_of(CONTROL.as_bytes());
    let two_gigabytes = entry(b"./control", Kind::Regular, 2 << 30, CONTROL.as_bytes());
    for (control, expected) in [
        (tarball(&[entry(b"./control", Kind::Symlink, 0, b"")]), "its control file is no file"),
        (tarball(&[entry(b"./control", Kind::Link, 0, b"")]), "its control file is no file"),
        (tarball(&[file("control", CONTROL.as_bytes()), file("./control", b"A: 1\n")]), "is there twice"),
        (tarball(&[file("./md5sums", b"")]), "no control file"),
        (tarball(&[file("/control", CONTROL.as_bytes())]), "an absolute path"),
        (tarball(&[file("../control", CONTROL.as_bytes())]), "a path with \"..\""),
        (tarball(&[two_gigabytes]), "larger than 1048576 bytes"),
        (tarball(&[file("./control", b"Package: \xff\n")]), "not UTF-8"),
        (tarball(&[file("./control", b"")]), "empty"),
        (b"this is no archive, however long it is".repeat(100), "cannot be read"),
        (good[..good.len() - 1600].to_vec(), "cannot be read"),
    ] {
        let said = told(&control, &data());
        assert!(said.contains(expected), "{said:?} instead of {expected:?}");
    }
    for (data, expected) in [
        (tarball(&[file("./usr/../../etc/passwd", b"")]), "a path with \"..\""),
        (tarball(&[file("/etc/passwd", b"")]), "an absolute path"),
        (tarball(&[entry(b"./x", Kind::GNUSparse, 0, b"")]), "a sparse file"),
        (tarball(&[entry(b"././@LongLink", Kind::GNULongName, 1 << 31, b"x")]), "too long"),
        (tarball(&[entry(b"x", Kind::XHeader, 1 << 31, b"x")]), "too long"),
        (tarball(&[entry(b"x", Kind::XHeader, 10, b"10 size=9\n"), file("a", b"")]), "a size in an extended header"),
        (tarball(&[entry(b"x", Kind::XHeader, 4, b"nope"), file("a", b"")]), "damaged"),
        (entry(b"./usr/bin/a", Kind::Regular, 1 << 40, b"short"), "cannot be read"),
    ] {
        let said = told(&good, &data);
        assert!(said.contains(expected), "{said:?} instead of {expected:?}");
    }
}

#[test]
fn bombs_are_not_unpacked() {
    let zeros = entry(b"./zeros", tar::EntryType::Regular, LARGEST_CONTROL_ARCHIVE + 1, b"");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&zeros).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(LARGEST_CONTROL_ARCHIVE + 1), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let file = archive(&[("debian-binary", b"2.0\n"), ("control.tar.zst", &bomb), ("data.tar", &data())]);
    let said = read(&file).unwrap_err();
    assert!(said.contains("unpacks to too much"), "{said}");
    // The caps lie behind every decompressor.
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(64 << 20), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1000);
    let mut capped = tree::Capped { inner: tree::decoder("data.tar.bz2", &*bomb).unwrap().unwrap(), left: 1 << 20 };
    assert_eq!(std::io::copy(&mut capped, &mut std::io::sink()).unwrap_err().to_string(), "it unpacks to too much");
    let mut small = tree::Capped { inner: std::io::repeat(0), left: 10 };
    assert_eq!(std::io::copy(&mut small, &mut std::io::sink()).unwrap_err().to_string(), "it unpacks to too much");
}

#[test]
fn members_of_another_kind_or_order_are_refused() {
    let (control, data) = (control_of(CONTROL.as_bytes()), data());
    let two = ("debian-binary", &b"2.0\n"[..]);
    for (members, expected) in [
        (vec![], "empty"),
        (vec![("control.tar", control.as_slice()), ("data.tar", &data)], "first member"),
        (vec![("debian-binary", b"3.0\n"), ("control.tar", &control), ("data.tar", &data)], "another format"),
        (vec![("debian-binary", &[b'2'; 100]), ("control.tar", &control), ("data.tar", &data)], "first member"),
        (vec![two], "no files"),
        (vec![two, ("control.tar", &control)], "no files"),
        (vec![two, ("data.tar", &data), ("control.tar", &control)], "where its control archive should be"),
        (vec![two, ("control.tar", &control), ("evil", b""), ("data.tar", &data)], "where its files should be"),
        (vec![two, ("control.tar", &control), ("control.tar", &control), ("data.tar", &data)], "where its files"),
        (vec![two, ("control.tar.rar", &control), ("data.tar", &data)], "no such compression"),
        (vec![two, ("control.tar.gz", &control), ("data.tar", &data)], "cannot be read"),
        (vec![two, ("control.tar.zst", &control), ("data.tar", &data)], "cannot be read"),
    ] {
        let said = read(&archive(&members)).unwrap_err();
        assert!(said.contains(expected), "{said:?} instead of {expected:?}");
    }
}

#[test]
fn what_a_control_file_must_say_it_says_well() {
    for (from, to) in [
        ("Package: hello\n", ""),
        ("Package: hello", "Package: ../hello"),
        ("Version: 1:2.10-3", "Version: v2"),
        ("Version: 1:2.10-3\n", ""),
        ("Architecture: amd64\n", ""),
        ("Architecture: amd64", "Architecture: ../x"),
        ("Architecture: amd64", "Architecture: source"),
        ("X-Odd:  kept", "Source: ../../etc"),
        ("X-Odd:  kept", "package: twice"),
        (" more\n", " \nPackage: another\nVersion: 1\n"),
    ] {
        assert!(read(&deb(&CONTROL.replace(from, to))).is_err(), "{to}");
    }
}

#[test]
fn a_package_that_is_cut_off_anywhere_is_refused() {
    for ending in ["", ".gz", ".xz", ".zst"] {
        let control = compressed(ending, &control_of(CONTROL.as_bytes()));
        let data = compressed(ending, &data());
        let (control_name, data_name) = (format!("control.tar{ending}"), format!("data.tar{ending}"));
        let whole = archive(&[("debian-binary", b"2.0\n"), (&control_name, &control), (&data_name, &data)]);
        assert!(read(&whole).is_ok());
        let padding = data.len() % 2;
        for end in (0..whole.len() - padding).step_by(7) {
            assert!(read(&whole[..end]).is_err(), "{ending} cut at {end} of {}", whole.len());
        }
    }
}

proptest! {
    #[test]
    fn damage_is_refused_or_harmless(at in 0usize..4000, byte: u8) {
        let mut file = deb(CONTROL);
        let at = at % file.len();
        file[at] = byte;
        if let Ok(contents) = read(&file) {
            prop_assert!(!contents.path.contains("..") && contents.path.starts_with("pool/"));
        }
    }

    #[test]
    fn anything_else_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        let framed = archive(&[("debian-binary", b"2.0\n"), ("control.tar.xz", &bytes), ("data.tar", &bytes)]);
        prop_assert!(read(&framed).is_err());
    }
}

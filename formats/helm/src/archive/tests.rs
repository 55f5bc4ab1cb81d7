use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tar::{Builder, Header};

use super::*;
use crate::package::tests::{gzipped, packed};

/// A tar with one entry after a good one, with whatever name and kind.
fn with(name: &[u8], kind: EntryType, size: u64) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut good = Header::new_gnu();
    good.set_size(1);
    tar.append_data(&mut good, "crate/a", &b"x"[..]).unwrap();
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    tar.append(&header, &b""[..]).unwrap();
    gzipped(&tar.into_inner().unwrap())
}

fn walked(file: &[u8]) -> Result<Vec<String>, String> {
    let mut seen = Vec::new();
    let keep = |path: &str, content: Vec<u8>| {
        seen.push(format!("{path}={}", String::from_utf8_lossy(&content)));
        Ok(())
    };
    walk(&mut &*file, |_| Some(100), keep).map_err(|error| error.0)?;
    Ok(seen)
}

#[test]
fn files_are_told_by_their_path_in_the_folder() {
    let long = format!("crate/{}/x", "d".repeat(150));
    let file = packed(&[("crate/a", "1"), ("./crate/b/c", "2"), (&long, "3")]);
    assert_eq!(walked(&file).unwrap(), ["a=1", "b/c=2", &format!("{}/x=3", "d".repeat(150))]);
}

#[test]
fn names_of_pax_headers_count() {
    let mut tar = Builder::new(Vec::new());
    let long = format!("crate/{}", "p".repeat(300));
    tar.append_pax_extensions([("path", long.as_bytes()), ("comment", b"x")]).unwrap();
    let mut header = Header::new_ustar();
    header.set_path("crate/short").unwrap();
    header.set_size(1);
    header.set_cksum();
    tar.append(&header, &b"1"[..]).unwrap();
    assert_eq!(walked(&gzipped(&tar.into_inner().unwrap())).unwrap(), [format!("{}=1", "p".repeat(300))]);
}

#[test]
fn names_made_on_windows_are_paths_too() {
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..9].copy_from_slice(b"crate\\a\\b");
    header.set_entry_type(EntryType::Regular);
    header.set_size(1);
    header.set_cksum();
    tar.append(&header, &b"1"[..]).unwrap();
    assert_eq!(walked(&gzipped(&tar.into_inner().unwrap())).unwrap(), ["a/b=1"]);
}

#[test]
fn tricks_with_names_and_kinds_are_refused() {
    let file = EntryType::Regular;
    for (name, kind, why) in [
        (&b"crate/../../etc/passwd"[..], file, "not a path inside"),
        (b"../crate/a", file, "not a path inside"),
        (b"crate/./b", file, "not a path inside"),
        (b"crate//b", file, "not a path inside"),
        (b"/etc/passwd", file, "not a path inside"),
        (b"crate/c:/a", file, "not a path inside"),
        (b"crate\\..\\a", file, "not a path inside"),
        (b"crate/a\nb", file, "not a path inside"),
        (b"crate/\xff", file, "not UTF-8"),
        (b"Chart.yaml", file, "does not lie in the folder"),
        (b"other/a", file, "more than one folder"),
        (b"crate/l", EntryType::Symlink, "is a link"),
        (b"crate/l", EntryType::Link, "is a link"),
        (b"crate/d", EntryType::Char, "neither a file nor a folder"),
        (b"crate/d", EntryType::Fifo, "neither a file nor a folder"),
        (b"crate/d", EntryType::GNUSparse, "neither a file nor a folder"),
    ] {
        let error = walked(&with(name, kind, 0)).expect_err(why);
        assert!(error.contains(why), "{}: {error}", String::from_utf8_lossy(name));
    }
    assert_eq!(walked(&with(b"crate/d/", EntryType::Directory, 0)).unwrap(), ["a=x"]);
}

#[test]
fn sizes_that_lie_are_found_out() {
    for size in [1 << 20, 2 << 30, u64::MAX >> 2] {
        assert!(walked(&with(b"crate/b", EntryType::Regular, size)).is_err(), "{size}");
        assert!(walked(&with(b"x", EntryType::GNULongName, size)).is_err(), "{size}");
    }
    let mut tar = Builder::new(Vec::new());
    tar.append_pax_extensions([("size", &b"5"[..])]).unwrap();
    let mut header = Header::new_ustar();
    header.set_path("crate/a").unwrap();
    header.set_size(0);
    header.set_cksum();
    tar.append(&header, &b""[..]).unwrap();
    assert!(walked(&gzipped(&tar.into_inner().unwrap())).unwrap_err().contains("twice"));
}

#[test]
fn a_package_that_ends_early_is_refused() {
    let noise: String = (0..20_000_u32)
        .map(|n| char::from(b'a' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 27).unwrap() % 26))
        .collect();
    let whole = packed(&[("crate/a", &noise), ("crate/b", "2")]);
    for cut in [0, 1, 9, 10, 11, 100, whole.len() / 2, whole.len() - 9, whole.len() - 8, whole.len() - 1] {
        assert!(walked(&whole[..cut]).is_err(), "{cut} of {}", whole.len());
    }
    for text in [&b"apiVersion: v2\n"[..], b"\x1f\x8b", b"PK\x03\x04", &[0; 2000]] {
        assert!(walked(text).unwrap_err().starts_with("not a chart package"), "{text:?}");
    }
    assert_eq!(walked(&gzipped(&[0; 1024])).unwrap_err(), "the package is empty");
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = Header::new_gnu();
    header.set_path("crate/a").unwrap();
    header.set_size(20 << 20);
    header.set_cksum();
    gz.write_all(header.as_bytes()).unwrap();
    for _ in 0..20 {
        gz.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = gz.finish().unwrap();
    assert!(bomb.len() < 1 << 18);
    let error = walk_up_to(8 << 20, &mut &bomb[..], |_| None, |_, _| Ok(())).unwrap_err();
    assert!(error.0.contains("larger than 8 MiB"), "{error}");
    // As many empty files as fit are too many.
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = Header::new_gnu();
    header.set_path("crate/a").unwrap();
    header.set_size(0);
    header.set_cksum();
    for _ in 0..20_001 {
        gz.write_all(header.as_bytes()).unwrap();
    }
    let error = walk(&mut &gz.finish().unwrap()[..], |_| None, |_, _| Ok(())).unwrap_err();
    assert!(error.0.contains("more than 20000 files"), "{error}");
}

#!/usr/bin/env python3
"""Compares the metadata of two repositories package by package and field by field: compare-repodata.py OURS THEIRS

OURS and THEIRS are URLs or folders that hold `repodata/`. Every file is held against the hashes and sizes that repomd.xml gives for
it first. Exits with 1 if anything differs but where a package lies and when it came.
"""
import gzip
import hashlib
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ET

REPO = "{http://linux.duke.edu/metadata/repo}"
failures = []


def read(base, path):
    if "://" in base:
        with urllib.request.urlopen(f"{base}/{path}") as answer:
            return answer.read()
    with open(f"{base}/{path}", "rb") as file:
        return file.read()


def check(what, told, found):
    if told != found:
        failures.append(f"{what}: repomd.xml says {told}, it is {found}")


def unpacked(name, content):
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
    return content


def files(base):
    """Kind of metadata -> content, checked."""
    found = {}
    repomd = ET.fromstring(read(base, "repodata/repomd.xml"))
    for data in repomd.findall(f"{REPO}data"):
        text = lambda name: data.findtext(f"{REPO}{name}")
        kind, href = data.get("type"), data.find(f"{REPO}location").get("href")
        packed = read(base, href)
        check(f"{base} {kind} checksum", text("checksum"), hashlib.sha256(packed).hexdigest())
        check(f"{base} {kind} size", text("size"), str(len(packed)))
        content = unpacked(href, packed)
        if text("open-checksum"):
            check(f"{base} {kind} open-checksum", text("open-checksum"), hashlib.sha256(content).hexdigest())
            check(f"{base} {kind} open-size", text("open-size"), str(len(content)))
        found[kind] = content
    return found


def told(element):
    """An element without the blanks between its children."""
    text = element.text or ""
    children = [told(child) for child in element]
    return (element.tag, tuple(sorted(element.attrib.items())), "" if children else text, tuple(children))


def packages(content):
    root = ET.fromstring(content)
    found = {}
    for package in root:
        digest = package.get("pkgid") or package.findtext("{*}checksum")
        for location in package.findall("{*}location"):
            location.attrib.pop("href")
        for time in package.findall("{*}time"):
            time.attrib.pop("file")
        found[digest] = package
    return (root.tag, root.attrib), found


def compare(kind, ours, theirs):
    (our_root, our), (their_root, their) = packages(ours), packages(theirs)
    if our_root != their_root:
        failures.append(f"{kind}: ours is {our_root}, theirs {their_root}")
    for digest in sorted(our.keys() ^ their.keys()):
        failures.append(f"{kind}: {digest} is {'ours' if digest in our else 'theirs'} only")
    for digest in sorted(our.keys() & their.keys()):
        differ(f"{kind} of {our[digest].findtext('{*}name') or our[digest].get('name')}", our[digest], their[digest])
    return len(our)


def differ(where, ours, theirs):
    if told(ours) == told(theirs):
        return
    if len(ours) != len(theirs) or ours.tag != theirs.tag or not len(ours):
        show = lambda element: ET.tostring(element, "unicode").strip()
        failures.append(f"{where}:\n  ours   {show(ours)}\n  theirs {show(theirs)}")
        return
    if ours.attrib != theirs.attrib:
        failures.append(f"{where}: ours has {ours.attrib}, theirs {theirs.attrib}")
    for one, other in zip(ours, theirs):
        differ(f"{where} {one.tag.rpartition('}')[2]}", one, other)


ours, theirs = files(sys.argv[1]), files(sys.argv[2])
for kind in ["primary", "filelists", "other"]:
    count = compare(kind, ours[kind], theirs[kind])
for failure in failures:
    print(failure)
print(f"{count} packages, {len(failures)} differences")
sys.exit(1 if failures else 0)

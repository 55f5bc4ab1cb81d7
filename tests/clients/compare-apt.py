#!/usr/bin/env python3
"""Whether two indexes of the same packages say the same: compare-apt.py packages|sources|contents|release OURS THEIRS

The differences that are meant are named here, each with its reason; any other is printed and fails.
"""
import re
import sys

MEANT = {
    # Files lie where each side puts them; the name of the file is compared below, without the epoch that apt-ftparchive keeps.
    "Filename", "Directory",
}
# apt-ftparchive makes the first two up where an override file would say them, and hashes every file of a source once more; ours says
# of the files what the .dsc says, which its author has signed.
ONLY_THEIRS = {"packages": set(), "sources": {"Priority", "Section", "Checksums-Sha512"}}


def paragraphs(path):
    with open(path, encoding="utf-8") as file:
        for text in file.read().split("\n\n"):
            fields, name = {}, None
            for line in text.splitlines():
                if line[:1] in (" ", "\t"):
                    fields[name] += "\n" + line.strip()
                elif line:
                    name, value = line.split(":", 1)
                    fields[name] = value.strip()
            if fields:
                yield fields


def by_key(path):
    found = {}
    for fields in paragraphs(path):
        key = (fields["Package"], fields["Version"], fields.get("Architecture"))
        assert key not in found, f"{path} has {key} twice"
        found[key] = fields
    return found


def lines(value):
    return sorted(line.strip() for line in value.splitlines() if line.strip())


def stanzas(kind, ours, theirs):
    ours, theirs = by_key(ours), by_key(theirs)
    wrong = [f"only here: {key}" for key in sorted(ours.keys() - theirs.keys())]
    wrong += [f"only there: {key}" for key in sorted(theirs.keys() - ours.keys())]
    for key in ours.keys() & theirs.keys():
        mine, other = ours[key], theirs[key]
        for name in sorted((mine.keys() | other.keys()) - MEANT):
            if name in ONLY_THEIRS[kind] and name not in mine:
                continue
            if lines(mine.get(name, "")) != lines(other.get(name, "")):
                wrong.append(f"{key} {name}: {mine.get(name)!r} here, {other.get(name)!r} there")
        if kind == "packages":
            without_epoch = re.sub(r"_\d+(%3a|:)", "_", other["Filename"].rsplit("/", 1)[1])
            if mine["Filename"].rsplit("/", 1)[1] != without_epoch:
                wrong.append(f"{key}: {mine['Filename']} here, {other['Filename']} there")
    return len(ours), wrong


def contents(path):
    found = set()
    with open(path, "rb") as file:
        for line in file:
            name, packages = line.rstrip(b"\n").rsplit(None, 1)
            # The section before a package's name is said where an override file says it, or by the package, as ours does.
            found.update((name.rstrip(), package.rsplit(b"/", 1)[-1]) for package in packages.split(b","))
    return found


def release(path):
    found, section = set(), None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith(" "):
                section = line.split(":")[0]
            elif section in ("SHA256", "SHA512"):
                digest, size, name = line.split()
                # Theirs hashes what lies in the folder, the release itself too.
                if name not in ("Release", "InRelease", "Release.gpg"):
                    found.add((section, name, int(size), digest))
    return found


def sets(read, ours, theirs):
    ours, theirs = read(ours), read(theirs)
    wrong = [f"only here: {entry}" for entry in sorted(ours - theirs)]
    return len(ours), wrong + [f"only there: {entry}" for entry in sorted(theirs - ours)]


def main():
    kind, ours, theirs = sys.argv[1:]
    if kind in ("packages", "sources"):
        count, wrong = stanzas(kind, ours, theirs)
    else:
        count, wrong = sets({"contents": contents, "release": release}[kind], ours, theirs)
    for line in wrong[:40]:
        print(line)
    print(f"{kind}: {count} compared, {len(wrong)} differences")
    sys.exit(bool(wrong) or not count)


main()

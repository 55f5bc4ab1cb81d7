#!/usr/bin/env python3
"""Writes small real images as OCI layouts, without network and byte for byte the same every time.

    make-image.py DIR PROGRAM

DIR/single is one linux/amd64 image, DIR/multi an index of linux/amd64 and linux/arm64; both are tagged `1`.
Each image has two layers: the program with a few files of a root file system, and 6 MiB that do not compress.
"""

import gzip
import hashlib
import io
import json
import pathlib
import random
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Layout:
    def __init__(self, path):
        self.blobs = path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.path = path

    def add(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}

    def add_json(self, value, media_type, **more):
        return self.add(json.dumps(value, separators=(",", ":")).encode(), media_type, **more)

    def finish(self, top, tag):
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        entry = {**top, "annotations": {"org.opencontainers.image.ref.name": tag}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        (self.path / "index.json").write_text(json.dumps(index))


def tar(files):
    """A tar of {name: (mode, bytes)}; folders are made for the names that need them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folders = sorted({str(p) for name in files for p in pathlib.PurePath(name).parents} - {"."})
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, (mode, data) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def image(layout, architecture, program):
    passwd = b"root:x:0:0:root:/:/hello\n"
    root = tar({"etc/passwd": (0o644, passwd), "hello": (0o755, program)})
    noise = tar({"srv/noise": (0o644, random.Random(architecture).randbytes(6 << 20))})
    layers = [layout.add(gzip.compress(layer, 1, mtime=0), LAYER) for layer in (root, noise)]
    config = {
        "created": "2001-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/hello"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(x).hexdigest()}" for x in (root, noise)]},
        "history": [{"created": "2001-01-01T00:00:00Z", "created_by": what} for what in ("root", "noise")],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add_json(config, CONFIG),
        "layers": layers,
    }
    return layout.add_json(manifest, MANIFEST, platform={"architecture": architecture, "os": "linux"})


def main():
    directory = pathlib.Path(sys.argv[1])
    program = pathlib.Path(sys.argv[2]).read_bytes()
    single = Layout(directory / "single")
    single.finish(image(single, "amd64", program), "1")
    multi = Layout(directory / "multi")
    # Nothing here runs the arm64 image, so the same program stands in for it.
    images = [image(multi, architecture, program) for architecture in ("amd64", "arm64")]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": images}
    multi.finish(multi.add_json(index, INDEX), "1")


main()

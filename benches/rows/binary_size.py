"""What is downloaded, copied into images and mapped at start."""

import shutil
import subprocess

from measure import Line

TITLE = "size of the stripped binary"


def run(bench):
    ours, theirs = stripped(bench, bench.wharf_bin), stripped(bench, bench.bin / "registry")
    return [Line("binary, stripped", "MB", ours, theirs, bar="< 60 MB", met=ours < 60)]


def stripped(bench, binary):
    copy = bench.work / "stripped"
    shutil.copy(binary, copy)
    subprocess.run(["strip", copy], check=True)
    size = copy.stat().st_size / 1e6
    copy.unlink()
    return size

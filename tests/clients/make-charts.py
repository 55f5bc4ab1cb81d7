#!/usr/bin/env python3
"""Makes 240 charts of every kind in a directory: API v1 and v2, every field, texts that are hard to write in YAML."""
import io
import pathlib
import sys
import tarfile

target = pathlib.Path(sys.argv[1])

DESCRIPTIONS = [
    "plain", "'quoted: yes'", '"say \\"hello\\" # no comment"', "|\n  two\n  lines", "\"tab\\there\"", "grüße aus 倉庫 🚢",
    "'no'", "'1.10'", "'- dash'", "\"trailing \"", "'{a: b}'", "'*star &and !bang %percent @at `tick`'", ">-\n  folded\n  text",
]
VERSIONS = ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0-rc.10", "2.0.0-rc.2", "2.0.0", "v3.1", "0.1.0+build.5", "20240101.0.0"]


def metadata(number: int) -> tuple[str, str, dict[str, str]]:
    name = f"chart-{number // 10:02d}"
    version = VERSIONS[number % 10]
    v2 = number % 3 != 0
    lines = [f"name: {name}", f"version: {version}"]
    if number % 5 != 0 or v2:
        lines.append("apiVersion: v2" if v2 else "apiVersion: v1")
    lines.append(f"description: {DESCRIPTIONS[number % len(DESCRIPTIONS)]}")
    if number % 2:
        lines.append("appVersion: " + ["1.10", "'7'", "v1", "2024", "true"][number % 5])
    if number % 4 == 0:
        lines += ["keywords: ['yes', 'no', \"1\", a b]", "sources:", "- https://example.org/a", "- ''"]
    if number % 4 == 1:
        lines += ["maintainers:", "- name: Ann", "  email: ann@example.org", "- name: Bö", "  url: https://example.org"]
    if number % 6 == 2:
        lines += ["annotations:", "  a/b: 'true'", "  text: |", "    - x: 1", "    - y", "  empty: ''", "  'key: odd': \"\\u0007\""]
    if number % 7 == 3:
        lines += ["deprecated: true", "icon: https://example.org/i.png", "home: https://example.org", "kubeVersion: '>=1.20.0-0'"]
    if v2 and number % 8 == 1:
        lines += ["type: library", "unknown: {left: out}"]
    dependencies = [
        "dependencies:", "- name: other", "  version: ~1.2", "  repository: https://example.org/charts", "  condition: other.on",
        "  tags: [x, y]", "- name: third", "  alias: again", "  version: '*'", "  repository: ''", "  import-values:", "  - data",
        "  - child: c", "    parent: p",
    ]
    files = {}
    if number % 9 == 4:
        if v2:
            lines += dependencies
        else:
            files["requirements.yaml"] = "\n".join(dependencies) + "\n"
    files["Chart.yaml"] = "\n".join(lines) + "\n"
    # helm does not index a chart whose dependencies are missing from charts/ any differently.
    files["values.yaml"] = "a: 1\n"
    return name, version, files


for number in range(240):
    name, version, files = metadata(number)
    with tarfile.open(target / f"{name}-{version}.tgz", "w:gz") as archive:
        for path, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

"""Prints lines as a table and as JSON."""

import dataclasses
import json

from measure import thousands

STOLEN = .05  # beyond this it is said


def number(value):
    if value is None:
        return "–"
    if value >= 1000:
        return thousands(round(value))
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


HEAD = ["", "unit", "Wharf", "distribution", "limit", "ratio", "bar", "met"]


def cells(line):
    met = {True: "met", False: "MISSED", None: ""}[line.met]
    return [line.name, line.unit, number(line.wharf), number(line.distribution), number(line.limit),
            line.ratio, line.bar, met]


def show(lines):
    rows = [HEAD] + [cells(line) for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for n, row in enumerate(rows):
        parts = [c.rjust(w) if 2 <= i <= 4 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]
        print("  ".join(parts).rstrip())
        if n == 0:
            print("  ".join("-" * w for w in widths))
    for line in lines:
        if line.note:
            print(f"* {line.name}: {line.note}")
    disturbed = [f"{line.name} ({line.stolen:.0%})" for line in lines if line.stolen > STOLEN]
    if disturbed:
        print(f"! The host gave so much of the processor time to others, and these are worse for it: {'; '.join(disturbed)}")


def save(path, lines, about):
    with open(path, "w") as file:
        json.dump({"about": about, "lines": [dataclasses.asdict(line) for line in lines]}, file, indent=1)
        file.write("\n")

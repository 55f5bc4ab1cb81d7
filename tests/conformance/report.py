"""Prints what the conformance suite's junit.xml says: failures with their reason, skips, totals."""

import sys
import xml.etree.ElementTree as xml
from collections import Counter


def reason(case):
    lines = (case.findtext("system-out") or "").strip().splitlines()
    return lines[0][:300] if lines else "no reason given"


def main(path):
    # The report holds every request and response, including control characters XML does not allow.
    with open(path, "rb") as file:
        text = file.read().translate(None, bytes(b for b in range(32) if b not in b"\t\n\r"))
    root = xml.fromstring(text)
    shown = Counter()
    for case in root.iter("testcase"):
        status = case.get("status")
        # Disabled checks are reported as skipped, without a reason: they were not asked for.
        if status == "passed" or (status == "skipped" and not case.findtext("system-out")):
            continue
        label = {"skipped": "SKIP"}.get(status, "FAIL")
        name = case.get("name").removeprefix("OCI Conformance Test/")
        shown[label, name, reason(case)] += 1
    for (label, name, why), times in sorted(shown.items()):
        print(f"{label} {name}{f' ({times} times)' if times > 1 else ''}\n     {why}")

    total, failed, errors, skipped, disabled = (
        int(root.get(key) or 0) for key in ("tests", "failures", "errors", "skipped", "disabled")
    )
    failed += errors
    passed = total - failed - skipped - disabled
    print(f"{disabled} checks were not asked for (disabled in the suite's configuration)")
    print(f"conformance: {passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

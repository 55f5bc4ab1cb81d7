"""Durability has a price per image; pushes in flight at once may share it."""

from measure import Line
from servers import Distribution, Wharf

TITLE = "fsync, fdatasync, syncfs, msync … calls for each one-layer image (strace)"


def run(bench):
    counts = {kind.name: measure(bench, kind) for kind in (Wharf, Distribution)}
    lines = []
    for conns in (1, 8):
        ours, theirs = counts["wharf"][conns], counts["distribution"][conns]
        lines.append(Line(f"fsyncs an image, {conns} connection{'s' if conns > 1 else ''}", "calls", ours, theirs,
                          ratio=f"{ours / theirs:.2f} ×", bar="≤ 6", met=ours <= 6))
    lines[0].note = "writes through O_DSYNC or io_uring would not be seen here"
    return lines


def measure(bench, kind):
    trace, images = bench.work / f"{kind.name}-fsyncs", bench.size(200, 16)
    with bench.fresh(kind, trace=trace) as server:
        result = {}
        for conns in (1, 8):
            before = calls(trace)
            # The load pushes one image more than asked for, before its clock starts.
            pushed = 1 + bench.load(server, "push", repo="bench/push", conns=conns, size=1_000_000, n=images)["count"]
            result[conns] = (calls(trace) - before) / pushed
    return result


def calls(trace):
    """Of the server, and of its database, if that is a server of its own."""
    count = 0
    for log in trace.parent.glob(f"{trace.name}*"):
        with open(log) as file:
            # A call that other threads interrupt in the log has a second line when it ends.
            count += sum("resumed>" not in entry for entry in file)
    return count

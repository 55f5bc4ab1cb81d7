"""Memory must not grow with the size of what is pushed."""

from measure import Line
from servers import Distribution, Wharf

TITLE = "VmHWM while 64 clients at once each push a layer of 100 MB and pull it back"


def run(bench):
    return compare(bench, "memory", (Wharf, Distribution), 160)


def compare(bench, name, kinds, bar):
    """One line: the most memory of our kind of server and of distribution's."""
    size, clients = bench.size(100_000_000, 2_000_000), bench.size(64, 8)
    peak, seconds = {}, {}
    for kind in kinds:
        with bench.fresh(kind, label="memory") as server:
            seconds[kind.name] = bench.load(server, "layers", repo="bench/layers", conns=clients, size=size)["seconds"]
            peak[kind.name] = server.memory("VmHWM")
    return [Line(f"{name}, {clients} clients", "MB", peak["wharf"], peak["distribution"], bar=f"< {bar} MB",
                 met=peak["wharf"] < bar, note="one run each: "
                 + ", ".join(f"{name} took {s:.0f} s" for name, s in seconds.items()))]

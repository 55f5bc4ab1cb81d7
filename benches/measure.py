"""What the rows share: the loads, the order of paired runs, and the lines of the table."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import servers

LUA = Path(__file__).parent / "lua" / "report.lua"


@dataclass
class Line:
    """One line of the table. Values are medians; samples keep every run, in the order of the rounds."""
    name: str
    unit: str
    wharf: float | None = None
    distribution: float | None = None
    limit: float | None = None  # nginx, dd: what the machine can do
    ratio: str = ""
    bar: str = ""
    met: bool | None = None
    note: str = ""
    stolen: float = 0  # how much of the processor time that programs asked for meanwhile the host gave to others
    samples: dict = field(default_factory=dict)


class Bench:
    def __init__(self, home, wharf_bin, rounds, quick, on="sqlite"):
        self.bin = Path(home) / "bin"
        self.work = Path(home) / "work"
        self.wharf_bin, self.rounds, self.quick, self.on = wharf_bin, rounds, quick, on
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise SystemExit("benches: two cores are needed, one for the server and one for the load")
        self.server_cpu, self.load_cpu = str(cpus[0]), str(cpus[1])
        self.seconds = 1 if quick else 6
        self.shared = {}
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)

    def size(self, full, quick):
        return quick if self.quick else full

    def server(self, kind):
        """The server of this kind that all reading rows share, so that seeding is done once."""
        if kind not in self.shared:
            self.shared[kind] = kind(self)
        if not self.shared[kind].alive():
            self.shared[kind].start()
        return self.shared[kind]

    @contextlib.contextmanager
    def fresh(self, kind, label="fresh", trace=None):
        """A server with no data, gone with its data afterwards; trace logs its syncs."""
        server = kind(self, label)
        try:
            server.start(trace)
            yield server
        finally:
            server.remove()

    def run(self, command, limit):
        done = subprocess.run(["taskset", "-c", self.load_cpu] + [str(c) for c in command], text=True,
                              capture_output=True, timeout=limit)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def seconds_of(self, command):
        begin = time.perf_counter()
        self.run(command, 600)
        return time.perf_counter() - begin

    def load(self, server, what, **flags):
        command = [self.bin / "load", what, "-addr", server.addr]
        if server.user:
            command += ["-user", server.user]
        for name, value in flags.items():
            command += [f"-{name}", value]
        return json.loads(self.run(command, 1200))

    def wrk(self, server, path, authorization="", accept=servers.MANIFEST, spread=()):
        """GETs at 16 connections for a while; spread = (count, suffix) rotates over numbered paths."""
        command = ["wrk", "-t1", "-c16", f"-d{self.seconds}s", "--timeout", "20s", "-s", LUA, "-H", f"Accept: {accept}"]
        if authorization:
            command += ["-H", f"Authorization: {authorization}"]
        command.append(f"http://{server.addr}{'/' if spread else path}")
        if spread:
            command += ["--", path, *map(str, spread)]
        out = self.run(command, 120)
        result = json.loads(out[out.index("JSON ") + 5:])
        if result["failed"] or not result["count"]:
            raise RuntimeError(f"{server.name} {path}: {result['failed']} failed of {result['count']} requests")
        return result

    def quiet(self):
        """Waits (ten seconds at most) until no server works off its last run, and nothing is left to write back."""
        os.sync()
        end, before = time.monotonic() + 10, None
        while time.monotonic() < end:
            now = [server.cpu_ticks() for server in servers.running]
            if before and sum(now) - sum(before) <= 1:
                return
            before = now
            time.sleep(.3)

    def paired(self, runs):
        """Runs every {name: callable} once a round, in turn and in alternating order; returns {name: [results]}."""
        results = {name: [] for name in runs}
        for n in range(self.rounds):
            order = list(runs) if n % 2 == 0 else list(reversed(runs))
            for name in order:
                self.quiet()
                results[name].append(runs[name]())
        return results


def worked(server):
    """Seconds of processor time that a server and its database have had until now."""
    programs = [server, getattr(server, "cluster", None)]
    return sum(program.cpu_ticks() for program in programs if program) / os.sysconf("SC_CLK_TCK")


def asked():
    """Ticks of processor time that programs have asked for since the machine started, and those that its host gave to other guests."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq + steal, steal


def stolen(since):
    """Which part of the processor time that programs asked for since then the host gave to other guests."""
    wanted, steal = (now - then for now, then in zip(asked(), since))
    return steal / wanted if wanted else 0


def median(values):
    return statistics.median(values) if values else None


def ratios(ours, theirs):
    """The median of the ratios of paired runs, which a slow minute of the machine moves less than it moves the runs."""
    return median([a / b for a, b in zip(ours, theirs)])


def column(results, name, key):
    return [r[key] for r in results.get(name, [])]


def line(name, unit, key, results, **more):
    """A line from the results of paired runs; nginx or another limit is under "limit"."""
    samples = {who: column(results, who, key) for who in results}
    return Line(name, unit, median(samples.get("wharf", [])), median(samples.get("distribution", [])),
                median(samples.get("limit", [])), samples=samples, **more)


def thousands(count):
    return f"{count:_}".replace("_", " ")

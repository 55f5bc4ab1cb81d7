"""Chooses the rows, runs them and prints the table. Started by ./run, which installs what is needed first."""

import argparse
import importlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import postgres
import rows
import servers
import table
from measure import Bench, Line, asked, stolen


def arguments():
    parser = argparse.ArgumentParser(prog="benches/run", description="Wharf, distribution v3 and nginx side by side.")
    parser.add_argument("--only", action="append", default=[], metavar="ROW",
                        help="run this row, or all whose names start so (again for more)")
    parser.add_argument("--rounds", type=int, help="paired runs of every row (default 3, with --quick 1)")
    parser.add_argument("--on", choices=["sqlite", "postgres"], default="sqlite",
                        help="the database of every Wharf: SQLite, or PostgreSQL on the same core (default sqlite)")
    parser.add_argument("--growth", action="store_true", help="also how rows grow from 10³ to 10⁶ rows, which takes half an hour")
    parser.add_argument("--quick", action="store_true", help="small sizes and short runs: tests the runner, not a server")
    parser.add_argument("--json", metavar="FILE", help="write lines and samples to FILE as well")
    parser.add_argument("--list", action="store_true", help="print the rows and exit")
    return parser.parse_args()


def chosen(only, growth=False):
    names = [name.replace("_", "-") for name in rows.ORDER]
    picked = [n for n in names if not only or any(n.startswith(o.replace("_", "-")) for o in only)]
    if not picked:
        raise SystemExit(f"benches: no row called {', '.join(only)}; there are {', '.join(names)}")
    modules = [(n, importlib.import_module("rows." + n.replace("-", "_"))) for n in picked]
    return [(n, row) for n, row in modules if only or growth or not getattr(row, "ONLY_WHEN_ASKED", False)]


def about(bench, args):
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
    version = subprocess.run([bench.wharf_bin, "--version"], text=True, capture_output=True, timeout=10).stdout.strip()
    database = f"PostgreSQL {postgres.version()}" if bench.on == "postgres" else "SQLite"
    return {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "wharf": version, "database": database, "cpu": cpu,
            "kernel": platform.release(), "cores": os.cpu_count(), "rounds": bench.rounds, "quick": args.quick,
            "load_before": os.getloadavg()[0]}


def main():
    args = arguments()
    if args.list:
        for name, row in chosen(args.only, growth=True):
            print(f"{name:20} {row.TITLE}")
        return 0
    home = Path(os.environ["BENCH_HOME"])
    wharf = Path(os.environ.get("WHARF_BIN") or Path(__file__).parent.parent / "target/release/wharf").resolve()
    if not os.access(wharf, os.X_OK):
        raise SystemExit(f"benches: no Wharf at {wharf} (cargo build --workspace --release, or set WHARF_BIN)")
    bench = Bench(home, wharf, args.rounds or (1 if args.quick else 3), args.quick, args.on)
    facts = about(bench, args)
    if facts["load_before"] > .5:
        print(f"benches: the machine is busy (load {facts['load_before']:.1f}); the numbers mean little", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lines, failed = [], 0
    try:
        for name, row in chosen(args.only, args.growth):
            print(f"benches: {name}: {row.TITLE}", file=sys.stderr, flush=True)
            since = asked()
            try:
                found = row.run(bench)
                share = stolen(since)
                for line in found:
                    line.stolen = share
                lines += found
            except Exception as fault:  # whatever it is, the other rows are still wanted
                failed += 1
                traceback.print_exc()
                lines.append(Line(name, "", note=f"FAILED: {fault}"))
    finally:
        servers.stop_all()
        shutil.rmtree(bench.work, ignore_errors=True)
        print(f"{facts['wharf'] or 'Wharf'} with {facts['database']} on {facts['cpu']}, kernel {facts['kernel']}, {facts['when']}, "
              f"{bench.rounds} rounds{', QUICK: sizes mean nothing' if args.quick else ''}\n")
        table.show(lines)
        if args.json:
            table.save(args.json, lines, facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""A PostgreSQL cluster for one Wharf: on the server's core beside it, on the same disk, and gone with its data."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

DATABASE = "wharf"

# Durable, as it comes; only the network is left out.
SETTINGS = "listen_addresses = ''\nlog_min_messages = warning\n"


class Cluster:
    def __init__(self, bench, folder):
        self.bench, self.dir, self.process = bench, Path(folder), None
        self.programs = programs()

    def url(self):
        return f"postgres://wharf@{str(self.socket).replace('/', '%2F')}/{DATABASE}"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self, trace=None):
        """Starts it, and makes it before if need be; with trace, its syncs are logged there."""
        if self.alive():
            return
        new = not self.dir.exists()
        if new:
            self.create()
        # The path of a socket is short, that of a benchmark's folder need not be.
        self.socket = Path(tempfile.mkdtemp(prefix="wharf-bench-"))
        give(self.socket)
        command = [self.programs / "postgres", "-D", self.dir / "data", "-k", self.socket]
        tracer = strace(trace) if trace else []
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(["taskset", "-c", self.bench.server_cpu] + tracer + as_owner(command), cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 60
        while subprocess.run([self.programs / "pg_isready", "-q", "-h", self.socket]).returncode:
            if not self.alive() or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start:\n{(self.dir / 'log').read_text()[-600:]}")
            time.sleep(.02)
        if new:
            self.run("createdb", DATABASE)

    def create(self):
        self.dir.mkdir(parents=True)
        give(self.dir)
        if subprocess.run(as_owner(["test", "-w", self.dir])).returncode:
            raise RuntimeError(f"the user {owner().pw_name} cannot reach {self.dir}: set BENCH_HOME to another folder")
        made = subprocess.run(as_owner([self.programs / "initdb", "-D", self.dir / "data", "-U", "wharf", "-A", "trust",
                                        "-E", "UTF8", "--locale=C.UTF-8"]), cwd="/", text=True, capture_output=True)
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr.strip()[-600:]}")
        with open(self.dir / "data" / "postgresql.conf", "a") as file:
            file.write(SETTINGS)

    def run(self, program, *arguments):
        """Runs one of PostgreSQL's programs and returns what it prints."""
        done = subprocess.run([self.programs / program, "-h", self.socket, "-U", "wharf", *arguments], text=True,
                              capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def psql(self, *arguments):
        """The command line of a psql that ends at the first error."""
        return [self.programs / "psql", "-h", self.socket, "-U", "wharf", "-XqAt", "-v", "ON_ERROR_STOP=1", *arguments, DATABASE]

    def postmaster(self):
        return int((self.dir / "data" / "postmaster.pid").read_text().split("\n")[0])

    def cpu_ticks(self):
        """Of the server, its processes, and those that have ended."""
        try:
            main = self.postmaster()
            children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        except OSError:
            return 0
        return ticks(main, 4) + sum(ticks(child, 2) for child in children)

    def stop(self):
        if not self.alive():
            return
        try:
            # The fast shutdown; a tracer ends with what it traces.
            os.kill(self.postmaster(), signal.SIGINT)
            self.process.wait(60)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            # The group holds only this cluster: it was started as a session of its own.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.socket, ignore_errors=True)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def strace(trace):
    # The filter runs in the kernel: other calls of the server do not stop.
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none",
            "-e", "trace=fsync,fdatasync,syncfs,sync,msync,sync_file_range", "-o", str(trace)]


def ticks(pid, count):
    """User and system time of a process, with four fields also of its ended children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:11 + count]))


def owner():
    """Who runs it instead of root, whom PostgreSQL refuses."""
    if os.getuid():
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def give(folder):
    if owner():
        os.chown(folder, owner().pw_uid, owner().pw_gid)


def as_owner(command):
    user = owner()
    if not user:
        return command
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"] + command


def programs():
    """The folder of initdb and its siblings: in the search path, or where Debian keeps them out of it."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parts[-2].isdigit()]
    folders += sorted(versions, key=lambda path: -int(path.parts[-2]))
    for folder in folders:
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_isready", "psql", "createdb")):
            return folder
    raise SystemExit("benches: PostgreSQL is not installed: run tests/install-tools postgresql")


def version():
    return subprocess.run([programs() / "postgres", "--version"], text=True, capture_output=True).stdout.split()[2]

"""The servers under test: each runs on one core, on loopback, in a folder of its own, and is stopped by its own pid."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from postgres import Cluster, strace

PASSWORD = "benchmark-only"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
running = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    name = ""
    ready_path = "/v2/"
    user = ""  # NAME:PASSWORD for loads that log in

    def __init__(self, bench, label="shared"):
        self.bench = bench
        self.dir = Path(bench.work) / f"{self.name}-{label}"
        self.cpu = bench.server_cpu
        self.process = None
        self.seeded = {}

    def command(self):
        raise NotImplementedError

    def start(self, trace=None):
        """Starts the server and returns the seconds from exec to the first good answer."""
        self.dir.mkdir(parents=True, exist_ok=True)
        self.addr = f"127.0.0.1:{free_port()}"
        command = [str(c) for c in self.command()]
        if trace:
            command = strace(trace) + command
        env = {k: v for k, v in os.environ.items() if not k.startswith("WHARF_")} | self.environment()
        log = open(self.dir / "server.log", "ab")
        begin = time.perf_counter()
        self.process = subprocess.Popen(["taskset", "-c", self.cpu] + command, env=env, cwd=self.dir,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        running.append(self)
        self.wait_ready(begin + 60)
        return time.perf_counter() - begin

    def environment(self):
        return {}

    def wait_ready(self, end):
        host, port = self.addr.split(":")
        request = f"GET {self.ready_path} HTTP/1.1\r\nHost: {self.addr}\r\nConnection: close\r\n\r\n".encode()
        while time.perf_counter() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} exited with {self.process.returncode}; see {self.dir}/server.log")
            try:
                with socket.create_connection((host, int(port)), timeout=2) as s:
                    s.sendall(request)
                    if s.recv(64).startswith(b"HTTP/1.1 200"):
                        return
            except OSError:
                pass
            time.sleep(0.001)
        raise RuntimeError(f"{self.name} is not ready; see {self.dir}/server.log")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.alive():
            # The group holds only this server (and its tracer): it was started as a session of its own.
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        if self in running:
            running.remove(self)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def memory(self, key):
        """VmRSS or VmHWM in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) / 1024

    def cpu_ticks(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def authorization(self, repo, kind="pull"):
        if not self.user:
            return ""
        return self.bench.load(self, "token", repo=repo, kind=kind)["authorization"]

    def get(self, path, authorization="", accept=MANIFEST):
        request = urllib.request.Request(f"http://{self.addr}{path}", headers={"Accept": accept})
        if authorization:
            request.add_header("Authorization", authorization)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def seed(self, what, repo, **flags):
        """Runs a seeding load once for this server's data and keeps what it returned."""
        key = json.dumps([what, repo, flags])
        if key not in self.seeded:
            self.seeded[key] = self.bench.load(self, what, repo=repo, **flags)
        return self.seeded[key]


class Wharf(Server):
    name = "wharf"
    ready_path = "/readyz"
    user = f"admin:{PASSWORD}"

    def __init__(self, bench, label="shared"):
        super().__init__(bench, label)
        self.cluster = Cluster(bench, self.dir / "postgres") if bench.on == "postgres" else None

    def start(self, trace=None):
        # Not in the time of a start: a database is there before its clients, and stays when they start again.
        if self.cluster and not self.cluster.alive():
            running.append(self.cluster)
            self.cluster.start(trace and f"{trace}-postgres")
        return super().start(trace)

    def command(self):
        return [self.bench.wharf_bin, "serve", "--data", self.dir / "data", "--listen", self.addr]

    def environment(self):
        database = {"WHARF_DATABASE_URL": self.cluster.url()} if self.cluster else {}
        return {"WHARF_ADMIN_PASSWORD": PASSWORD} | database

    def remove(self):
        self.stop()
        if self.cluster:
            self.cluster.remove()
            if self.cluster in running:
                running.remove(self.cluster)
        super().remove()

    def basic(self):
        return "Basic " + base64.b64encode(self.user.encode()).decode()


class Distribution(Server):
    name = "distribution"

    def storage(self):
        return f"filesystem: {{rootdirectory: {self.dir}/data, maxthreads: 100}}"

    def command(self):
        config = self.dir / "config.yml"
        config.write_text(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  {self.storage()}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "{self.addr}", secret: bench}}
""")
        return [self.bench.bin / "registry", "serve", config]

    def environment(self):
        return {"OTEL_TRACES_EXPORTER": "none"}


class Nginx(Server):
    """Files of the same bytes: what a static server can do on this machine."""
    name = "nginx"
    ready_path = "/ready"
    log = "off"

    def command(self):
        (self.dir / "ready").write_text("ready")
        config = self.dir / "nginx.conf"
        config.write_text(f"""daemon off; master_process off; user root;
error_log stderr; pid {self.dir}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log {self.log}; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=1000;
  client_body_temp_path {self.dir}/t1; proxy_temp_path {self.dir}/t2; fastcgi_temp_path {self.dir}/t3;
  uwsgi_temp_path {self.dir}/t4; scgi_temp_path {self.dir}/t5;
  default_type {MANIFEST};
  server {{ listen {self.addr}; root {self.dir}; }}
}}
""")
        return [shutil.which("nginx") or self.bench.bin / "nginx", "-p", self.dir, "-c", config, "-e", "stderr"]

    def place(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class LoggingNginx(Nginx):
    """Nginx that writes down every request, as Wharf does, many at once."""
    name = "nginx-logging"
    log = "access.log combined buffer=64k flush=1s"


class Floor(Server):
    """What hyper and tokio, on which Wharf stands, reach with nothing to do but to look for one header (floor/)."""
    name = "floor"
    ready_path = "/ready"

    def command(self):
        return [self.bench.bin / "floor", self.addr, self.dir / "manifest"]

    def place(self, content):
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "manifest").write_bytes(content)


def stop_all():
    # Databases were started before their clients.
    for server in reversed(list(running)):
        server.stop()

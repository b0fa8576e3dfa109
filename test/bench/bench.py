# SPDX-License-Identifier: ISC
"""What is measured stands here: a fast provider, the agent or another customer
beside it, and smtp-sink behind."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

PATIENCE = 300  # seconds for one run


class Bench:
    def __init__(self, args, folder):
        self.agent = os.path.abspath(args.agent)
        self.tools = os.path.abspath(args.tools)
        self.folder = folder
        self.repeat = args.repeat
        self.certificate = self.path("certificate.pem")
        self.key = self.path("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
             "-keyout", self.key, "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, name):
        return os.path.join(self.tools, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            f.write(text)
        return self.path(name)

    def provider(self, tls, mode, count, octets, *text):
        options = ["-t", self.certificate, self.key] if tls else []
        return subprocess.Popen(
            [self.tool("provider"), *options, mode, str(count), str(octets),
             *text],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def measure(self, command, environment=None):
        """Exit status, CPU seconds, peak memory in KiB, seconds and what it
        said of a command."""
        done = subprocess.run(
            [self.tool("measure"), *command], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
            env=environment, check=False)
        status, cpu, peak, wall = done.stderr.splitlines()[-1].split()
        return int(status), float(cpu), int(peak), float(wall), done.stderr

    def fetched(self, command_for, tls, mode, count, octets):
        """Seconds, CPU seconds and peak of a customer, or None."""
        provider = self.provider(tls, mode, count, octets)
        try:
            port = int(provider.stdout.readline())
            status, cpu, peak, _, errors = self.measure(
                *command_for(port, tls))
            if status not in (0, 1):
                print(errors, file=sys.stderr)
                return None
        finally:
            provider.terminate()
            output, complaint = provider.communicate()
        if not output.strip():
            print(complaint or errors, file=sys.stderr)
            return None
        return float(output), cpu, peak

    def agent_command(self, port, tls, delivery=None):
        # All messages are the same: what an earlier run left in the ledger, and
        # with BDAT nothing strikes that out, would be told and not delivered.
        shutil.rmtree(self.path("state"), ignore_errors=True)
        config = self.write("agent.yaml", f"""\
hostname: bench.example.org
state_dir: {self.path("state")}
accounts:
  bench:
    provider: 127.0.0.1:{port}
    tls: {"implicit" if tls else "off"}
    tls_ca_file: {self.certificate}
    user: office
    password: bench
    domains: example.org
    drain: no
deliveries:
  sink: {delivery or "{lmtp: " + self.path("sink") + "}"}
""")
        return [self.agent, "-q", "-c", config, "fetch", "bench"], None

    def fetchmail_command(self, port, tls):
        ssl = (f"ssl sslcertfile {self.certificate}" if tls
               else "sslproto ''")
        config = self.write("fetchmailrc", f"""\
poll 127.0.0.1 protocol ODMR port {port} auth cram-md5
user "office" password "bench" fetchdomains "example.org"
smtphost "127.0.0.1/{self.tcp_port}" {ssl}
""")
        home = {"HOME": self.folder, "PATH": os.environ["PATH"]}
        return [shutil.which("fetchmail"), "-f", config, "--silent",
                "--pidfile", self.path("fetchmail.pid")], home

    def directly(self, mode, count, octets):
        mode = "pipelined" if mode == "bdat" else mode
        return self.sent_to(self.tcp_port, mode, count, octets)

    def sent_to(self, port, mode, count, octets):
        """Seconds of the provider as the client of a server at this port."""
        done = subprocess.run(
            [self.tool("provider"), "-d", "127.0.0.1", str(port),
             mode, str(count), str(octets)],
            stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        return float(done.stdout), None, None

    def floor(self):
        """Its CPU seconds and peak memory in KiB."""
        with self.serving(True) as port:
            status, cpu, peak, _, errors = self.measure(
                self.floor_command(port))
        if status != 0:
            sys.exit(f"the floor program failed: {errors}")
        return cpu, peak

    def floor_command(self, port):
        return [self.tool("floor"), f"https://127.0.0.1:{port}",
                self.certificate]

    @contextlib.contextmanager
    def serving(self, tls, mode="lockstep", count=0, octets=4096, *text):
        """The port of a provider."""
        provider = self.provider(tls, mode, count, octets, *text)
        try:
            yield int(provider.stdout.readline())
        finally:
            provider.terminate()
            provider.communicate()

    def start_sinks(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.tcp_port = probe.getsockname()[1]
        sinks = [sink_at(f"127.0.0.1:{self.tcp_port}"),
                 sink_at("unix:" + self.path("sink"), "-L")]
        for family, address in (
                (socket.AF_INET, ("127.0.0.1", self.tcp_port)),
                (socket.AF_UNIX, self.path("sink"))):
            wait_for(family, address)
        return sinks

    def start_relays(self):
        """Processes of the relays, and the port of each by its name."""
        path = self.path("relayed")
        started = [sink_at("unix:" + path)]
        wait_for(socket.AF_UNIX, path)
        ports = {}
        for name, *file in (("relay",), ("and ledger", self.path("lines"))):
            relay = subprocess.Popen([self.tool("relay"), path, *file],
                                     stdout=subprocess.PIPE, text=True)
            started.append(relay)
            ports[name] = int(relay.stdout.readline())
        return started, ports


def sink_at(address, *options):
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return subprocess.Popen(["smtp-sink", *user, *options, address, "100"])


def wait_for(family, address):
    for _ in range(500):
        with socket.socket(family) as probe:
            if probe.connect_ex(address) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"smtp-sink does not listen at {address}")

# SPDX-License-Identifier: ISC
"""
rig - a session of three messages that can be broken at any point, and the
judgement of what became of them.

A Rig has a folder, a configuration, local stores, and a listening provider. A
Point is one try: an empty ledger, empty stores, three messages; the agent is
started until the provider's queue is empty. Then every recipient must have
each of its messages exactly once, and be told nothing false.
"""
import collections
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for part in ("provider", "integration"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), part))

from held import Held, Message  # noqa: E402
from patience import Patience  # noqa: E402
import stage  # noqa: E402
from stores import Maildir, Sendmail, Server, SharedMaildir  # noqa: E402
from wire import Broken, Wire  # noqa: E402

RUN_LIMIT = 40  # seconds of one run of the agent: no limit of its own is as long
RUNS_MAX = 40  # starts until the queue must be empty
STATUSES = (0, 64, 67, 69, 70, 71, 75, 76, 77, 78)  # odmr-agent(8)

ONE = [["user@example.org"], ["user@example.org"], ["user@example.org"]]
SEVERAL = [["one@example.org", "two@example.com"],
           ["later@example.org", "two@example.com", "three@example.org"],
           ["one@example.org", "never@example.com", "three@example.org"]]
SHARED = [["one@example.org", "one@example.com"], ["two@example.org"],
          ["two@example.com", "two@example.org"]]
PLAIN = [["one@example.org", "two@example.com"], ["three@example.org"],
         ["two@example.com", "one@example.org"]]

# name: stores by the name of their delivery, recipients of the three messages
KINDS = {
    "lmtp": (lambda f: {"local": Server(f, True)}, ONE),
    "lmtp-several": (lambda f: {"local": Server(
        f, True, ["later@example.org"], ["never@example.com"])}, SEVERAL),
    "smtp": (lambda f: {"local": Server(
        f, False, ["later@example.org"], ["never@example.com"])}, SEVERAL),
    "sendmail": (lambda f: {"local": Sendmail(f)}, PLAIN),
    "maildir": (lambda f: {"local": Maildir(f)}, PLAIN),
    "routes": (lambda f: {"local": Server(
        f, True, ["later@example.org"], ["never@example.com"]),
        "boxes": Maildir(f)}, SEVERAL),
}
# Where the connection is cut makes no difference to these.
KILLED_KINDS = dict(KINDS, **{
    "maildir-shared": (lambda f: {"local": SharedMaildir(f)}, SHARED)})
NEVER = "never@example.com"
UNLIKE = ("later@example.org", NEVER)

LINES = (["A line.", ".", "..dots", "The first message ends."],
         ["Another line, longer than the first of the first message."],
         ["Third.", "", ".."])


class Setup:
    """What all jobs share."""

    def __init__(self, agent, tools, certificates, full, scratch):
        self.agent = agent
        self.tools = tools  # the folder of steps and nomem.so
        self.certificates = certificates
        self.full = full
        self.scratch = scratch


class Wrong(Exception):
    """What the oracle found."""


class Point:
    """One try: the queue, and what was seen of the agent meanwhile."""

    def __init__(self, held):
        self.held = held
        self.statuses = []
        self.wires = []
        self.max_seconds = 0.0


class Rig:
    def __init__(self, folder, setup, kind, mode, tls=False, limit="20s",
                 timeout=None):
        certificates = setup.certificates if tls else None
        os.mkdir(folder)
        self.folder = folder
        self.agent = setup.agent
        self.name = "%s %s %s" % (kind, mode, "tls" if tls else "clear")
        self.mode = mode
        make, self.rcpts = KILLED_KINDS[kind]
        self.stores = make(folder)
        for store in self.stores.values():
            if timeout and "timeout" in store.config:
                store.config["timeout"] = timeout
        self.context = None
        if certificates:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificates.good.cert,
                                         certificates.good.key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.config = os.path.join(folder, "odmr-agent.yaml")
        self._configure(certificates, limit)
        self.output = os.path.join(folder, "output")
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.lower().endswith("_proxy")}

    def _configure(self, certificates, limit):
        account = {"provider": "127.0.0.1:%d" % self.listener.getsockname()[1],
                   "user": "office", "password": "secret-of-office",
                   "domains": ["example.org", "example.com"],
                   "tls": "starttls" if certificates else "off",
                   "auth": ["PLAIN" if certificates else "CRAM-MD5"],
                   "soft_bounce": False, "provider_timeout": limit,
                   "connect_timeout": limit}
        if certificates:
            account["tls_ca_file"] = certificates.authority.cert
        config = {"hostname": "mail.example.org",
                  "state_dir": os.path.join(self.folder, "state"),
                  "log": "stderr",
                  "accounts": {"office": account},
                  "deliveries": {n: s.config for n, s in self.stores.items()}}
        if len(self.stores) > 1:
            config["routes"] = [{"recipients": ["two@*", "three@*"],
                                 "deliver": "boxes"}, {"deliver": "local"}]
        with open(self.config, "w", encoding="ascii") as file:
            file.write(stage.yaml(config))
        os.chmod(self.config, 0o600)

    # One point

    def point(self):
        """A fresh start: nothing is known, nothing is stored."""
        state = os.path.join(self.folder, "state")
        shutil.rmtree(state, ignore_errors=True)
        os.mkdir(state)
        for store in self.stores.values():
            store.clear()
        messages = [Message(n, list(r), l)
                    for n, (r, l) in enumerate(zip(self.rcpts, LINES), 1)]
        if os.path.exists(self.output):
            os.truncate(self.output, 0)
        return Point(Held(messages, self.mode))

    def command(self):
        return [self.agent, "-c", self.config, "fetch", "office"]

    def run(self, point, breaks=None, command=None, environment=None):
        """One run of the agent, its first connection with that break."""
        with open(self.output, "ab") as out:
            child = subprocess.Popen(
                command or self.command(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, process_group=0,
                env=dict(self.environment, **(environment or {})))
        begun = time.monotonic()
        pidfd = os.pidfd_open(child.pid)
        point.held.begin()
        try:
            self._serve_until(point, pidfd, Patience(RUN_LIMIT), breaks)
        finally:
            os.close(pidfd)
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
        point.statuses.append(status)
        point.max_seconds = max(point.max_seconds, time.monotonic() - begun)
        return status

    def _serve_until(self, point, pidfd, patience, breaks):
        while True:
            left = patience.left()
            ready = select.select([self.listener, pidfd], [], [], left)[0]
            if self.listener in ready:
                sock = self.listener.accept()[0]
                self._serve(point, Wire(sock, breaks))
                breaks = None
            elif pidfd in ready:
                return
            elif not left:
                raise Wrong("the agent did not end within %d s" % RUN_LIMIT)

    def _serve(self, point, wire):
        point.wires.append(wire)
        try:
            if point.held.turn(wire, self.context):
                point.held.serve(wire)
            else:
                wire.until_end()
        except Broken:
            pass
        finally:
            wire.close()

    def drain(self, point):
        """Starts the agent until the provider has nothing more."""
        for _ in range(RUNS_MAX):
            if not point.held.left():
                return
            status = self.run(point)
            if status not in (0, 67, 75):
                raise Wrong("a run that nothing disturbed: status %d" % status)
        raise Wrong("still held after %d runs: %s" % (RUNS_MAX, {
            m.sender: m.waiting() for m in point.held.left()}))

    def heal(self):
        """The local side works from now on."""
        for store in self.stores.values():
            store.heal()

    # Judgement

    def taken(self):
        """How often each (recipient, text) lies in the stores."""
        for store in self.stores.values():
            store.settle()
        return collections.Counter(
            pair for store in self.stores.values() for pair in store.taken())

    def judge(self, point, twice=()):
        """Everybody has each message once; those in twice at most twice."""
        taken = self.taken()
        for message in point.held.messages:
            text = message.text.replace(b"\r\n", b"\n")
            for rcpt in message.rcpts:
                count = taken.pop((rcpt, text), 0)
                wanted = (1,)
                if rcpt == NEVER:
                    wanted = (0,)
                elif (message.sender, rcpt) in twice:
                    wanted = (1, 2)
                if count not in wanted:
                    raise Wrong("%s has the message of %s %d times" % (
                        rcpt, message.sender, count))
                code = message.told[rcpt]
                if code // 100 != (5 if wanted == (0,) else 2):
                    raise Wrong("%s was told %d for %s" % (
                        message.sender, code, rcpt))
        if taken:
            raise Wrong("something else arrived: %r" % taken)

    def is_mixed(self, sender):
        """Whether this message has different outcomes for its recipients."""
        rcpts = self.rcpts[int(sender[len("sender")]) - 1]
        return any(r in UNLIKE for r in rcpts)

    def said(self):
        """What the agent wrote, for the report of a failure."""
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def broke(self):
        """What `steps` has written: how many calls, and whether it broke one."""
        with open(os.path.join(self.folder, "steps"), encoding="ascii") as file:
            count, broken = file.read().split()
        return int(count), broken == "1"

    def remove(self):
        self.listener.close()
        shutil.rmtree(self.folder)


def steps(rig, setup, at, *fault):
    """The command that runs the agent and breaks it at a system call, counted
    from the one that opens the configuration."""
    return [os.path.join(setup.tools, "steps"), os.path.join(rig.folder, "steps"),
            rig.config, str(at)] + [str(f) for f in fault] + rig.command()


def counted_steps(rig, setup, *kind):
    """How many system calls, of a kind, a session has that nothing breaks."""
    rig.run(rig.point(), command=steps(rig, setup, 0, *(kind + (0,) * len(kind))))
    return rig.broke()[0]

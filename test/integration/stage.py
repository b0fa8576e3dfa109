# SPDX-License-Identifier: ISC
"""
stage - what a case works with: a scratch folder, a configuration, the agent,
a provider and local servers, all ended when the case ends.

Every run of the agent is checked for what must never be: a secret in any
output, a report of a sanitizer, a death by signal.
"""
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "provider"))

import mail  # noqa: E402
import servers  # noqa: E402
from certificate import Authority, self_signed  # noqa: E402
from doubles import Local  # noqa: E402
from line import Log  # noqa: E402
from patience import slowness  # noqa: E402
from provider import Provider  # noqa: E402
from servers import Skip, until  # noqa: E402
from turned import Folder, Join, Scripts, dotted, hold  # noqa: E402

PASSWORD = "geheim-7Kq/wort"
DOMAINS = ("example.org", "example.com")
# The agent lets nobody but root trace it, and so search it for leaks.
NO_LEAK_SEARCH = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0"}
RUN_LIMIT = 90  # seconds that one run of the agent may take on a quiet machine
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|"
                       r"Assertion .* failed")


def yaml(value, indent=0):
    """A nested dict as the block style that people write."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines.append("%s%s:" % (" " * indent, key))
            lines.append(yaml(item, indent + 4).rstrip("\n"))
        else:
            lines.append("%s%s: %s" % (" " * indent, key, flow(item)))
    return "\n".join(lines) + "\n"


def flow(item):
    if item is True or item is False:
        return "yes" if item else "no"
    if isinstance(item, (list, tuple)):
        return "[%s]" % ", ".join(flow(i) for i in item)
    if isinstance(item, dict):
        return "{%s}" % ", ".join("%s: %s" % (k, flow(v)) for k, v in item.items())
    return json.dumps(item)


class Run:
    """One run of the agent that has ended."""

    def __init__(self, args, status, out, err):
        self.args = args
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self):
        return "odmr-agent %s: status %s\nstdout: %s\nstderr: %s" % (
            " ".join(self.args), self.status, self.out[-1500:], self.err[-3000:])

    @property
    def line(self):
        """The last line on standard output."""
        return self.out.strip().split("\n")[-1]


class Certificates:
    """Made once for a run of the tests."""

    def __init__(self, folder):
        self.authority = Authority(folder)
        here = "DNS:localhost,DNS:provider.example,IP:127.0.0.1,IP:::1"
        self.good = self.authority.issue("good", "provider.example", here)
        self.other_name = self.authority.issue("other", "other.example",
                                               "DNS:other.example")
        self.expired = self.authority.issue("expired", "provider.example", here,
                                            end="20210101000000Z")
        soon = time.gmtime(time.time() + 5.5 * 24 * 3600)
        self.soon = self.authority.issue("soon", "provider.example", here,
                                         end=time.strftime("%Y%m%d%H%M%SZ", soon))
        self.client = self.authority.issue("client", "customer", "DNS:customer.example")
        self.office = self.authority.issue("office", "office", "DNS:customer.example")
        self.alone = self_signed(folder, "alone", "provider.example",
                                 alternatives=here)


class Stage:
    def __init__(self, agent, folder, certificates):
        self.binary = agent
        self.folder = folder
        self.certificates = certificates
        self.config_file = self.path("odmr-agent.yaml")
        self.config = None
        self.providers = []
        self._ends = []
        self._running = []
        self._runs = 0
        self._slowness = None
        self.progress = lambda: None  # told whenever a run has ended

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def sub(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    # Those that the agent speaks to

    def provider(self, *scripts, source=None, tls="off", users=None, **options):
        """A provider whose turned lines are served by the scripts, one a call,
        or by a source. Its customer is office."""
        if source is None:
            source = Scripts(*scripts)
        log = Log(self.path("provider%d.log" % len(self.providers)))
        if tls != "off":
            options.setdefault("certificate", self.certificates.good)
        provider = Provider(source, tls=tls, log=log, timeout=30,
                            users=users or {"office": PASSWORD}, **options)
        self.providers.append(provider)
        return provider

    def folder_source(self, *messages, **options):
        """A Folder that holds messages: (sender, recipients, text)."""
        folder = self.path("held")
        for number, (sender, rcpts, text) in enumerate(messages):
            hold(folder, "%03d" % number, sender, rcpts, text)
        return Folder(folder, **options)

    def join(self):
        join = Join(log=Log(self.path("join.log")))
        return join

    def local(self, name="local.sock", tcp=False, **options):
        """A scripted LMTP or SMTP server of the local side."""
        server = Local(None if tcp else self.path(name), **options)
        self._ends.append(server.close)
        return server

    def dovecot(self, *users, utf8=False):
        return self._server(servers.Dovecot, "dovecot", list(users), utf8)

    def postfix(self, *users, relay=None, name="postfix", extra="", start=True):
        return self._server(servers.Postfix, name, list(users), relay, extra, start)

    def exim(self, relay=None, name="exim"):
        return self._server(servers.Exim, name, relay)

    def _server(self, kind, name, *args):
        server = kind(self.sub(name), *args)
        self._ends.append(server.end)
        return server

    def at_end(self, function):
        self._ends.append(function)

    # The agent

    def slowness(self):
        """Measured once for a case; for limits that are the agent's own."""
        if self._slowness is None:
            self._slowness = slowness()
        return self._slowness

    def seconds(self, count, most=3600):
        """A limit of a configuration that only what hangs may reach: so many
        seconds on a quiet machine, and no more than the key takes."""
        return "%ds" % min(math.ceil(count * self.slowness()), most)

    def account(self, provider, **keys):
        """An account's keys; a key set to None is left out."""
        account = {"provider": provider if isinstance(provider, str)
                   else provider.address,
                   "user": "office", "password": PASSWORD, "domains": DOMAINS,
                   "tls": "off", "soft_bounce": False,
                   "provider_timeout": self.seconds(20)}
        if isinstance(provider, Provider) and provider.tls != "off":
            account["tls"] = provider.tls
            account["tls_ca_file"] = self.certificates.authority.cert
        account.update(keys)
        return {k: v for k, v in account.items() if v is not None}

    def configure(self, provider=None, deliver=None, accounts=None, top=None,
                  **keys):
        """Writes the configuration: one account, office, and one delivery,
        local (by default a Maildir under mail/), unless more are given."""
        if accounts is None:
            accounts = {"office": self.account(provider, **keys)}
        self.config = {"hostname": "mail.example.org",
                       "state_dir": self.sub("state"), "accounts": accounts,
                       "deliveries": {"local": deliver or self.maildir()}}
        self.config.update(top or {})
        self.write("odmr-agent.yaml", yaml(self.config))

    def maildir(self, **keys):
        self.maildirs("mail")
        return dict({"maildir": self.path("mail") + "/{domain}/{user}",
                     "create": True, "sync": False}, **keys)

    def maildirs(self, name):
        """A folder for Maildirs, marked as one that holds none yet."""
        with open(os.path.join(self.sub(name), ".odmr-agent"), "wb"):
            return self.path(name)

    def mail(self, address):
        """What the Maildir delivery of configure() has stored for an address."""
        user, _, domain = address.rpartition("@")
        return mail.maildir(self.path("mail", domain, user))

    def command(self, *args):
        return [self.binary, "-c", self.config_file] + list(args)

    def environment(self, extra=None):
        environment = {k: v for k, v in os.environ.items()
                       if not k.lower().endswith("_proxy")}
        environment["ASAN_OPTIONS"] = "exitcode=99:detect_leaks=%d" % (
            os.geteuid() == 0)
        environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
        environment.update(extra or {})
        return environment

    def run(self, *args, env=None, command=None, stdin=subprocess.DEVNULL):
        """Runs the agent to its end."""
        child = self.start(*args, env=env, command=command, stdin=stdin)
        return self.finish(child)

    def start(self, *args, env=None, command=None, stdin=subprocess.DEVNULL,
              **options):
        """Starts the agent; finish() waits for it."""
        self._runs += 1
        base = self.path("run%03d" % self._runs)
        with open(base + ".out", "wb") as out, open(base + ".err", "wb") as err:
            options.setdefault("stdout", out)
            options.setdefault("stderr", err)
            child = subprocess.Popen(
                command or self.command(*args), stdin=stdin,
                env=self.environment(env), **options)
        child.base = base
        child.words = list(args)
        self._running.append(child)
        return child

    def finish(self, child, limit=RUN_LIMIT, killed=False):
        try:
            servers.ended(child, limit)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGABRT)
            child.wait()
            raise AssertionError("the agent did not end within %s s: %s" % (
                limit, " ".join(child.words))) from None
        self.progress()
        run = self.output(child)
        if SANITIZER.search(run.err):
            raise AssertionError("a sanitizer reports: %r" % run)
        if child.returncode < 0 and not killed:
            raise AssertionError("the agent died of signal %d: %r" % (
                -child.returncode, run))
        self.check_secrets(run)
        return run

    def output(self, child):
        """What a run has written so far."""
        texts = []
        for part in (".out", ".err"):
            with open(child.base + part, encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
        return Run(child.words, child.returncode, *texts)

    def check_secrets(self, run):
        secrets = [s for p in self.providers for s in p.secrets()]
        texts = {"stdout": run.out, "stderr": run.err}
        for path, text in mail.files(self.path("state", "status")):
            texts[path] = text.decode(errors="replace")
        for where, text in texts.items():
            for secret in secrets:
                if secret in text:
                    raise AssertionError("a secret is shown in %s: %r" % (where, run))

    def fetch(self, *args, status=0, **options):
        """`fetch`, whose exit status must be this."""
        run = self.run("fetch", *args, **options)
        return self.expect(run, status)

    def expect(self, run, status, *words):
        """Asserts the exit status, and words in what was written."""
        self.check_provider()
        assert run.status == status, "status %s, expected %s: %r" % (
            run.status, status, run)
        for word in words:
            assert re.search(word, run.out + run.err, re.IGNORECASE), \
                "no %r in %r" % (word, run)
        return run

    def check_provider(self):
        """What the provider's scripts found wrong."""
        for provider in self.providers:
            provider.wait()
            assert not provider.failures, "the provider: %s" % provider.failures[0]

    def status(self, account="office"):
        """The status file of an account; {}: it has none yet."""
        try:
            with open(self.path("state", "status", account + ".json"),
                      encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def change_status(self, **keys):
        """Another past for office."""
        status = self.status()
        status.update(keys)
        self.write("state/status/office.json", json.dumps(status), mode=0o640)

    # Comparing

    def assert_mail(self, address, *sent):
        wrong = mail.same(self.mail(address), sent)
        assert wrong is None, "%s: %s" % (address, wrong)

    def end(self):
        for child in self._running:
            if child.poll() is None:
                child.kill()
                child.wait()
        for provider in self.providers:
            provider.close()
        for end in reversed(self._ends):
            end()


def ago(days):
    """A time as in status files."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))


def rows(*table):
    """Makes a case of each row: its name, then the further arguments."""
    def mark(function):
        function.rows = table
        return function
    return mark


def waits(function):
    """Marks a case that mostly waits for a time of ours to pass, a minute or
    so: it runs beside those that use the processor, and begins before them."""
    function.waits = True
    return function


# Scripts that many cases begin and end with

def hello(line):
    """Greeting and EHLO of the turned line; returns the keywords."""
    line.expect(220)
    return line.command("EHLO provider.example", 250).lines[1:]


def goodbye(line):
    line.goodbye()


def no_mail(line):
    """A whole script: nothing to send."""
    hello(line)
    goodbye(line)


def deliver(line, text, *rcpts, sender="sender@remote.example", expect=250,
            rcpt_expect=250):
    """One message in lockstep; returns the reply to its end."""
    line.command("MAIL FROM:<%s>" % sender, 250)
    for rcpt in rcpts or ("user@example.org",):
        line.command("RCPT TO:<%s>" % rcpt, rcpt_expect)
    line.command("DATA", 354)
    line.send(dotted(text))
    return line.expect(expect)


def one_message(text, *rcpts, **options):
    """A whole script: one message, then QUIT."""
    def script(line):
        hello(line)
        deliver(line, text, *rcpts, **options)
        goodbye(line)
    return script


__all__ = ["DOMAINS", "NO_LEAK_SEARCH", "PASSWORD", "Certificates", "Skip", "Stage",
           "ago", "deliver", "dotted", "goodbye", "hello", "no_mail", "one_message",
           "rows", "until", "waits"]

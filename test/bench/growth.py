#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
growth.py --agent PROGRAM [--check] [NAME...]: what the agent spends when there is
twice as much of something, in instructions of user space, counted by callgrind: the
same on every machine but for some hundredths. Each row of a table has twice the number of the row before.
The growth is what this doubling added, compared with what the one before added: 2 is
linear, 4 is quadratic; what is spent once falls out. With --check only the last three
rows of a table are counted, of the CHEAP ones where none is named, and a table fails
whose growth is LIMIT or more there.
"""
import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "integration"),
                os.path.join(os.path.dirname(HERE), "provider")]
sys.dont_write_bytecode = True

from clock import standing_clock  # noqa: E402
from stage import Skip, Stage, deliver, dotted, goodbye, hello, until  # noqa: E402

# n log n grows by 2.2 from 500 to 1,000.
LIMIT = 2.3
FEW = 64  # messages where it is not their number that grows
TEXT = b"From: a@remote.example\r\nSubject: x\r\n\r\nHello\r\n"


class Count(Stage):
    """A stage whose runs of the agent are counted."""

    def __init__(self, agent, folder):
        super().__init__(os.path.abspath(agent), folder, None)

    def counted(self, *args):
        # A session is a fork and begins with the counts of its parent. With --skip-plt,
        # which is callgrind's default, some of them would be left.
        return ["valgrind", "--tool=callgrind", "--skip-plt=no",
                "--zero-before=worker_main",
                "--callgrind-out-file=/dev/null",
                "--log-file=" + self.path("counts.%p")] + self.command(*args)

    def instructions(self, *args, status=(0,), env=None):
        run = self.run(*args, env=env, command=self.counted(*args))
        self.check_provider()
        if run.status not in status:
            sys.exit("%s: %r" % (self.folder, run))
        return self.sum()

    def sum(self):
        found = 0
        for name in os.listdir(self.folder):
            if name.startswith("counts."):
                with open(self.path(name), encoding="utf-8") as file:
                    found += sum(int(n.replace(",", "")) for n in
                                 re.findall(r"I +refs: +([\d,]+)", file.read()))
                os.unlink(self.path(name))
        return found

    def fetched(self, script, **options):
        """A session that gets what a script gives."""
        provider = self.provider(script)
        keys = {"domains": ["example.org"]}
        keys.update(options.pop("account", {}))
        self.configure(provider, **options, **keys)
        return self.instructions("-q", "fetch", status=(0, 67, 75))

    def lmtp(self, **options):
        return {"lmtp": self.local(**options).address}


#
# Accounts
#

def many(count, **keys):
    return {"account%d" % n: dict(
        {"provider": "provider%d.example" % n, "user": "user%d" % n,
         "password": "secret-%d" % n, "domains": "domain%d.example" % n}, **keys)
            for n in range(count)}


def accounts_check(stage, count):
    stage.configure(accounts=many(count))
    return stage.instructions("-q", "check")


def accounts_status(stage, count):
    stage.configure(accounts=many(count))
    return stage.instructions("-q", "status", status=(0, 75))


def accounts_run(stage, count):
    """From the start of `run` until it sleeps, and its end."""
    day = time.strftime("%a", time.localtime(time.time() + 3 * 86400)).lower()
    stage.configure(accounts=many(count, schedule={"days": day, "every": "5m"}))
    args = ["-q", "run"]
    child = stage.start(*args, command=stage.counted(*args))
    last = stage.path("state", "status", "account%d.json" % (count - 1))
    until(lambda: os.path.exists(last), 60, "the plan of the last account")
    child.send_signal(signal.SIGTERM)
    stage.finish(child)
    return stage.sum()


def accounts_fetch(stage, count, env=None, **top):
    """A session of each, without mail."""
    provider = stage.provider()
    accounts = many(count, provider=provider.address, tls="off", user="office",
                    password="geheim-7Kq/wort")
    stage.configure(accounts=accounts, top=top)
    return stage.instructions("-q", "fetch", env=env)


def accounts_public(stage, count):
    """The same with the files about all accounts, which are written at the end. How
    often before depends on how long the sessions last, not on how many there are:
    so the clock stands."""
    return accounts_fetch(stage, count, standing_clock(stage),
                          metrics_file=stage.path("metrics"),
                          status_page=stage.path("page.html"))


#
# Messages of a session
#

def messages(count, rcpt="user@example.org", **options):
    def script(line):
        hello(line)
        for n in range(count):
            deliver(line, b"X-Number: %d\r\n" % n + TEXT, rcpt, **options)
        goodbye(line)
    return script


def messages_lmtp(stage, count):
    return stage.fetched(messages(count), deliver=stage.lmtp())


def messages_maildir(stage, count):
    return stage.fetched(messages(count))


def messages_deferred(stage, count):
    """At the end of each, so that each gets an entry in the ledger."""
    full = {"END": lambda _server, _rcpt: "452 4.2.2 Full"}
    return stage.fetched(messages(count, expect="4"),
                         deliver=stage.lmtp(answers=full))


def messages_deferred_early(stage, count):
    full = {"RCPT": lambda _server, _rcpt: "452 4.2.2 Full"}

    def script(line):
        hello(line)
        for n in range(count):
            line.command("MAIL FROM:<a%d@remote.example> SIZE=%d" % (n, 500 + n),
                         250)
            line.command("RCPT TO:<user%d@example.org>" % n, "4")
        goodbye(line)
    return stage.fetched(script, deliver=stage.lmtp(answers=full))


def messages_refused(stage, count):
    unknown = {"RCPT": lambda _server, _rcpt: "550 5.1.1 Unknown"}

    def script(line):
        hello(line)
        for n in range(count):
            line.command("MAIL FROM:<a@remote.example>", 250)
            line.command("RCPT TO:<user%d@example.org>" % n, "5")
        goodbye(line)
    return stage.fetched(script, deliver=stage.lmtp(answers=unknown))


#
# Recipients of a message
#

def recipients(count, expect=250):
    """One pipelined group, as Postfix sends it."""
    def script(line):
        hello(line)
        group = ["MAIL FROM:<a@remote.example>"]
        group += ["RCPT TO:<user%d@example.org>" % n for n in range(count)]
        line.send("".join(c + "\r\n" for c in group).encode())
        for _ in group:
            line.expect(250)
        line.command("DATA", 354)
        line.send(dotted(TEXT))
        line.expect(expect)
        goodbye(line)
    return script


def recipients_lmtp(stage, count):
    return stage.fetched(recipients(count), deliver=stage.lmtp())


def recipients_mixed(stage, count):
    """Half of them deferred at the end: one answer for all, and the ledger."""
    def answer(_server, rcpt):
        return None if int(rcpt[4:rcpt.index("@")]) % 2 else "452 4.2.2 Full"
    return stage.fetched(recipients(count, expect="4"),
                         deliver=stage.lmtp(answers={"END": answer}))


def recipients_maildir(stage, count):
    return stage.fetched(recipients(count))


def recipients_sendmail(stage, count):
    return stage.fetched(recipients(count),
                         deliver={"sendmail": ["/bin/sh", "-c", "exec cat >/dev/null"]})


def recipients_smtp(stage, count):
    local = stage.local(tcp=True, lmtp=False)
    return stage.fetched(recipients(count), deliver={"smtp": local.address})


#
# Domains
#

def names(count):
    return ["domain%d.example" % n for n in range(count)]


def domains_check(stage, count):
    stage.configure("provider.example", domains=names(count))
    return stage.instructions("-q", "check")


def domains_asked(stage, count):
    """A poll without mail, of many lists of 512 octets."""
    stage.configure(stage.provider(), domains=names(count))
    return stage.instructions("-q", "fetch", status=(0, 75))


def to_some(count):
    """As many messages whatever the count, spread over all domains."""
    def script(line):
        hello(line)
        for n in range(FEW):
            deliver(line, TEXT, "user@domain%d.example" % (n * count // FEW))
        goodbye(line)
    return script


def domains_accepted(stage, count):
    return stage.fetched(to_some(count), deliver=stage.lmtp(),
                         account={"accept": names(count)})


def domains_refused(stage, count):
    """Every list is refused, so that it is halved in later sessions."""
    provider = stage.provider(replies={"ATRN": lambda *_: b"450 4.7.1 Not yours"})
    stage.configure(provider, domains=names(count))
    return stage.instructions("-q", "fetch", status=(0, 75, 77))


#
# Routes
#

def routes_of(count):
    return {"routes": [{"recipients": name, "deliver": "local"} for name in names(count)]}


def routes_check(stage, count):
    stage.configure("provider.example", domains=names(count), top=routes_of(count))
    return stage.instructions("-q", "check")


def routes_taken(stage, count):
    return stage.fetched(to_some(count), deliver=stage.lmtp(), top=routes_of(count),
                         account={"accept": names(count)})


#
# Entries of the ledger
#

def fill_ledger(stage, count):
    """Messages whose 250 the provider may not have heard, each with an entry."""
    def script(line):
        hello(line)
        group = b"MAIL FROM:<sender@remote.example>\r\nRCPT TO:<user@example.org>\r\n"
        for n in range(count):
            text = b"X-Number: %d\r\n" % n + TEXT
            line.send(group + b"BDAT %d LAST\r\n" % len(text) + text)
        for _ in range(3 * count):
            line.expect(250)
        goodbye(line)
    local = stage.local("fill.sock")
    stage.configure(stage.provider(script), {"lmtp": local.address},
                    domains=["example.org"])
    stage.run("-q", "fetch")
    stage.check_provider()


def ledger_poll(stage, count):
    fill_ledger(stage, count)
    stage.configure(stage.provider(), stage.lmtp(), domains=["example.org"])
    return stage.instructions("-q", "fetch", status=(0, 75))


def ledger_listed(stage, count):
    fill_ledger(stage, count)
    return stage.instructions("ledger")


def ledger_again(stage, count):
    """All come again, and are known."""
    fill_ledger(stage, count)
    stage.configure(stage.provider(messages(count)), stage.lmtp(),
                    domains=["example.org"])
    return stage.instructions("-q", "fetch")


# What is counted: the name is the function's; up to how many.
TABLES = (
    (accounts_check, 1024), (accounts_status, 1024), (accounts_run, 1024),
    (accounts_fetch, 256), (accounts_public, 256),
    (messages_lmtp, 2048), (messages_maildir, 1024),
    (messages_deferred, 1024), (messages_deferred_early, 1024),
    (messages_refused, 1024),
    (recipients_lmtp, 1000), (recipients_mixed, 1000),
    (recipients_maildir, 1000), (recipients_sendmail, 1000), (recipients_smtp, 1000),
    (domains_check, 8192), (domains_asked, 8192), (domains_accepted, 8192),
    (domains_refused, 8192),
    (routes_check, 1024), (routes_taken, 1024),
    (ledger_poll, 2048), (ledger_listed, 2048), (ledger_again, 1024),
)


# What test/run looks at, in seconds: nothing but the number makes a difference there.
CHEAP = ("accounts_check", "accounts_public", "domains_check", "routes_check",
         "recipients_lmtp", "recipients_maildir")
# Up to how many there, where fewer show as well whether it is the square.
CHEAP_MOST = {"accounts_public": 16}


def count_one(args, table, number):
    with tempfile.TemporaryDirectory(prefix="odmr-growth-", dir="/tmp") as folder:
        stage = Count(args.agent, folder)
        try:
            return table(stage, number)
        finally:
            stage.end()


def sizes(most, only_last):
    halves = [most >> n for n in range(20) if most >> n > 0]
    return sorted(halves[:3] if only_last else halves)


def show(args, table, most):
    """Prints a table; its growth at the end."""
    print("\n%s" % table.__name__.replace("_", ", "), flush=True)
    counts, growth = [], 0
    for number in sizes(most, args.check):
        counts.append(count_one(args, table, number))
        text = "  %6d %15s" % (number, format(counts[-1], ","))
        if len(counts) > 1:
            text += " %11.0f each" % ((counts[-1] - counts[-2])
                                      / (number - number // 2))
        if len(counts) > 2 and counts[-2] > counts[-3]:
            growth = (counts[-1] - counts[-2]) / (counts[-2] - counts[-3])
            text += "  growth %5.2f" % growth
        print(text, flush=True)
    return growth


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--agent", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("SKIP growth: valgrind is missing")
        return
    wanted = tuple(args.names) or (CHEAP if args.check else ("",))
    worse = []
    for table, most in TABLES:
        if not table.__name__.startswith(wanted):
            continue
        if args.check:
            most = CHEAP_MOST.get(table.__name__, most)
        try:
            if show(args, table, most) >= LIMIT:
                worse.append(table.__name__)
        except Skip as why:
            print("SKIP %s: %s" % (table.__name__, why))
    for name in worse:
        print("FAIL %s grows faster than what causes it" % name)
    sys.exit(1 if worse and args.check else 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: ISC
"""
Secrets at rest: what lies in the memory of a session, in the arguments and
environments of what it starts, and in what it writes.
"""
import base64
import fcntl
import glob
import os
import re
import shutil

import sasl
from clock import wall_clock
from doubles import Http, HttpProxy
from gate import Gate
from mail import message
from proc import family, opened
from servers import NOBODY
from stage import NO_LEAK_SEARCH, Skip, one_message, rows, until

# Long ones: what grows is moved, and must not stay where it was.
SECRETS = {"office": "office-" + "Ub7x" * 60 + "-last",
           "branch": "branch-" + "Qm3k" * 60 + "-last"}
SECRET = SECRETS["office"]
PART = 20  # octets of a secret that are as bad as the whole

WAYS = (("PLAIN", "password", 2), ("LOGIN", "password_file", 1),
        ("CRAM-MD5", "password_command", 1), ("SCRAM-SHA-1", "password", 2),
        ("SCRAM-SHA-256", "password_file", 1), ("OAUTHBEARER", "token_command", 1),
        ("XOAUTH2", "token_command", 1))


def forms(user, secret):
    """What a secret looks like: in clear, on the way, and derived."""
    octets = secret.encode()
    plain = base64.b64encode(b"\0%s\0%s" % (user.encode(), octets))
    # Base64 of what stands at any offset into three octets.
    shifted = [base64.b64encode(b"x" * n + octets)[4:4 + PART] for n in range(3)]
    derived = [sasl.salted(user, octets, d)[1] for d in ("sha1", "sha256")]
    return [octets[:PART], octets[-PART:]], [plain[:PART], *shifted, *derived]


def read(*path):
    with open(os.path.join("/proc", *path), "rb") as file:
        return file.read()


def need_memory(t):
    if os.geteuid() != 0:
        raise Skip("only root can read the memory of others")
    with open(t.binary, "rb") as program:
        if b"__asan_init" in program.read():
            raise Skip("AddressSanitizer keeps what was freed, and terabytes more")


def memory(pid):
    """All that a process can write to: stack, heap and data."""
    octets = b""
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, \
            open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for line in maps:
            span, rights, _ = line.split(None, 2)
            if rights.startswith("rw"):
                begin, end = (int(n, 16) for n in span.split("-"))
                mem.seek(begin)
                octets += mem.read(end - begin)
    return octets


def assert_absent(where, octets, *secrets):
    for secret in secrets:
        for form in sum(secret, []):
            at = octets.find(form)
            assert at < 0, "%s: %r" % (where, octets[max(0, at - 60):at + 60])


def by(t, key, secret):
    """The keys of an account whose secret comes so."""
    if key == "password":
        return {"password": secret}
    path = t.write("secret", secret + "\n")
    return {"password": None, key: path if key == "password_file" else "cat " + path}


@rows(*((m.lower(), m, key, copies) for m, key, copies in WAYS))
def test_of_one_session(t, mechanism, key, copies):
    """After the login: in memory where it belongs and nowhere else, in no
    argument, no environment, no log, no file."""
    need_memory(t)
    fifo = t.path("fifo")
    os.mkfifo(fifo)
    program = t.write("sendmail", "#!/bin/sh\ncat >/dev/null\n"
                      "echo >%s\nread x <%s\n" % (fifo, fifo), mode=0o755)
    provider = t.provider(one_message(message("a message")), tls="starttls",
                          mechanisms=[mechanism], users={"office": SECRET})
    t.configure(provider, {"sendmail": program}, auth=mechanism,
                top={"log_level": "debug"}, **by(t, key, SECRET))
    child = t.start("fetch", "office", "-v", "--trace", "--json")
    with open(fifo, encoding="ascii") as told:
        told.readline()
    clear, made = forms("office", SECRET)
    found = family(child.pid)
    assert len(found) >= 3, found  # the parent, the session, the program
    for pid in found:
        for part in ("environ", "cmdline"):
            assert_absent(part, read(str(pid), part), (clear, made))
    session = memory(found[1])
    assert [session.count(c) for c in clear] == [copies] * 2, \
        [session.count(c) for c in clear]
    assert_absent("memory", session, (made,))
    with open(fifo, "w", encoding="ascii") as told:
        told.write("\n")
    run = t.finish(child)
    t.expect(run, 0, "mechanism=%s" % mechanism, r"\*\*\*")
    written = (run.out + run.err).encode()
    for path in glob.glob(t.path("state", "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                written += file.read()
    assert_absent("output", written, (clear, made))


@rows(*((m.lower(), m, key) for m, key, _ in WAYS))
def test_wrong_one_in_no_output(t, mechanism, key):
    provider = t.provider(tls="starttls", mechanisms=[mechanism])
    t.configure(provider, auth=mechanism, top={"log_level": "debug"},
                **by(t, key, SECRET))
    run = t.fetch("office", "-v", "--trace", "--json", status=77)
    assert "***" in run.err and "535" in run.out, run
    assert_absent("output", (run.out + run.err).encode(), forms("office", SECRET))


def test_of_other_accounts(t):
    """Two sessions at a time, each with a password and with a proxy that wants
    one: neither has what is the other's."""
    need_memory(t)
    gates = {name: Gate() for name in SECRETS}
    words = {name: "proxy-word-of-" + name + "-last" for name in SECRETS}
    accounts = {}
    for name, secret in SECRETS.items():
        provider = t.provider(gates[name].message(message("a message")), tls="starttls",
                              mechanisms=["PLAIN"], users={name: secret})
        proxy = HttpProxy()
        t.at_end(proxy.close)
        accounts[name] = t.account(
            provider, user=name, password=secret,
            proxy="http://me:%s@%s" % (words[name], proxy.address))
    t.configure(accounts=accounts)
    child = t.start("fetch", "-v", "--trace")
    for gate in gates.values():
        gate.arrived()
    parent, *sessions = family(child.pid)
    whole = {name: forms(name, SECRETS[name]) for name in SECRETS}
    for name in SECRETS:
        assert whole[name][0][0] in memory(parent), "the search finds nothing"
    seen = set()
    for pid in sessions:
        octets = memory(pid)
        [mine] = [n for n in SECRETS if whole[n][0][0] in octets]
        [other] = set(SECRETS) - {mine}
        assert_absent("memory", octets, whole[other])
        assert words[other].encode() not in octets
        seen.add(mine)
    assert seen == set(SECRETS)
    for gate in gates.values():
        gate.open()
    run = t.finish(child)
    for name in SECRETS:
        assert_absent("output", (run.out + run.err).encode(), whole[name])
        assert words[name] not in run.out + run.err, run


def test_of_all_where_files_about_all_are_written(t):
    """That process needs none, and has none."""
    need_memory(t)
    provider = t.provider(users=SECRETS)
    t.configure(accounts={name: t.account(provider, user=name, password=secret)
                          for name, secret in SECRETS.items()},
                top={"metrics_file": t.path("metrics")})
    t.fetch()
    with open(t.path("state", "lock", "metrics:"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = t.start("fetch")
        writer = until(lambda: [pid for pid in family(child.pid)
                                if lock.name in opened(pid)], what="its process")
        parent, writer = memory(child.pid), memory(writer[0])
    for name, secret in SECRETS.items():
        whole = forms(name, secret)
        assert whole[0][0] in parent, "the search finds nothing"
        assert_absent("memory", writer, whole)
    t.expect(t.finish(child), 0)


def test_of_a_proxy_that_is_not_there(t):
    t.configure(t.provider(), proxy="http://me:proxy-word-last@127.0.0.1:1",
                top={"log_level": "debug"})
    run = t.fetch("office", "-v", "--trace", status=75)
    assert "proxy-word" not in run.out + run.err, run
    assert "proxy-word" not in str(t.status())


@rows(("gave up root", {}), ("never root", {"user": NOBODY, "group": NOBODY}))
def test_no_core_and_no_debugger(t, identity):
    """As another user than root, whose other processes could else look into
    it; what holds secrets are the sessions and their parent."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    gate = Gate()
    t.configure(t.provider(gate.message(message("a message"))))
    t.binary = shutil.copy(t.binary, t.path("odmr-agent"))
    for path in ("state", "mail", "odmr-agent.yaml"):
        os.chown(t.path(path), NOBODY, NOBODY)
    child = t.start("fetch", "office", env=NO_LEAK_SEARCH, **identity)
    gate.arrived()
    parent, session = family(child.pid)
    assert b"\nUid:\t%d\t" % NOBODY in read(str(session), "status")
    for pid in (parent, session):
        [core] = [line for line in read(str(pid), "limits").splitlines()
                  if line.startswith(b"Max core file size")]
        assert core.split()[4:6] == [b"0", b"0"], core
        # The kernel gives the files of what cannot be dumped to root.
        assert os.stat("/proc/%d/mem" % pid).st_uid == 0
    gate.open()
    t.expect(t.finish(child), 0)


WORD = "proxy-word"


@rows(("unknown name", "http://me:%s@proxy.invalid:3128",
       "through the proxy: the name proxy.invalid cannot be resolved"),
      ("not encoded", "http://me:%s@x@127.0.0.1:1", "percent-encoded"),
      ("a slash", "socks5h://me:%s/x@127.0.0.1:1", "percent-encoded"),
      ("not there", "socks5://me:%s%%40x@127.0.0.1:1", "refused"),
      ("no proxy", "http://me:%s@{provider}", "through the proxy"),
      ("no SOCKS", "socks5h://me:%s@{provider}", "through the proxy"),
      ("refuses", "http://me:%s%%2Fx@{refusing}", "through the proxy.*407"))
def test_of_a_proxy_in_no_output(t, url, words):
    """Whatever goes wrong with it: not on the terminal, in the log, the status,
    what is told to an alarm command, a ping or a metrics file."""
    refusing = Http(lambda _path: "407 Proxy Authentication Required")
    t.at_end(refusing.close)
    provider = t.provider()
    t.configure(
        provider, top={"log_level": "debug", "metrics_file": t.path("metrics")},
        proxy=(url % WORD).format(provider="127.0.0.1:%d" % provider.port,
                                  refusing=refusing.address),
        connect_timeout="5s", alarm_after="1m", alarm_command="env >%s" % t.path("alarm"))
    written = ""
    for args in (("check",), ("check", "--connect"), ("fetch",),
                 ("-v", "--trace", "fetch", "office"), ("status",),
                 ("status", "--json"), ("ledger",)):
        # Time for an alarm passes before the second fetch.
        run = t.run(*args, env=wall_clock(t, 3600 if "-v" in args else 0))
        written += run.out + run.err
    assert os.path.exists(t.path("alarm")) == (words != "percent-encoded")
    assert re.search(words, written, re.IGNORECASE | re.DOTALL), written
    for path in glob.glob(t.path("state", "**"), recursive=True) + glob.glob(
            t.path("[am][le]*")):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                written += file.read().decode("latin-1")
    assert WORD not in written, written


def test_credential_of_the_service_manager(t):
    t.sub("credentials")
    t.write("credentials/odmr-office", SECRET + "\n")
    provider = t.provider(users={"office": SECRET}, replies={
        "ATRN": b"453 You have no mail"})
    t.configure(provider, password=None, password_file="odmr-office")
    t.expect(t.fetch("office", status=77), 77, "password_file odmr-office")
    t.expect(t.fetch("office", env={"CREDENTIALS_DIRECTORY": t.path("credentials")}),
             0, "office: no mail")

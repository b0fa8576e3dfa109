# SPDX-License-Identifier: ISC
"""
`run` where the machine does not help: no state folder, a full one, status files
that are no good, no processes, a clock at 1970, a thousand accounts.
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import mail
from clock import compile_c, sanitized, wall_clock
from doubles import Server
from service import Service
from stage import NO_LEAK_SEARCH, Skip, one_message, rows, until

TEXT = mail.message("a message")
USER = "user@example.org"
CERTAIN = {"every": "1h", "jitter": "0s"}
OFTEN = {"every": "1s", "jitter": "0s"}
NOBODY_ELSE = 20000 + os.getpid() % 20000  # a user that has no process


def sessions(provider, count):
    until(lambda: len(provider.sessions) >= count, what="session %d" % count)


def in_namespace(t, mount, *args):
    """The command, after a mount that it alone sees."""
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], check=False).returncode != 0:
        raise Skip("only root can mount")
    return ["unshare", "-m", "sh", "-c", mount + ' && exec "$@"', "sh"] + t.command(*args)


def read_only(t):
    return "mount --bind {0} {0} && mount -o remount,ro,bind {0}".format(t.path("state"))


def full(t):
    return ("mount -t tmpfs -o size=64k,mode=0750 none {0} && "
            "{{ cat /dev/zero >{0}/ballast 2>/dev/null || true; }}".format(t.path("state")))


# The state folder

def test_folder_is_made(t):
    t.configure(t.provider(), top={"state_dir": t.path("new")}, **CERTAIN)
    service = Service(t)
    until(lambda: os.path.exists(t.path("new/status/office.json")), what="the status")
    service.stop()


def test_folder_cannot_be_made(t):
    provider = t.provider()
    t.configure(provider, top={"state_dir": t.path("none/state")}, **CERTAIN)
    run = t.run("run")
    assert run.status in (71, 75) and t.path("none/state") in run.err, run
    assert not provider.sessions


@rows(("run", "run"), ("fetch", "fetch"))
def test_read_only(t, word):
    """Nothing is fetched that could not be remembered."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider, **CERTAIN)
    run = t.run(word, command=in_namespace(t, read_only(t), word))
    assert run.status in (71, 75), run
    assert "Read-only file system" in run.err, run
    assert not any(s.turned for s in provider.sessions)


def test_full(t):
    """No session is turned while the ledger cannot be written; `run` stays up
    and goes on once there is room."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider, **OFTEN)
    service = Service(t, command=in_namespace(t, full(t), "run"))
    service.logged("warning office: end", "No space left on device")
    assert not provider.turns()
    os.unlink("/proc/%d/root%s" % (service.pid, t.path("state/ballast")))
    service.signal(signal.SIGUSR1)
    until(lambda: t.mail(USER), what="the message")
    service.logged("result=mail")
    service.stop()


@rows(("version", '{"version": 99, "account": "office", "hold_until": '
       '"2999-01-01T00:00:00Z"}'), ("cut", '{"version": 1, "account": "offi'),
      ("empty", ""), ("other account", '{"version": 1, "account": "branch"}'),
      ("a hold of another clock", None))
def test_status_file(t, text):
    """It is replaced, with a warning where it says why, and never trusted."""
    provider = t.provider()
    t.configure(provider, **CERTAIN)
    t.fetch("office")
    if text is None:
        status = t.status()
        status.update(hold_until="2999-01-01T00:00:00Z", hold_reason="long ago",
                      started="2999-01-01T00:00:00Z")
        t.write("state/status/office.json", json.dumps(status), mode=0o640)
    else:
        t.write("state/status/office.json", text, mode=0o640)
    service = Service(t)
    sessions(provider, 2)
    if text is not None:
        service.logged("warning office: state", "is damaged, or of another version")
    until(lambda: not service.children(), what="its end")
    service.logged("office: schedule", seconds=5)
    until(lambda: replaced(t), what="a new file")
    assert t.status()["result"] == "no-mail", t.status()
    service.stop()


def replaced(t):
    """What stands there may be no JSON yet."""
    with open(t.path("state/status/office.json"), encoding="utf-8") as file:
        return '"next":"2' in file.read()


def test_folder_vanishes(t):
    """It is told of, made anew, and mail is fetched."""
    provider = t.provider()
    t.configure(provider, **OFTEN)
    service = Service(t)
    sessions(provider, 1)
    # At once: file by file, the next session would write in between.
    os.rename(t.path("state"), t.path("state.away"))
    service.logged("warning office: state", t.path("state"))
    sessions(provider, len(provider.sessions) + 2)
    until(lambda: os.path.exists(t.path("state/status/office.json")), what="status")
    service.stop()


# Processes

def test_fork_is_refused(t):
    """71, tried again, and all is well once there are processes again."""
    if os.geteuid() != 0:
        raise Skip("only root can become a user without processes")
    provider = t.provider()
    t.configure(provider, **OFTEN)
    others = [subprocess.Popen(["sleep", "100"], user=NOBODY_ELSE, group=NOBODY_ELSE,
                               extra_groups=[]) for _ in range(3)]
    t.at_end(lambda: end(others))
    for path in (t.sub("state"), t.sub("mail"), t.folder, t.config_file):
        os.chown(path, NOBODY_ELSE, NOBODY_ELSE)
    service = Service(t, env=NO_LEAK_SEARCH, user=NOBODY_ELSE, group=NOBODY_ELSE,
                      extra_groups=[], preexec_fn=lambda: resource.setrlimit(
                          resource.RLIMIT_NPROC, (4, 4)))
    service.logged("error office: end", "cannot start a process for a session: ")
    until(lambda: os.path.exists(t.path("state/status/office.json"))
          and t.status().get("exit_status") == 71, what="the status")
    assert not provider.sessions
    end(others)
    sessions(provider, 1)
    until(lambda: t.status()["result"] == "no-mail", what="its success")
    assert t.status()["failures_in_a_row"] == 0
    service.stop()


def end(processes):
    for process in processes:
        process.kill()
        process.wait()


# The clock

def at_1970(t):
    """The environment of a machine that was switched on 20 s ago."""
    return wall_clock(t, 20 - int(time.time()))


def test_clock_at_1970(t):
    """As routers have it after boot: mail comes, and once the clock is right
    nothing of that time holds it up."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider, **OFTEN)
    service = Service(t, env=at_1970(t))
    sessions(provider, 3)
    service.stop()
    t.assert_mail(USER, TEXT)
    assert t.status()["ended"].startswith("1970-01-01T"), t.status()
    # Nothing is wrong: what was told by that clock raises no alarm.
    assert t.run("status").status == 0
    count = len(provider.sessions)
    again = Service(t)
    sessions(provider, count + 2)
    assert t.run("status").status == 0
    again.stop()


def test_clock_was_ahead(t):
    """A history from 2026 does not silence an agent that wakes in 1970, and a
    certificate that is not valid yet holds nothing."""
    provider = t.provider(tls="starttls")
    t.configure(provider, **OFTEN)
    t.fetch("office")
    service = Service(t, env=at_1970(t))
    sessions(provider, 2)
    service.logged("error office: end", "certificate")
    until(lambda: t.status()["exit_status"] == 77, what="its failure")
    assert t.status()["hold_until"] is None
    service.stop()
    count = len(provider.sessions)
    again = Service(t)
    sessions(provider, count + 1)
    until(lambda: t.status()["result"] == "no-mail", what="a success")
    again.stop()


# A thousand accounts

ACCOUNTS = 1000
EMPTY = "#include <unistd.h>\nint\nmain(void)\n{\n\tpause();\n\treturn 0;\n}\n"


class Dead(Server):
    """A provider that takes connections and ends them at once."""

    def __init__(self):
        self.times = []
        super().__init__()

    def serve(self, sock):
        self.times.append(time.monotonic())


def memory(pid, key="VmRSS"):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    raise AssertionError("no %s of %d" % (key, pid))


def empty_program(t):
    """Memory, in KiB, of a program that only links the same libraries."""
    if not shutil.which("pkg-config"):
        raise Skip("no pkg-config")
    libraries = subprocess.run(
        ["pkg-config", "--libs", "openssl", "libcurl", "yaml-0.1"],
        check=True, stdout=subprocess.PIPE).stdout.decode().split()
    compile_c(t, t.write("empty.c", EMPTY), "empty", "-pie", "-Wl,-z,now",
              "-Wl,--no-as-needed", *libraries)
    with subprocess.Popen([t.path("empty")]) as child:
        try:
            def asleep():
                with open("/proc/%d/stat" % child.pid, encoding="ascii") as file:
                    return file.read().split()[2] == "S"
            until(asleep, what="the empty program")
            return memory(child.pid)
        finally:
            child.kill()


def test_thousand_accounts(t):
    """At one dead provider: calls are spread, failures back off, and the parent
    stays small, after a reload as well."""
    if sanitized(t):
        raise Skip("a sanitizer takes memory of its own")
    floor = empty_program(t)
    dead = Dead()
    t.at_end(dead.close)
    accounts = {"account-%03d" % n: t.account(
        dead.address, user="user%d" % n, domains=["d%d.example.org" % n],
        every="20s", jitter="20s") for n in range(ACCOUNTS)}
    t.configure(accounts=accounts, top={"max_sessions": 20})
    begun = time.monotonic()
    service = Service(t, seconds=60, jitter=True)
    until(lambda: len(dead.times) >= 200, what="calls")
    took = time.monotonic() - begun
    first = [at for at in dead.times if at < begun + 2]
    assert took > 2 and len(first) < 200, (took, len(first))
    service.reload()
    until(lambda: len(dead.times) >= 600, 60, what="calls")
    used = memory(service.pid) - floor
    assert used <= 4096 + 4 * ACCOUNTS, "%d KiB over %d" % (used, floor)
    peak = memory(service.pid, "VmHWM") - floor
    print("memory over an empty program: %d KiB, at most %d" % (used, peak))
    assert max(len(service.children()) for _ in range(100)) <= 20
    service.stop(60)
    text = service.output().err
    assert text.count("failed") <= len(dead.times) + 20

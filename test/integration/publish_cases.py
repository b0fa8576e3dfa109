# SPDX-License-Identifier: ISC
"""
metrics_file and status_page: whoever reads them sees the last state, whatever
became of the sessions that led to it, and of the agent.
"""
import os
import re
import signal
import xml.etree.ElementTree as ElementTree

import mail
from gate import Gate
from service import Service
from stage import PASSWORD, deliver, hello, one_message, rows, until

TEXT = mail.message("a message")
FAILING = {"ATRN": b"451 4.3.0 Later"}
CERTAIN = {"every": "1h", "jitter": "0s"}
KILLED = "the session died of signal 9"
BURST = 12


def files(t):
    """The two keys; the folder is there, so that only the agent can be late."""
    return {"status_page": os.path.join(t.sub("www"), "mail.html"),
            "metrics_file": os.path.join(t.sub("www"), "odmr.prom")}


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def page(t, account):
    """What it says of an account, in words."""
    text = read(files(t)["status_page"])
    for section in ElementTree.fromstring(text).iter("section") if text else ():
        if section.find("h2").text == account:
            return " ".join(" ".join(section.itertext()).split())
    return ""


def metric(t, account, name):
    """A family without further labels, or with them; None: it is not there."""
    found = re.search(r'^odmr_agent_%s\{account="%s"%s\} (\d+)$' % (
        name.partition("{")[0], account,
        "," + name.partition("{")[2] if "{" in name else ""),
                      read(files(t)["metrics_file"]), re.MULTILINE)
    return int(found[1]) if found else None


def sessions(t, account, result):
    return metric(t, account, 'sessions_total{result="%s"' % result)


def says(t, account, result, words):
    """Both files have this session, the page in these words."""
    return sessions(t, account, result) and words in page(t, account)


def kill_session(parent):
    with open("/proc/%d/task/%d/children" % (parent, parent),
              encoding="ascii") as file:
        os.kill(int(file.read().split()[0]), signal.SIGKILL)


def burst(t):
    """Accounts of as many providers' users whose sessions all begin at once; half
    of them fail."""
    good = t.provider(users={"good%d" % n: PASSWORD for n in range(BURST)})
    bad = t.provider(users={"bad%d" % n: PASSWORD for n in range(BURST)},
                     replies=FAILING)
    accounts = {}
    for n in range(BURST):
        for kind, provider in ("good", good), ("bad", bad):
            name = "%s%d" % (kind, n)
            accounts[name] = t.account(provider, user=name, **CERTAIN)
    t.configure(accounts=accounts, top=dict(files(t), max_sessions=4))


def stale(t):
    """The accounts of burst() of which one of the files does not say the last."""
    return [name for name in t.config["accounts"] if not says(
        t, name, *(("no-mail", "Mail is fetched.") if name.startswith("good") else
                   ("failed", "4.3.0 Later")))]


def test_fetch_of_many(t):
    """When it has ended both say how each session went."""
    burst(t)
    t.fetch(status=75)
    assert not stale(t), stale(t)
    assert sorted(os.listdir(t.path("www"))) == ["mail.html", "odmr.prom"]


def test_burst(t):
    """The same from a service, without anything that happens later."""
    burst(t)
    service = Service(t)
    until(lambda: not stale(t), what="the last session in both files")
    service.stop()
    assert not stale(t), stale(t)


def test_burst_ended_by_term(t):
    """Whatever has ended by then, before SIGTERM or by it, is there."""
    burst(t)
    service = Service(t)
    until(lambda: t.status("bad0"), what="the first of the status files")
    service.stop()
    for name in t.config["accounts"]:
        total = t.status(name).get("total", {}).get("sessions", {})
        for result, count in total.items():
            assert sessions(t, name, result) == count, (name, result, total)
        if t.status(name).get("result") == "no-mail":
            assert "Mail is fetched." in page(t, name), page(t, name)


def test_term_amid_a_session(t):
    """The message that came before it counts."""
    gate = Gate()

    def script(line):
        hello(line)
        deliver(line, TEXT)
        gate.reached.set()
        line.expect(421)
        line.wait_end()
    t.configure(t.provider(script), top=files(t), **CERTAIN)
    service = Service(t)
    gate.arrived()
    service.stop()
    assert metric(t, "office", "messages_total") == 1, read(files(t)["metrics_file"])
    assert "1 message" in page(t, "office"), page(t, "office")


@rows(("run", True), ("fetch", False))
def test_session_that_is_killed(t, service):
    """It can say nothing; its parent does."""
    gate = Gate()
    t.configure(t.provider(gate.silent), top=files(t), **CERTAIN)
    if service:
        child = Service(t)
        gate.arrived()
        kill_session(child.pid)
        until(lambda: says(t, "office", "failed", KILLED), what=KILLED)
        child.stop()
    else:
        child = t.start("fetch", "office")
        gate.arrived()
        kill_session(child.pid)
        t.expect(t.finish(child), 70, KILLED)
    assert says(t, "office", "failed", KILLED), page(t, "office")


@rows(("run", True), ("fetch", False))
def test_long_session_keeps_nothing_back(t, service):
    """What the others have come to is read while one of them goes on."""
    gate = Gate()
    t.configure(accounts={
        "office": t.account(t.provider(gate.no_mail), **CERTAIN),
        "branch": t.account(t.provider(replies={"AUTH": b"535 5.7.8 Wrong"}), **CERTAIN),
        "shop": t.account(t.provider(one_message(TEXT)), user="office", **CERTAIN)},
                top=files(t))
    child = Service(t) if service else t.start("fetch")
    gate.arrived()
    until(lambda: says(t, "branch", "failed", "On hold: no mail is fetched until")
          and says(t, "shop", "mail", "Mail is fetched."), what="the two others")
    assert not sessions(t, "office", "no-mail")
    gate.open()
    if service:
        until(lambda: says(t, "office", "no-mail", "Mail is fetched."), what="the last")
        child.stop()
    else:
        t.expect(t.finish(child), 77)
    assert says(t, "office", "no-mail", "Mail is fetched."), page(t, "office")


def test_agent_that_was_killed(t):
    """What it had no time to write is written when it runs again, though no
    session is due."""
    t.configure(t.provider(one_message(TEXT)), top=files(t), **CERTAIN)
    t.fetch("office")
    for path in files(t).values():
        os.unlink(path)
    service = Service(t)
    until(lambda: says(t, "office", "mail", "Mail is fetched."), what="both files")
    service.stop()


def test_account_that_is_gone(t):
    """A reload is enough for both files to know of it."""
    accounts = {"office": t.account(t.provider(), **CERTAIN),
                "branch": t.account(t.provider(), **CERTAIN)}
    t.configure(accounts=accounts, top=files(t))
    service = Service(t)
    until(lambda: page(t, "branch") and metric(t, "branch", "enabled"), what="branch")
    del accounts["branch"]
    t.configure(accounts=accounts, top=files(t))
    service.reload()
    until(lambda: page(t, "office") and not page(t, "branch")
          and metric(t, "branch", "enabled") is None, what="branch to be gone")
    service.stop()


@rows(("run", True), ("fetch", False))
def test_folder_missing_is_told_once(t, service):
    """Whatever the number of accounts and sessions; one file does not keep back
    the other."""
    keys = files(t)
    t.configure(accounts={name: t.account(t.provider(), **CERTAIN)
                          for name in ("office", "branch", "shop")},
                top=dict(keys, status_page=t.path("none/mail.html")))
    if service:
        child = Service(t)
        child.logged("warning status-page: ", t.path("none"))
        until(lambda: all(sessions(t, name, "no-mail") for name in t.config["accounts"]),
              what="the metrics")
        run = child.stop()
    else:
        run = t.expect(t.run("fetch"), 0)
    assert len(re.findall("status-page: .*" + t.path("none"), run.err)) == 1, run
    assert all(sessions(t, name, "no-mail") for name in t.config["accounts"])

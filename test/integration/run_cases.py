# SPDX-License-Identifier: ISC
"""
`run`: when it fetches, what signals do, and that one session's misfortune is
not another's (odmr-agent(8)).
"""
import datetime
import math
import os
import signal
import time

import mail
from gate import Gate
from patience import Patience, slowest
from service import Service
from stage import PASSWORD, deliver, hello, one_message, rows, until, waits

TEXT = mail.message("a message")
USER = "user@example.org"
CERTAIN = {"every": "1h", "jitter": "0s", "drain": False}
OFTEN = {"every": "1s", "jitter": "0s"}
REFUSED = {"AUTH": [b"535 5.7.8 Wrong"]}


def sessions(provider, count):
    until(lambda: len(provider.sessions) >= count, what="session %d" % count)


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()


# When

def test_at_start(t):
    """Once at the start, then when the schedule says."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider, **CERTAIN)
    service = Service(t)
    service.logged("office: end")
    service.logged("office: schedule")
    until(lambda: t.status().get("next"), what="the next time")
    status = t.status()
    assert 3590 <= moment(status["next"]) - moment(status["started"]) <= 3601, status
    service.stop()
    assert len(provider.sessions) == 1
    t.assert_mail(USER, TEXT)


def test_every_second(t):
    times = []
    provider = t.provider(replies={"GREETING": lambda *_: times.append(
        time.monotonic())})
    t.configure(provider, **OFTEN)
    service = Service(t)
    # A connection is a session before it is greeted.
    until(lambda: len(times) >= 4, what="the fourth greeting")
    service.stop()
    # How late each of them is the machine decides.
    assert times[3] - times[0] > 1, times


def zone(wanted):
    """A TZ in which it is now `wanted` seconds after midnight."""
    now = int(time.time()) % 86400
    ahead = (wanted - now) % 86400
    return "<TST>-%d:%02d:%02d" % (ahead // 3600, ahead % 3600 // 60, ahead % 60)


def test_at_time(t):
    """Local time decides: nothing before 09:30, and then at once."""
    provider = t.provider()
    seen = []
    provider.replies["GREETING"] = lambda *_: seen.append(time.time())
    t.configure(provider, jitter="0s", schedule=[
        {"hours": "09:00-17:00", "at": ["09:30"]}])
    os.makedirs(t.path("state/status"))
    ahead = math.ceil(3 * t.slowness())
    begun = int(time.time())
    # A session a minute ago, so that it is not the first fetch of all.
    t.write("state/status/office.json", '{"version": 1, "account": "office"}')
    service = Service(t, env={"TZ": zone(9 * 3600 + 30 * 60 - ahead)})
    sessions(provider, 1)
    first = len(provider.sessions)
    until(lambda: seen and seen[-1] >= begun + ahead - 0.1, ahead + 20,
          "the session at 09:30")
    assert seen[-1] < begun + ahead + 3 * slowest(), (begun, seen)
    service.stop()
    assert len(provider.sessions) <= first + 2


def test_outside_windows(t):
    """Nothing at the start either, and the service manager is told when."""
    provider = t.provider()
    other = t.provider()
    t.configure(accounts={
        "office": t.account(provider, jitter="0s", schedule=[
            {"hours": "09:00-17:00", "every": "1s"}]),
        "clock": t.account(other, user="office", **OFTEN)})
    begun = int(time.time())
    service = Service(t, env={"TZ": zone(8 * 3600)})
    sessions(other, 3)
    assert not provider.sessions
    until(lambda: t.status().get("next"), what="the next time")
    assert 3600 <= moment(t.status()["next"]) - begun <= 3601, t.status()
    service.stop()


def test_more_goes_on(t):
    """A session that ran out of time goes on after jitter, not an hour later."""
    def slow(line):
        hello(line)
        begun = time.monotonic()
        deliver(line, TEXT)
        until(lambda: time.monotonic() > begun + 3 * t.slowness() + 2,
              what="session_timeout")
        line.command("RSET", 250)
        line.command("MAIL FROM:<s@r.example>", 421)
        line.wait_end()

    provider = t.provider(slow)
    t.configure(provider, every="1h", jitter="0s",
                session_timeout=t.seconds(3))
    service = Service(t)
    sessions(provider, 2)
    service.stop()


# Signals

def test_hup(t):
    """Accounts come and go, and a schedule changes."""
    first, second = t.provider(), t.provider()
    t.configure(accounts={"office": t.account(first, **CERTAIN)})
    service = Service(t)
    sessions(first, 1)
    service.logged("office: schedule")
    t.configure(accounts={"branch": t.account(second, **OFTEN)})
    service.reload()
    sessions(second, 2)
    count = len(first.sessions)
    t.configure(accounts={"office": t.account(first, **OFTEN),
                          "branch": t.account(second, **CERTAIN)})
    service.reload()
    sessions(first, count + 2)
    assert "RELOADING=1" in service.notified.lines()
    assert any(l.startswith("MONOTONIC_USEC=") for l in service.notified.lines())
    service.stop()


@rows(("faulty", "accounts: {office: {provider: x}}\nno: key\n", r"yaml:2:1: "),
      ("cut", 'hostname: "mail', r"yaml:1:"), ("empty", "", r"yaml"),
      ("gone", None, r"No such file"))
def test_hup_faulty(t, text, words):
    """It is reported, and what was read before stays in force."""
    provider = t.provider()
    t.configure(provider, **OFTEN)
    service = Service(t)
    sessions(provider, 1)
    if text is None:
        os.unlink(t.config_file)
    else:
        t.write("odmr-agent.yaml", text)
    service.reload()
    count = len(provider.sessions)
    sessions(provider, count + 2)
    t.expect(service.stop(), 0, words, "error reload", "stays as it was")


def test_hup_in_a_session(t):
    """A session ends on what it began with; the next one has the new."""
    gate = Gate()
    provider = t.provider(gate.message(TEXT), one_message(mail.message("another")))
    t.configure(provider, **CERTAIN)
    service = Service(t)
    gate.arrived()
    t.configure(provider, {"maildir": t.maildirs("other") + "/{domain}/{user}",
                           "create": True}, **CERTAIN)
    service.reload()
    gate.open()
    until(lambda: t.mail(USER), what="the message at the old place")
    until(lambda: not service.children(), what="its end")
    service.signal(signal.SIGUSR1)
    sessions(provider, 2)
    until(lambda: mail.maildir(t.path("other", "example.org", "user")),
          what="the message at the new place")
    until(lambda: t.status()["total"]["messages"] == 2, what="the second end")
    service.stop()


def test_hup_removes_in_a_session(t):
    """The account is gone from the file: its session ends, and it is the last."""
    gate = Gate()
    provider, other = t.provider(gate.message(TEXT)), t.provider()
    t.configure(provider, **dict(OFTEN, drain=False))
    service = Service(t)
    gate.arrived()
    t.configure(accounts={"branch": t.account(other, **OFTEN)})
    service.reload()
    gate.open()
    until(lambda: t.mail(USER), what="its message")
    count = len(other.sessions)
    sessions(other, count + 3)
    assert len(provider.sessions) == 1
    service.stop()


def test_usr1(t):
    """Everything now, on hold or not."""
    good, bad = t.provider(), t.provider(replies=dict(REFUSED))
    t.configure(accounts={"office": t.account(good, **CERTAIN),
                          "held": t.account(bad, **CERTAIN)})
    service = Service(t)
    sessions(good, 1)
    service.logged("error held: end")
    until(lambda: not service.children(), what="the ends")
    service.signal(signal.SIGUSR1)
    sessions(good, 2)
    sessions(bad, 2)
    until(lambda: t.status("held")["result"] == "no-mail", what="its success")
    service.stop()


def test_term_in_a_message(t):
    """It is finished, 421 follows, and nothing is begun any more."""
    gate = Gate()
    provider = t.provider(gate.amid(TEXT))
    t.configure(provider, **OFTEN)
    service = Service(t)
    gate.arrived()
    service.child.terminate()
    service.wait("STOPPING=1")
    gate.open()
    t.expect(t.finish(service.child), 0, "waiting for 1 session")
    t.assert_mail(USER, TEXT)
    assert len(provider.sessions) == 1


def test_term_in_a_message_without_end(t):
    gate = Gate()
    t.configure(t.provider(gate.without_end(TEXT)), **CERTAIN)
    service = Service(t)
    gate.arrived()
    patience = Patience(15)
    service.stop()
    assert patience.left()
    t.assert_mail(USER)


# Processes

def test_two_for_one_folder(t):
    provider = t.provider()
    t.configure(provider, **CERTAIN)
    service = Service(t)
    second = t.run("run")
    t.expect(second, 75, "another `odmr-agent run` uses state_dir " +
             t.path("state"))
    assert len(second.err.strip().split("\n")) == 1, second
    service.stop()


def test_killed_run_leaves_no_lock(t):
    """Its sessions end with it, and the next one starts at once."""
    gate = Gate()
    provider = t.provider(gate.shut)
    t.configure(provider, **CERTAIN)
    service = Service(t)
    gate.arrived()
    service.signal(signal.SIGKILL)
    t.finish(service.child, killed=True)
    t.check_provider()
    again = Service(t)
    sessions(provider, 2)
    again.stop()


def test_session_dies(t):
    """By a signal: told, counted, held for an hour; the others go on."""
    gate = Gate()
    dying, other = t.provider(gate.silent), t.provider()
    t.configure(accounts={"dying": t.account(dying, **OFTEN)})
    service = Service(t)
    gate.arrived()
    [child] = service.children()
    t.configure(accounts={"dying": t.account(dying, **OFTEN),
                          "other": t.account(other, **OFTEN)})
    service.reload()
    sessions(other, 1)
    os.kill(child, signal.SIGKILL)
    service.logged("error dying: end", "the session died of signal 9")
    count = len(other.sessions)
    sessions(other, count + 3)
    assert len(dying.sessions) == 1
    status = t.status("dying")
    assert (status["failures_in_a_row"], status["exit_status"]) == (1, 70), status
    hold = moment(status["hold_until"]) - moment(status["ended"])
    assert 3599 <= hold <= 3601, status
    assert "signal 9" in status["error"], status
    assert status["total"]["sessions"]["failed"] == 1, status
    service.stop()


@waits
def test_session_hangs(t):
    """A minute beyond its time limits it is ended (this takes that minute)."""
    gate = Gate()
    hanging, other = t.provider(gate.silent), t.provider()
    hanging.timeout = 100
    accounts = {"hanging": t.account(hanging, session_timeout=t.seconds(3),
                                     provider_timeout="10s",
                                     connect_timeout=t.seconds(1),
                                     **CERTAIN)}
    t.configure(accounts=accounts)
    service = Service(t)
    gate.arrived()
    begun, patience = time.monotonic(), Patience(85)
    [child] = service.children()
    os.kill(child, signal.SIGSTOP)
    t.configure(accounts=dict(accounts, other=t.account(other, **OFTEN)))
    service.reload()
    sessions(other, 1)
    service.logged("error hanging: end", "the session hung and was ended",
                   seconds=100)
    assert time.monotonic() - begun >= 65
    assert patience.left()
    assert len(other.sessions) > 40 / slowest()
    assert t.status("hanging")["exit_status"] == 70
    service.stop()


# Holds

def test_hold_at_start(t):
    """`run` honours the hold that a `fetch` has left, and says so."""
    held, other = t.provider(replies=dict(REFUSED)), t.provider()
    t.configure(accounts={"office": t.account(held, **OFTEN),
                          "other": t.account(other, **OFTEN)})
    t.fetch("office", status=77)
    service = Service(t)
    sessions(other, 3)
    assert len(held.sessions) == 1
    run = t.run("status", "office")
    assert "on hold until" in run.out and "Wrong" in run.out, run
    service.stop()


def test_new_secret_ends_the_hold(t):
    provider = t.provider()
    t.write("secret", "wrong-password\n")
    t.configure(provider, password=None, password_file=t.path("secret"), **OFTEN)
    service = Service(t)
    service.logged("error office: end", "535")
    t.fetch(status=77)
    calls = len(provider.sessions)
    t.write("secret", PASSWORD + "\n")
    sessions(provider, calls + 1)
    until(lambda: t.status()["result"] == "no-mail", what="its success")
    service.stop()


def test_hup_with_a_new_secret(t):
    """It ends the hold at once, whenever the account would be due."""
    provider = t.provider()
    t.configure(provider, **dict(CERTAIN, password="wrong-password"))
    service = Service(t)
    service.logged("error office: end", "535")
    until(lambda: not service.children(), what="its end")
    service.reload()
    t.fetch(status=77)
    assert len(provider.sessions) == 1
    t.configure(provider, **CERTAIN)
    service.reload()
    until(lambda: t.status()["result"] == "no-mail", what="its success")
    service.stop()


def atrns(provider):
    return [s.atrn for s in provider.sessions]


def test_lapsed_domain(t):
    """A list is refused: its parts are asked for, and what is not refused is
    served in the same session; the refused domain is named, and asked for by
    itself; once it is back all go as a list."""
    provider = t.provider(one_message(TEXT), users={
        "office": (PASSWORD, ["example.org", "example.net"])})
    domains = ["example.org", "example.com", "example.net"]
    t.configure(provider, **dict(CERTAIN, domains=domains))
    service = Service(t)
    service.logged("info office: end", "result=mail")
    until(lambda: not service.children(), what="its end")
    assert atrns(provider) == [",".join(domains), "example.org,example.com",
                               "example.net", "example.org", "example.com"]
    t.assert_mail(USER, TEXT)
    assert [d["domain"] for d in t.status()["waiting_domains"]] == ["example.com"]

    service.signal(signal.SIGUSR1)
    service.logged("warning office: domain", "refuses example.com: 450 4.7.1")
    until(lambda: not service.children(), what="its end")
    assert atrns(provider)[5:] == ["example.com", "example.org,example.net"]
    assert [d["domain"] for d in t.status()["refused_domains"]] == ["example.com"]
    assert t.status()["exit_status"] == 0
    run = t.run("status")
    assert "example.com is refused: 450 4.7.1" in run.out, run

    # Not by its name, so that what is refused is not due.
    service.stop()
    t.fetch()
    assert atrns(provider)[7:] == ["example.org,example.net"]

    provider.users["office"] = (PASSWORD, None)
    t.fetch("office")
    assert atrns(provider)[8:] == ["example.com", "example.org,example.net"]
    assert t.status()["refused_domains"] == []
    t.fetch()
    assert atrns(provider)[10:] == [",".join(domains)]

# SPDX-License-Identifier: ISC
"""
The agent at a provider that holds its reply to ATRN until it has mail.
"""
import os
import signal
import time

import mail
from provider_host import ProviderHost
from run_cases import moment
from service import Service
from stage import ago, goodbye, hello, rows, until, waits

USER = "user@example.org"
HELD = 30  # seconds after which the agent knows that the provider holds


def one_after_hello(line):
    hello(line)
    goodbye(line)


def ends(line):
    line.expect(220)


def listen(t, host, **keys):
    """An office that would call every five minutes, and listens instead."""
    marks = t.write("marks", "")
    hook = t.write("hook", "#!/bin/sh\necho mail >>%s\n" % marks, 0o755)
    t.configure(accounts={"office": host.account(
        every="5m", after_mail_command=[hook], **keys)},
        top={"log_level": "debug", "status_page": t.path("page.html")})
    service = Service(t)
    service.logged("listening", "holds its reply", seconds=HELD + 30)
    return service


@waits
def test_listening(t):
    """What comes after the first hold: no key, no warning, and mail at once."""
    host = ProviderHost(t, hold="4m")
    service = listen(t, host)
    held = host.held()
    until(lambda: "Mail comes as soon as the provider has it." in open(
        t.path("page.html"), encoding="utf-8").read(), what="the page to say so")
    run = t.expect(t.run("fetch", "office"), 0, "listening since")
    assert "warning" not in run.err, run
    t.expect(t.run("fetch"), 0, "listening since")
    t.expect(t.run("status"), 0, "listening since")
    assert any("listening for 1 account" in line
               for line in service.notified.lines()), "the unit's status line"
    for n in range(3):
        text = mail.message("pushed %d" % n)
        host.send([USER], text)
        until(lambda: len(t.mail(USER)) == n + 1, what="message %d" % n)
        # The session is over, and all that follows one was done.
        until(lambda: len(open(t.path("marks"), encoding="ascii").readlines())
              == n + 1, what="after_mail_command")
        assert t.status()["result"] == "mail"
        held = host.held(after=held)
    run = service.stop()
    assert " warning " not in run.err and " error " not in run.err, run
    assert t.status()["result"] == "no-mail", "a clean end"


def test_online_command_while_mail_is_waited_for(t):
    """It runs at the login, not hours later when there is mail."""
    host = ProviderHost(t, hold="4m")
    t.configure(accounts={"office": host.account(every="1s", online_command=[
        "/bin/sh", "-c", "echo >>%s" % t.path("online")])})
    service = Service(t)
    host.held()
    until(lambda: os.path.exists(t.path("online")), what="online_command")
    assert host.is_held()
    service.stop()


@waits
def test_mail_in_the_first_call(t):
    """What follows a session follows this mail as well, and not the end of the
    hold that is found after it."""
    host = ProviderHost(t, hold="9m")
    text = mail.message("it waited")
    host.send([USER], text)
    host.postfix.keeps()
    listen(t, host)
    until(lambda: t.status().get("result") == "mail", HELD + 30,
          "the end of the session that brought it")
    until(lambda: open(t.path("marks"), encoding="ascii").read() == "mail\n",
          what="after_mail_command")
    host.held()
    t.assert_mail(USER, text)


@waits
def test_listening_takes_up_what_is_new(t):
    """A reload, and a network that comes back, begin a new call at once."""
    host = ProviderHost(t, hold="4m")
    service = listen(t, host)
    held = host.held()
    logins = len(host.logged(" login user="))
    service.reload()
    until(lambda: len(host.logged(" login user=")) > logins, what="a new call")
    service.logged("listening", seconds=HELD + 30)
    host.held(after=held)
    logins = len(host.logged(" login user="))
    until(lambda: os.kill(service.pid, signal.SIGUSR1) or
          len(host.logged(" login user=")) > logins, HELD + 30, "a new call")
    service.stop()


@waits
def test_listening_takes_no_place(t):
    """More accounts than max_sessions listen side by side."""
    names = ["office", "shop", "home"]
    host = ProviderHost(t, accounts={n: ["%s.example" % n] for n in names},
                        hold="4m")
    t.configure(accounts={n: host.account(n, every="1s") for n in names},
                top={"max_sessions": 1})
    service = Service(t)
    for n in names:
        host.held(n, seconds=4 * HELD)
    for n in names:
        host.send(["user@%s.example" % n], mail.message(n))
    for n in names:
        until(lambda: t.mail("user@%s.example" % n), what="mail for " + n)
    service.stop()


def test_cut_at_each_atrn(t):
    """Where it is known that the provider holds, one that ends each connection
    at ATRN is not called without a pause, and the alarm hears of it."""
    provider = t.provider(replies={"ATRN": b"453 None"})
    t.configure(provider, every="1h", jitter="0s")
    t.fetch("office")
    t.change_status(holds=True)
    success = t.status()["last_success"]
    provider.replies["ATRN"] = b""
    service = Service(t)
    service.logged("warning office: untidy")
    service.logged("info office: schedule", "next=")
    status = until(lambda: t.status()["next"] and t.status(), what="the next time")
    assert moment(status["next"]) - moment(status["ended"]) >= 50, status
    assert status["last_success"] == success and status["holds"], status
    service.stop()
    assert len(provider.sessions) == 2, "one call by hand, one by `run`"


@rows(("QUIT", one_after_hello), ("cut", ends))
def test_turned_at_once_for_nothing(t, script):
    """A provider that took its time once, but turns whenever it is called, does
    not hold: it is called as the schedule says, and not again and again."""
    provider = t.provider(*[script] * 50, replies={"ATRN": [b"453 None"]})
    t.configure(provider, every="1h", jitter="0s")
    t.fetch("office")
    t.change_status(holds=True)
    service = Service(t)
    service.logged("info office: schedule", "next=")
    status = until(lambda: t.status()["next"] and t.status(), what="the next time")
    assert moment(status["next"]) - moment(status["ended"]) >= 3000, status
    assert not status["holds"], status
    service.stop()
    assert len(provider.sessions) == 2, "one call by hand, one by `run`"


@waits
def test_no_reply_to_atrn_ever(t):
    """Something before the provider cuts each wait after a minute, as a proxy
    whose server hangs: that is no provider that holds, and the alarm rings."""
    def hang(_session, _argument):
        time.sleep(HELD + 1)
        return b""

    provider = t.provider(replies={"ATRN": [b"453 None", hang, b"453 None"]})
    t.configure(provider, alarm_command="echo >>" + t.path("alarms"),
                provider_timeout="10m")
    t.fetch("office")
    success = ago(3)
    t.change_status(last_success=success, since=ago(30))
    run = t.fetch("office")
    assert "error office: alarm: since " in run.err, run
    assert "warning" not in run.err, "one wait that ended so is no warning"
    assert os.path.exists(t.path("alarms"))
    assert t.status()["last_success"] == success
    assert t.run("status").status == 75
    t.fetch("office")
    assert t.run("status").status == 0, "a reply ends it"


@rows(("HUP", signal.SIGHUP), ("USR1", signal.SIGUSR1))
def test_wait_that_a_signal_ends_is_no_success(t, number):
    """A reload each night, or a line that comes back each day, proves nothing of a
    provider that never answers ATRN: the alarm goes on counting."""
    provider = t.provider(replies={"ATRN": [b"453 None"]})
    t.configure(provider, every="1h", jitter="0s", provider_timeout="10m")
    t.fetch("office")
    success, untidy = ago(3), ago(2)
    t.change_status(last_success=success, since=ago(30), holds=True,
                    untidy_in_a_row=2, untidy_since=untidy)
    provider.replies["ATRN"] = lambda session, _: session.line.wait_end() or b""
    service = Service(t)
    until(lambda: t.status()["listening_since"], what="the wait for mail")
    service.signal(number)
    until(lambda: len(provider.sessions) > 2, what="the next session")
    status = t.status()
    assert status["last_success"] == success, status
    assert (status["untidy_in_a_row"], status["untidy_since"]) == (2, untidy), status
    assert t.run("status").status == 75
    service.stop()
    assert t.status()["last_success"] == success, "nor does the end of the service"


@waits
def test_deferred_mail_while_listening(t):
    """A full mailbox must not make the agent call without a pause."""
    host = ProviderHost(t, hold="4m")
    local = t.local(answers={"RCPT": {"full@example.org": "452 4.2.2 Full"}})
    t.configure(deliver={"lmtp": local.address},
                accounts={"office": host.account(every="5m")},
                top={"log_level": "debug"})
    service = Service(t)
    service.logged("listening", "holds its reply", seconds=HELD + 30)
    host.send(["full@example.org"], mail.message("for a full mailbox"))
    service.logged("deferred", "full@example.org")
    before = len(host.logged(" login user="))
    until(lambda: t.status().get("result") == "deferred",
          what="the end of that session")
    assert len(host.logged(" login user=")) <= before + 1
    service.stop()

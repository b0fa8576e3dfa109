# SPDX-License-Identifier: ISC
"""
Sessions as processes: locks, several accounts, holds, signals, the user that
it runs as, status files and logs.
"""
import datetime
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import threading
import time

import mail
from clock import sanitized
from doubles import SILENT
from gate import Gate, shut
from patience import Patience
from proc import family, opened
from run_cases import moment
from servers import NOBODY, terminal_output
from stage import (NO_LEAK_SEARCH, PASSWORD, Skip, ago, deliver, goodbye, hello,
                   no_mail, one_message, rows, until, waits)

TEXT = mail.message("a message")
USER = "user@example.org"


def fetching(t, gate):
    """A fetch whose provider is at the gate."""
    child = t.start("fetch", "office")
    gate.arrived()
    return child


def finish(t, child, limit=20):
    """Its end, with the provider content as well."""
    run = t.finish(child, limit)
    t.check_provider()
    return run


# Locks

def test_account_lock(t):
    """The account is being fetched: 75 at once, and no second call."""
    gate = Gate()
    provider = t.provider(gate.no_mail)
    t.configure(provider)
    first = fetching(t, gate)
    second = t.run("fetch", "office")
    assert second.status == 75, second
    assert len(provider.sessions) == 1
    gate.open()
    assert t.finish(first).status == 0
    t.check_provider()


def test_lock_of_provider_and_user(t):
    """Two accounts that share them wait for each other."""
    gate = Gate()
    active = []

    def script(line):
        active.append("in")
        hello(line)
        gate.wait()
        assert active == ["in"]
        active.pop()
        goodbye(line)

    def other(line):
        assert active == [], "two sessions at one time"
        no_mail(line)

    provider = t.provider(script, other)
    t.configure(accounts={
        "office": t.account(provider, domains=["example.org"], drain=False),
        "branch": t.account(provider, domains=["example.com"], drain=False)})
    first = fetching(t, gate)
    second = t.start("fetch", "branch")
    until(lambda: waits_for_lock(second.pid), what="the second to wait")
    assert len(provider.sessions) == 1
    gate.open()
    assert t.finish(first).status == 0
    assert t.finish(second).status == 0
    t.check_provider()
    assert len(provider.turns()) == 2


@waits
def test_wait_for_the_lock_is_not_the_session(t):
    """session_timeout counts from when the line is free."""
    gate = Gate()

    def second(line):
        hello(line)
        time.sleep(3 * t.slowness())
        deliver(line, TEXT)
        goodbye(line)

    provider = t.provider(gate.no_mail, second)
    t.configure(accounts={
        "office": t.account(provider, domains=["example.org"], drain=False),
        "branch": t.account(provider, domains=["example.org"], drain=False,
                            session_timeout=t.seconds(6))})
    office = fetching(t, gate)
    branch = t.start("fetch", "branch")
    until(lambda: waits_for_lock(branch.pid), what="the second to wait")
    # The condition is the time itself: each is less than the limit, both are more.
    time.sleep(4 * t.slowness())
    gate.open()
    assert t.finish(office).status == 0
    assert t.finish(branch).status == 0
    t.check_provider()
    t.assert_mail(USER, TEXT)


def waits_for_lock(pid):
    """Whether a process, or a child of it, has a lock file open and no socket."""
    if os.geteuid() != 0:
        raise Skip("only root can see what the agent has open")
    paths = [path for one in family(pid) for path in opened(one)]
    return len([path for path in paths if "/lock/" in path]) >= 2


def test_lock_after_a_kill(t):
    """A killed agent leaves no lock behind."""
    gate = Gate()
    provider = t.provider(gate.silent, no_mail)
    t.configure(provider)
    first = t.start("fetch", "office", start_new_session=True)
    gate.arrived()
    os.killpg(first.pid, signal.SIGKILL)
    t.finish(first, killed=True)
    # The session was killed with it, and is gone a moment later.
    until(lambda: t.run("fetch", "office").status == 0, what="the lock")


# Several accounts

def test_several_accounts(t):
    accounts, providers = {}, []
    for number in range(6):
        providers.append(t.provider(one_message(TEXT, "u%d@example.org" % number)))
        accounts["account-%d" % number] = t.account(providers[-1],
                                                    domains=["example.org"])
    t.configure(accounts=accounts)
    run = t.fetch()
    lines = sorted(run.out.strip().split("\n"))
    assert [l.split(":")[0] for l in lines] == sorted(accounts), run
    for number in range(6):
        t.assert_mail("u%d@example.org" % number, TEXT)


def test_max_sessions(t):
    lock = threading.Lock()
    now, most = [0], [0]

    def script(line):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        hello(line)
        with lock:
            now[0] -= 1
        goodbye(line)

    accounts = {"a%d" % n: t.account(t.provider(script)) for n in range(8)}
    t.configure(accounts=accounts, top={"max_sessions": 2})
    t.fetch()
    assert most[0] <= 2, most


def test_waiter_takes_no_place(t):
    """Three accounts at one provider and one at another, two places: nobody
    waits for the other's session but those of the same provider."""
    gate = Gate()
    busy, other = t.provider(*[gate.no_mail] * 3), t.provider(one_message(TEXT))
    accounts = {"a%d" % n: t.account(busy) for n in range(3)}
    accounts["other"] = t.account(other)
    t.configure(accounts=accounts, top={"max_sessions": 2})
    child = t.start("fetch")
    gate.arrived()
    until(lambda: t.mail(USER), what="the other's message")
    assert len(busy.sessions) == 1
    gate.open()
    run = t.expect(t.finish(child), 0)
    assert run.out.count("no mail") == 3, run


@rows(("71 is worse than 75", ["75", "0"], 75), ("77 over 75", ["75", "77", "0"], 77),
      ("76 over 69", ["69", "76"], 76), ("77 over 76", ["76", "77"], 77),
      ("69 over 75", ["75", "69"], 69), ("67 over 75", ["75", "67", "0"], 67))
def test_worst_status(t, wanted, status):
    """Every account is tried; the worst session gives the status."""
    replies = {"75": {"ATRN": b"451 4.3.0 Later"}, "77": {"AUTH": b"535 5.7.8 Wrong"},
               "69": {"ATRN": b"502 5.5.1 No"}, "76": {"ATRN": b"251 Hm"},
               "0": {}, "67": {}}
    refused = one_message(mail.message("loop", b"", headers=b"Received: x\r\n" * 100),
                          expect="554")
    accounts, providers = {}, []
    for number, one in enumerate(wanted):
        provider = t.provider(refused if one == "67" else no_mail,
                              replies=replies[one])
        providers.append(provider)
        accounts["a%d" % number] = t.account(provider)
    t.configure(accounts=accounts)
    run = t.fetch(status=status)
    assert len(run.out.strip().split("\n")) == len(wanted), run
    assert all(p.sessions for p in providers)
    for number, one in enumerate(wanted):
        assert t.status("a%d" % number)["exit_status"] == int(one)


def test_disabled_account(t):
    """Not fetched unless it is named."""
    provider = t.provider(no_mail, no_mail)
    other = t.provider(no_mail)
    t.configure(accounts={"office": t.account(provider, enabled=False),
                          "branch": t.account(other)})
    t.fetch()
    assert not provider.sessions and other.sessions
    t.fetch("office")
    assert provider.sessions


# Holds

def test_hold(t):
    """After 535 `fetch` does not call; a named account is called."""
    provider = t.provider(no_mail, replies={"AUTH": [b"535 5.7.8 Wrong"]})
    t.configure(provider)
    t.fetch(status=77)
    calls = len(provider.sessions)
    run = t.fetch(status=77)
    t.expect(run, 77, r"office: on hold until (\S+ )?\d\d:\d\d: .*Wrong")
    assert len(provider.sessions) == calls
    assert t.status()["hold_until"] and t.status()["hold_reason"]
    t.fetch("office")
    assert t.status()["hold_until"] is None, t.status()
    t.fetch()


def test_accounts_of_one_login_come_in_their_order(t):
    """One at a time; one on hold keeps nobody behind it from his mail."""
    provider = t.provider(*[no_mail] * 5)
    accounts = {name: t.account(provider) for name in "cabed"}
    accounts["a"]["password"] = accounts["e"]["password"] = "wrong"
    t.configure(accounts=accounts)
    t.fetch("a", "e", status=77)
    run = t.fetch(status=77)
    said = [line[:5] for line in run.out.strip().split("\n")]
    # A hold has a second line, with what to do.
    assert said == ["c: no", "a: on", "a: Co", "b: no", "e: on", "e: Co", "d: no"], run


def test_hold_ends_with_a_new_secret(t):
    provider = t.provider(no_mail)
    t.write("secret", "wrong-password\n")
    t.configure(provider, password=None, password_file=t.path("secret"))
    t.fetch(status=77)
    t.write("secret", PASSWORD + "\n")
    t.fetch()


def test_hold_does_not_see_what_a_command_prints(t):
    """No trace of such a password is kept: whoever changed it has to say so, and
    is told how, by whatever speaks of the hold."""
    provider = t.provider(no_mail)
    t.write("vault", "wrong-password\n")
    t.configure(provider, password=None,
                password_command="cat " + t.path("vault"))
    t.fetch(status=77)
    t.write("vault", PASSWORD + "\n")
    words = "odmr-agent fetch office.*password_command"
    t.expect(t.fetch(status=77), 77, words)
    shown = t.run("status")
    assert re.search(words, re.sub(r"\s+", " ", shown.out)), shown
    t.fetch("office")
    t.fetch()


def test_hold_ends_with_a_new_hostname(t):
    """The name is no key of the account, and may be what the provider refused."""
    provider = t.provider(no_mail, replies={
        "EHLO": [b"550 5.7.1 We do not know this name"],
        "HELO": [b"550 5.7.1 We do not know this name"]})
    t.configure(provider, top={"hostname": "wrong.office.example"})
    t.fetch(status=69)
    assert t.status()["hold_until"], t.status()
    calls = len(provider.sessions)
    t.fetch(status=69)
    assert len(provider.sessions) == calls
    t.configure(provider, top={"hostname": "mail.office.example"})
    t.fetch()


@rows(("451", {"ATRN": b"451 4.3.0 Later"}, 75, False),
      ("450", {"ATRN": b"450 4.7.1 No"}, 77, True),
      ("502", {"ATRN": b"502 5.5.1 No"}, 69, True),
      ("protocol", {"ATRN": b"251 What"}, 76, True),
      ("greeting 421", {"GREETING": b"421 4.3.2 Down"}, 75, False))
def test_what_holds(t, replies, status, held):
    provider = t.provider(replies=replies)
    t.configure(provider)
    t.fetch(status=status)
    assert bool(t.status().get("hold_until")) == held, t.status()


@rows(("a greeting", {"GREETING": b"554 5.3.2 No mail service"}, 69, 1),
      ("no greeting at all", {"GREETING": b"HTTP/1.1 400 Bad Request"}, 76, 1),
      ("no STARTTLS", {"EHLO": b"250 middlebox"}, 69, 1),
      ("ATRN unknown", {"ATRN": b"502 5.5.1 No"}, 69, 4))
def test_hold_by_anybody(t, replies, status, hours):
    """What is said before the login is no word of the provider's: a laptop that
    was behind a middlebox for a day does not wait for hours at home."""
    t.configure(t.provider(tls="starttls", replies=replies))
    for _ in range(3):
        t.fetch("office", status=status)
    held = t.status()
    left = moment(held["hold_until"]) - moment(held["ended"])
    assert left == hours * 3600, held


@rows(("a password", {"AUTH": b"535 5.7.8 Wrong"}, 77),
      ("a greeting", {"GREETING": b"554 5.3.2 No mail service"}, 69))
def test_long_list_is_held_as_a_short_one(t, replies, status):
    """What was refused is the login, and no domain: that most of a list was not
    asked for yet is no reason to try a wrong password again and again."""
    provider = t.provider(replies=replies)
    t.configure(provider, domains=["customer-%03d.example.org" % n
                                   for n in range(100)])
    t.fetch("office", status=status)
    assert t.status()["more"] and t.status()["hold_until"], t.status()
    t.expect(t.run("fetch"), status, "on hold")
    assert len(provider.sessions) == 1, "no call while on hold"


def test_no_hold_where_mail_came(t):
    """One message at which the provider loses its way is an error of protocol,
    and keeps no other mail away for hours."""
    def script(line):
        hello(line)
        deliver(line, TEXT)
        for _ in range(19):
            line.command("Subject: this is text", 500)
        line.command("Subject: this is text", "421")
        line.wait_end()

    t.configure(t.provider(script), drain=False)
    t.fetch("office", status=76)
    assert not t.status()["hold_until"], t.status()
    t.assert_mail(USER, TEXT)


def test_certificate_holds_nothing(t):
    """Nothing secret was sent; often it is a captive portal or the clock."""
    provider = t.provider(tls="starttls", certificate=t.certificates.expired)
    t.configure(provider)
    t.fetch(status=77)
    assert not t.status().get("hold_until")


# Signals

@rows(("TERM", signal.SIGTERM), ("INT", signal.SIGINT))
def test_signal_between_messages(t, number):
    """421 to the next command, and what was taken stays taken."""
    gate = Gate()

    def script(line):
        hello(line)
        deliver(line, TEXT)
        gate.reached.set()
        reply = line.reply()
        assert reply.code == 421, reply
        line.wait_end()

    t.configure(t.provider(script))
    child = fetching(t, gate)
    child.send_signal(number)
    run = finish(t, child)
    assert run.status in (0, 75), run
    t.assert_mail(USER, TEXT)


def test_term_in_a_message_that_ends(t):
    """It is finished within 10 s, then 421."""
    gate = Gate()
    t.configure(t.provider(gate.amid(TEXT)))
    child = fetching(t, gate)
    child.terminate()
    gate.open()
    finish(t, child)
    t.assert_mail(USER, TEXT)


def test_term_in_a_message_that_does_not_end(t):
    gate = Gate()
    t.configure(t.provider(gate.without_end(TEXT)))
    child = fetching(t, gate)
    patience = Patience(15)
    child.terminate()
    run = finish(t, child, 30)
    assert run.status == 75, run
    assert patience.left()
    t.assert_mail(USER)


def test_term_while_the_delivery_thinks(t):
    """Once its end went to the delivery, the answer is waited for."""
    gate = Gate()

    def end(_server, _rcpt):
        gate.wait()
        return "250 2.0.0 Taken after all"

    def script(line):
        hello(line)
        reply = deliver(line, TEXT)
        assert "Taken after all" in reply.text, reply
        shut(line)

    local = t.local(answers={"END": end})
    t.configure(t.provider(script), {"lmtp": local.address})
    child = fetching(t, gate)
    child.terminate()
    gate.open()
    finish(t, child)
    assert len(local.messages) == 1


def test_term_and_a_late_answer(t):
    """What was waited for is passed on, though the 10 s of a text are over."""
    gate = Gate()

    def end(_server, _rcpt):
        gate.wait()
        return "250 2.0.0 Taken at last"

    def script(line):
        hello(line)
        reply = deliver(line, TEXT)
        assert "Taken at last" in reply.text, reply
        shut(line)

    local = t.local(answers={"END": end})
    t.configure(t.provider(script), {"lmtp": local.address})
    child = fetching(t, gate)
    child.terminate()
    # The condition is the time itself.
    threading.Timer(10.5, gate.open).start()
    finish(t, child, 30)


def test_term_while_a_lock_is_waited_for(t):
    """Nothing was done, and nothing is forgotten: the last success above all, from
    which the alarm counts."""
    gate = Gate()
    provider = t.provider(no_mail, gate.no_mail)
    t.configure(accounts={
        "office": t.account(provider, domains=["example.org"], drain=False),
        "branch": t.account(provider, domains=["example.com"], drain=False)})
    t.fetch("office")
    t.change_status(last_success=ago(3), since=ago(30))
    before = t.status()
    branch = t.start("fetch", "branch")
    gate.arrived()
    office = t.start("fetch", "office")
    until(lambda: waits_for_lock(office.pid), what="office to wait for branch")
    office.terminate()
    assert t.finish(office).status == 75
    gate.open()
    assert t.finish(branch).status == 0
    t.check_provider()
    for key in ("last_success", "since", "provider", "auth_best"):
        assert t.status()[key] == before[key], (key, t.status())
    assert t.status()["total"]["sessions"]["no-mail"] == 1, t.status()


@rows(("greeting", "GREETING"), ("atrn", "ATRN"))
def test_term_while_the_provider_is_silent(t, verb):
    gate = Gate()

    def silent(session, _):
        gate.reached.set()
        session.line.wait_end()
        return b""

    t.configure(t.provider(replies={verb: silent}))
    child = fetching(t, gate)
    child.terminate()
    patience = Patience(10)
    run = t.finish(child, 15)
    assert patience.left()
    assert run.status == 75, run


def test_term_while_the_local_side_is_silent(t):
    local = t.local(answers={"GREETING": SILENT})
    t.configure(t.provider(no_mail), {"lmtp": local.address})
    child = t.start("fetch", "office")
    until(lambda: local.connections, what="the connection")
    child.terminate()
    patience = Patience(10)
    t.finish(child, 15)
    assert patience.left()


def test_term_ends_all_sessions(t):
    gates = [Gate(), Gate()]

    t.configure(accounts={"a%d" % n: t.account(t.provider(gate.shut))
                          for n, gate in enumerate(gates)})
    child = t.start("fetch")
    for gate in gates:
        gate.arrived()
    child.terminate()
    finish(t, child)


def test_ignored_sigchld(t):
    """A parent that ignores SIGCHLD must not cost us exit statuses."""
    program = t.write("sendmail", "#!/bin/sh\ncat >/dev/null\n", mode=0o755)
    t.configure(t.provider(one_message(TEXT)), {"sendmail": program})
    child = t.start("fetch", command=["/bin/sh", "-c", "trap '' CHLD; exec \"$@\"",
                                      "sh"] + t.command("fetch"))
    assert t.finish(child).status == 0


def test_closed_descriptors(t):
    t.configure(t.provider(one_message(TEXT)))
    child = t.start("fetch", command=["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-',
                                      "sh"] + t.command("fetch"))
    assert t.finish(child).status == 0
    t.assert_mail(USER, TEXT)


def test_full_stdout(t):
    """Nowhere to print the line does not undo the session."""
    t.configure(t.provider(one_message(TEXT)))
    with open("/dev/full", "wb") as full:
        child = t.start("fetch", stdout=full)
    t.finish(child)
    t.check_provider()
    t.assert_mail(USER, TEXT)


# The user that it runs as

def test_root_then_the_services_user(t):
    """Started by root it becomes the owner of state_dir; nothing is left that
    the service's user could not write afterwards."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    nobody = 65534
    os.chown(t.sub("state"), nobody, nobody)
    os.chown(t.sub("mail"), nobody, nobody)
    t.write("secret", PASSWORD + "\n", mode=0o600)  # root's alone
    second = mail.message("second")
    provider = t.provider(one_message(TEXT), one_message(second))
    t.configure(provider, password=None, password_file=t.path("secret"), drain=False)
    t.fetch("office", env=NO_LEAK_SEARCH)
    for folder, folders, files in os.walk(t.path("state")):
        for name in folders + files:
            assert os.stat(os.path.join(folder, name)).st_uid == nobody, name
    for folder, folders, files in os.walk(t.path("mail")):
        for name in set(folders + files) - {".odmr-agent"}:
            assert os.stat(os.path.join(folder, name)).st_uid == nobody, name
    t.configure(provider, drain=False)
    os.chmod(t.config_file, 0o644)
    child = t.start("fetch", "office", user=nobody, group=nobody, extra_groups=[])
    t.expect(t.finish(child), 0)
    t.assert_mail(USER, TEXT, second)


def test_root_drops_groups_too(t):
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    nobody = 65534
    os.chown(t.sub("state"), nobody, nobody)
    program = t.write("sendmail", "#!/bin/sh\nid >%s\ncat >/dev/null\n" %
                      os.path.join(t.sub("out"), "id"), mode=0o755)
    os.chmod(t.path("out"), 0o777)
    t.configure(t.provider(one_message(TEXT)), {"sendmail": program})
    t.fetch("office", env=NO_LEAK_SEARCH)
    with open(t.path("out", "id"), encoding="ascii") as file:
        said = file.read()
    assert "uid=65534" in said and "gid=65534" in said, said
    assert "root" not in said and "=0" not in said, said


@rows(("set-uid", 0o4755, NOBODY), ("set-gid", 0o2755, NOBODY),
      ("set-uid root", 0o4755, 0))
def test_set_id_start(t, mode, owner):
    """It is refused, whatever it is told to do: nobody reads by it what is the
    owner's."""
    if os.geteuid() != 0:
        raise Skip("only root can give a program away")
    if os.statvfs(t.folder).f_flag & os.ST_NOSUID:
        raise Skip("set-uid programs have no effect in this file system")
    if sanitized(t) and owner != 0:
        raise Skip("a sanitizer reads its settings where a set-uid program may not")
    program = shutil.copy(t.binary, t.path("odmr-agent"))
    os.chown(program, owner, owner if mode & 0o4000 else NOBODY)
    os.chmod(program, mode)
    t.write("secret.yaml", "secret: words\n", mode=0o600)
    os.chown(t.path("secret.yaml"), owner, owner)
    child = t.start(command=[program, "-c", t.path("secret.yaml"), "check"],
                    env=NO_LEAK_SEARCH, user=1, group=1, extra_groups=[])
    run = t.expect(t.finish(child), 71, "must not be set-uid or set-gid")
    assert "secret:" not in run.out + run.err, run


# Status and logs

KEYS = {"version", "account", "result", "exit_status", "error", "started", "ended",
        "seconds", "calls", "messages", "recipients", "bytes", "deferred",
        "refused", "more", "failures_in_a_row", "untidy_in_a_row",
        "last_success", "last_mail", "hold_until", "hold_reason", "total"}


def test_status_file(t):
    text = mail.message("sized", b"x" * 100 + b"\r\n")
    provider = t.provider(one_message(text, USER, "b@example.com"))
    t.configure(provider)
    t.fetch("office")
    status = t.status()
    assert not KEYS - set(status), KEYS - set(status)
    assert (status["account"], status["result"], status["exit_status"]) == (
        "office", "mail", 0), status
    assert (status["messages"], status["recipients"], status["bytes"]) == (
        1, 2, len(text)), status
    for key in ("started", "ended", "last_success", "last_mail"):
        moment = datetime.datetime.strptime(status[key], "%Y-%m-%dT%H:%M:%SZ")
        now = datetime.datetime.utcnow()
        assert abs((now - moment).total_seconds()) < 120, (key, status)
    provider = t.provider(one_message(TEXT), replies={"ATRN": [None, b"421 x"]})
    t.configure(provider)
    t.fetch("office")
    assert t.status()["total"]["messages"] == 2, t.status()
    modes = {"state": 0o750, "state/status/office.json": 0o640}
    for name in os.listdir(t.path("state", "lock")):
        modes["state/lock/" + name] = 0o600
    os.umask(0)
    for name, mode in modes.items():
        if name != "state":  # made by the case itself
            found = stat.S_IMODE(os.stat(t.path(name)).st_mode)
            assert found == mode, "%s: %o" % (name, found)


def test_state_dir_is_made(t):
    t.configure(t.provider(no_mail), top={"state_dir": t.path("new")})
    t.fetch("office")
    assert stat.S_IMODE(os.stat(t.path("new")).st_mode) == 0o750


def test_failures_are_counted(t):
    for number in range(1, 4):
        t.configure(t.provider(replies={"ATRN": b"451 4.3.0 Later"}))
        t.fetch("office", status=75)
        assert t.status()["failures_in_a_row"] == number
    t.configure(t.provider(no_mail))
    t.fetch("office")
    assert t.status()["failures_in_a_row"] == 0


def test_success_after_failures_is_logged(t):
    """Whoever reads of failures in the log reads of their end as well, though there
    is no mail; and then no more of it."""
    t.configure(t.provider(replies={"ATRN": [b"451 4.3.0 Later"] * 2}))
    for status, words in ((75, None), (75, None), (0, "after 2 failed sessions in a row"),
                          (0, None)):
        run = t.fetch("office", status=status)
        assert (words or "recovered") in run.err or words is None, run
        assert ("info office: recovered" in run.err) == (words is not None), run


def test_broken_status_file(t):
    """It is told of, and does not stop the mail."""
    os.makedirs(t.path("state/status"))
    for broken in (b"", b"{", b"\xff\xfe\0", b"[" * 100000, b'{"version": 99}'):
        t.write("state/status/office.json", broken)
        t.configure(t.provider(no_mail))
        t.fetch("office")
        assert t.status()["result"] == "no-mail"


def test_json(t):
    t.configure(t.provider(one_message(TEXT)))
    run = t.fetch("--json", "office")
    found = json.loads(run.out)
    assert found == {k: v for k, v in t.status().items() if k in found}
    assert found["result"] == "mail" and found["messages"] == 1


def test_quiet(t):
    t.configure(t.provider(one_message(TEXT)))
    run = t.fetch("-q", "office")
    assert run.out == "" and run.err == "", run
    t.configure(t.provider(replies={"AUTH": b"535 5.7.8 Wrong"}))
    run = t.fetch("-q", "office", status=77)
    assert run.out == "" and "Wrong" in run.err, run


def test_log_text(t):
    def script(line):
        hello(line)
        deliver(line, TEXT)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<a@elsewhere.example>", "550")
        goodbye(line)
    t.configure(t.provider(script))
    run = t.fetch("office")
    [message] = [l for l in run.err.split("\n") if " message " in l]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ info office: message ", message)
    for part in ("from=<sender@remote.example>", "to=<user@example.org>",
                 "delivery=local", 'reply="250 ', "size=", "seconds=", "id="):
        assert part in message, (part, message)
    assert re.search(r"warning office: refused .*a@elsewhere.example.* cause=domain ",
                     run.err), run
    assert re.search(r"info office: end ", run.err), run


def test_log_json(t):
    t.configure(t.provider(one_message(TEXT)), top={"log_format": "json",
                                                    "log_level": "debug"})
    run = t.fetch("office")
    entries = [json.loads(l) for l in run.err.strip().split("\n")]
    for entry in entries:
        assert {"time", "level"} <= set(entry), entry
    events = [e.get("event") for e in entries if e.get("account") == "office"]
    for event in ("start", "connected", "auth", "turned", "message", "end"):
        assert event in events, (event, events)


def test_log_bears_the_session(t):
    """Every line of a session, warnings too, bears the id of the session, and
    two sessions have two."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<s@r.example>", 250)
        line.command("RCPT TO:<a@elsewhere.example>", 550)
        line.close()
    ids = []
    for _ in range(2):
        t.configure(t.provider(script, replies={"ATRN": [None, b"453 none"]}),
                    top={"log_format": "json", "log_level": "debug"})
        run = t.run("fetch", "office")
        entries = [json.loads(l) for l in run.err.strip().split("\n")]
        assert "warning" in {e["level"] for e in entries}, run
        of_session = {e.get("session") for e in entries if "account" in e}
        assert len(of_session) == 1 and None not in of_session, run
        ids += of_session
    assert ids[0] != ids[1], ids


def test_log_is_escaped(t):
    """What the peer says cannot forge a line or steer a terminal."""
    evil = b"\x1b[31mred\x07 \xc2\x9b2J \r forged"
    t.configure(t.provider(replies={"ATRN": b"550 5.7.1 " + evil + b" end"}))
    run = t.fetch("office", "-v", "--trace", status=77)
    for text in (run.out, run.err, json.dumps(t.status(), ensure_ascii=False)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), repr(text)


def test_trace(t):
    """Lines of both peers; of a message the count of its octets only."""
    local = t.local()
    text = mail.message("secret subject", b"secret body\r\n" * 50)
    t.configure(t.provider(one_message(text), tls="starttls"), {"lmtp": local.address})
    run = t.fetch("--trace", "office")
    for words in ("EHLO", "STARTTLS", "AUTH CRAM-MD5", "ATRN example.org", "MAIL FROM:",
                  "LHLO", "QUIT", "221", r"\*\*\*", r"\b%d\b" % len(text)):
        assert re.search(words, run.err), (words, run)
    assert "secret body" not in run.err and "secret subject" not in run.err, run


def test_live_line(t):
    """On a terminal: a line that is rewritten meanwhile, then the last one."""
    gate = Gate()

    def script(line):
        hello(line)
        deliver(line, TEXT)
        gate.wait()
        deliver(line, TEXT)
        goodbye(line)

    t.configure(t.provider(script))
    master, slave = pty.openpty()
    child = t.start("fetch", "office", stdout=slave, env={"TERM": "xterm"})
    os.close(slave)
    gate.arrived()
    shown = b""

    def more():
        nonlocal shown
        if select.select([master], [], [], 0.05)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:
                return True
        return b"1 message" in shown
    until(more, 10, "the live line")
    assert b"\n" not in shown, shown
    gate.open()
    shown += terminal_output(master)
    t.finish(child)
    t.check_provider()
    # the terminal turns LF into CRLF
    last = shown.rstrip(b"\r\n").split(b"\r")[-1]
    assert re.search(rb"office: 2 messages, [^\r\n]* s$", last), shown


def test_no_live_line_in_a_file(t):
    t.configure(t.provider(one_message(TEXT)))
    run = t.fetch("office")
    assert "\r" not in run.out and run.out.count("\n") == 1, run

# SPDX-License-Identifier: ISC
"""
What is told while nobody looks: alarms, pings, commands, figures, the service
manager and the plug-in of a monitoring system.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time

import mail
from clock import wall_clock
from command_cases import on_terminal
from doubles import SILENT, Http
from gate import Gate
from patience import Patience
from servers import ended, terminal_output
from service import Service
from state_cases import in_namespace, read_only
from stage import (NO_LEAK_SEARCH, PASSWORD, Skip, ago, goodbye, hello, one_message,
                   rows, until, waits)
from turned import Scripts

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEXT = mail.message("a message")
USER = "user@example.org"
FAILING = {"ATRN": b"451 4.3.0 Later"}
CERTAIN = {"every": "1h", "jitter": "0s"}
OFTEN = {"every": "1s", "jitter": "0s"}


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


# Alarms

def alarm_command(t):
    return ("echo \"$ODMR_ACCOUNT|$ODMR_ALARM|$ODMR_LAST_SUCCESS|"
            "$ODMR_LAST_ERROR\" >>%s" % t.path("alarms"))


def begin_failing(t, **keys):
    """An account whose last success is three days old."""
    t.configure(t.provider(), **dict(keys, alarm_command=alarm_command(t)))
    t.fetch("office")
    assert t.run("status").status == 0
    success = ago(3)
    t.change_status(last_success=success, since=ago(30))
    t.configure(t.provider(replies=FAILING),
                **dict(keys, alarm_command=alarm_command(t)))
    return success


def raised(kind, when):
    """As a status file has it."""
    return [{"alarm": kind, "raised": when, "unheard": False}]


def test_alarm(t):
    """Once a day: the log, the command with its environment, and status."""
    begun = begin_failing(t)
    run = t.fetch("office", status=75)
    assert re.search("error office: alarm: no session has succeeded since .*"
                     "last error: .*451 4.3.0 Later", run.err), run
    [line] = lines(t.path("alarms"))
    account, why, success, error = line.split("|")
    assert account == "office" and why.startswith("no session has succeeded"), line
    assert success == begun and "451" in error, line
    shown = t.run("status")
    assert shown.status == 75 and "ALARM: no session has" in shown.out, shown

    run = t.fetch("office", status=75)
    assert ": alarm" not in run.err and len(lines(t.path("alarms"))) == 1, run
    t.change_status(alarms=raised("failing", ago(1.1)))
    t.fetch("office", status=75)
    assert len(lines(t.path("alarms"))) == 2

    t.configure(t.provider())
    t.fetch("office")
    assert t.run("status").status == 0


def still_full(t):
    """The state as it was, on a disk that has become full."""
    return ("cp -a {0} {1} && mount -t tmpfs -o size=64k,mode=0750 none {0} && "
            "cp -a {1}/. {0}/ && "
            "{{ cat /dev/zero >{0}/ballast 2>/dev/null || true; }}"
            .format(t.path("state"), t.path("state.before")))


@rows(("read-only", read_only, 2), ("full", still_full, 1))
def test_alarm_without_a_disk(t, mount, alarms):
    """A disk on which nothing can be noted any more keeps all mail away: that
    is what the alarm is for. Once a day, where that can be known."""
    begin_failing(t)
    before = time.time() - 3 * 86400
    os.utime(t.path("state/lock/office"), (before, before))
    twice = mount(t) + ' && { "$@" || true; }'
    run = t.run("fetch", "office", command=in_namespace(t, twice, "fetch", "office"))
    assert run.status == 75, run
    assert "error office: alarm: no session has succeeded since" in run.err, run
    raised = lines(t.path("alarms"))
    assert len(raised) == alarms, raised
    for line in raised:
        assert re.search("Read-only file system|No space left", line), line


def test_alarm_command_that_fails(t):
    """What keeps mail away may keep the alarm from being told, too, as a network
    that is down: it is raised again after an hour, and then once a day."""
    begin_failing(t)
    command = "test -e %s && %s" % (t.path("network"), alarm_command(t))
    t.configure(t.provider(replies=FAILING), alarm_command=command)
    for hours, tried in ((0, True), (0.5, False), (1.5, True)):
        run = t.fetch("office", status=75, env=wall_clock(t, hours * 3600))
        assert ("alarm_command" in run.err) == tried, (hours, run)
    t.write("network", "")
    for hours in (2, 3, 5):
        t.fetch("office", status=75, env=wall_clock(t, hours * 3600))
        assert len(lines(t.path("alarms"))) == (hours >= 3), hours


def test_alarm_command_that_fails_on_a_full_disk(t):
    """That nobody heard of it cannot be written there: it is raised again after an
    hour all the same, and then once a day."""
    begin_failing(t)
    tried, network, seen = t.path("tried"), t.path("network"), t.path("seen")
    command = "echo >>%s; test -e %s && %s" % (tried, network, alarm_command(t))
    t.configure(t.provider(replies=FAILING), alarm_command=command)
    os.utime(t.path("state/lock/office"), (0, 0))

    def fetch(hours):
        return 'env ODMR_TEST_CLOCK=%d "$@"; wc -l <%s >>%s' % (
            hours * 3600, tried, seen)

    steps = [still_full(t), fetch(0), fetch(0.5), fetch(1.5), "touch " + network,
             fetch(2), fetch(3), fetch(4), fetch(28), "exit 0"]
    t.run("fetch", "office", env=wall_clock(t, 0),
          command=in_namespace(t, "; ".join(steps), "fetch", "office"))
    assert lines(seen) == ["1", "1", "2", "2", "3", "3", "4"], lines(seen)
    assert len(lines(t.path("alarms"))) == 2, lines(t.path("alarms"))


@rows(("not mounted", "mount -t tmpfs -o ro none %s"),
      ("not for its owner", "mount -t tmpfs -o mode=0,uid=12345 none %s"))
def test_alarm_without_a_past(t, mount):
    """What is known of earlier sessions cannot be read, and no session comes
    about: nobody can say since when, so that it is told each time."""
    begin_failing(t)
    mount = mount % t.path("state")
    run = t.run("fetch", "office", command=in_namespace(t, mount, "fetch", "office"),
                env=NO_LEAK_SEARCH)
    t.expect(run, 75, "error office: alarm: .*state_dir cannot be used",
             "alarm: .*last error: .*" + t.path("state"))


def test_no_alarm_for_who_may_not_use_the_state_folder(t):
    """An administrator who tries `fetch` as himself sees on his terminal why it is
    not possible; the service works, and nobody else is told that it does not."""
    begin_failing(t)
    mount = "mount -t tmpfs -o mode=0,uid=12345 none %s" % t.path("state")
    shown = "\n".join(on_terminal(
        t, "fetch", "office", command=in_namespace(t, mount, "fetch", "office"),
        env=NO_LEAK_SEARCH))
    assert "state_dir " + t.path("state") in shown, shown
    assert "alarm" not in shown and not lines(t.path("alarms")), shown


def test_alarm_of_a_service_with_a_terminal(t):
    """As in a container that was given one: nobody looks at it."""
    begin_failing(t, **OFTEN)
    ours, theirs = pty.openpty()
    service = Service(t, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shutil.move(t.path("state"), t.path("state.before"))
    t.write("state", "")
    until(lambda: any("state_dir cannot be used" in line
                      for line in lines(t.path("alarms"))), what="the alarm command")
    service.child.terminate()
    terminal_output(ours)
    ended(service.child, 60)


def test_alarm_without_a_password(t):
    """Its file is gone: told of at the start, an alarm once it is due, and no
    other account waits for it."""
    begin_failing(t)
    other = t.provider(one_message(TEXT))
    t.configure(accounts={
        "office": t.account(t.provider(), password=None, jitter="0s",
                            password_file=t.path("gone"), every="1s",
                            alarm_command=alarm_command(t)),
        "branch": t.account(other, **OFTEN)})
    service = Service(t)
    service.logged("error configuration:", "password_file", t.path("gone"))
    service.logged("error office: alarm: no session has succeeded", t.path("gone"))
    until(lambda: t.mail(USER), what="the message of the other account")
    until(lambda: lines(t.path("alarms")), what="the alarm command")
    service.stop()


def test_alarm_after_the_clock_ran_ahead(t):
    """A success in the year 2999 silences nothing: it counts as now, once."""
    begin_failing(t, alarm_after="1h")
    t.change_status(last_success="2999-01-01T00:00:00Z",
                    alarms=raised("failing", "2999-01-01T00:00:00Z"))
    run = t.fetch("office", status=75)
    assert ": alarm" not in run.err and t.status()["last_success"] < "2999", run
    run = t.fetch("office", status=75, env=wall_clock(t, 2 * 3600))
    assert "error office: alarm: no session" in run.err, run
    assert len(lines(t.path("alarms"))) == 1


def test_no_alarm_where_nothing_was_due(t):
    """A time in which no session was due counts for nothing."""
    day = time.strftime("%a", time.localtime(time.time() + 2 * 86400)).lower()
    begin_failing(t, schedule=[{"days": day, "every": "5m"}], alarm_after="25h")
    run = t.fetch("office", status=75)
    assert ": alarm" not in run.err and not lines(t.path("alarms")), run
    assert t.run("status").status == 0


def test_alarm_of_deferred_mail(t):
    """A mailbox that is full for days, though the provider waits for hours and
    sessions in between bring nothing; until the message is accepted."""
    local = t.local(answers={"END": "452 4.2.2 Full"})
    once, none = [None, b"453 -"], [b"453 -"]
    provider = t.provider(
        *[one_message(TEXT, expect=452)] * 3, one_message(TEXT),
        replies={"ATRN": once + none + once + none + once + none + once})
    t.configure(provider, {"lmtp": local.address}, alarm_command=alarm_command(t))
    for hours, status, alarms in ((0, 75, 0), (4, 0, 0), (9, 75, 0), (20, 0, 0),
                                  (26, 75, 1), (30, 0, 1)):
        clock = wall_clock(t, hours * 3600)
        t.fetch("office", status=status, env=clock)
        assert len(lines(t.path("alarms"))) == alarms, hours
        assert t.run("status", env=clock).status == (75 if alarms else 0), hours
    assert "mail has been deferred again and again since" in lines(t.path("alarms"))[0]

    local.answers.clear()
    t.fetch("office", env=wall_clock(t, 31 * 3600))
    assert t.run("status", env=wall_clock(t, 31 * 3600)).status == 0


def full(line):
    """A message for a mailbox that is full."""
    hello(line)
    line.command("MAIL FROM:<s@r.example>", 250)
    line.command("RCPT TO:<%s>" % USER, "451 4.2.2")
    goodbye(line)


def test_one_alarm_does_not_silence_another(t):
    """A full mailbox is an alarm each day; where no mail comes at all from then
    on, that is one when it is due, and so is each time that it begins anew."""
    def fetch(hours, status, alarms, word=None):
        run = t.fetch("office", status=status, env=wall_clock(t, hours * 3600))
        raised = lines(t.path("alarms"))
        assert len(raised) == alarms, (hours, raised)
        assert word is None or word in raised[-1], (hours, raised, run)

    local = t.local(answers={"RCPT": {USER: "452 4.2.2 Full"}})
    t.configure(t.provider(*[full] * 3), {"lmtp": local.address}, drain=False,
                alarm_command=alarm_command(t), alarm_after="2h")
    fetch(0, 75, 0)
    fetch(3, 75, 1, "deferred")
    t.providers[0].replies.update(FAILING)
    fetch(4, 75, 1)
    fetch(6, 75, 2, "no session has succeeded")
    fetch(8, 75, 2)
    t.providers[0].replies.clear()
    fetch(9, 75, 2)  # It works, and the mailbox is still full: that was told.
    t.providers[0].replies.update(FAILING)
    fetch(10, 75, 2)
    fetch(12, 75, 3, "no session has succeeded")


def test_alarm_of_a_domain(t):
    """One that the provider does not serve, while the others go on."""
    provider = t.provider(users={"office": (PASSWORD, ["example.org"])})
    t.configure(provider, alarm_command=alarm_command(t))
    t.fetch("office")
    t.fetch("office")
    assert t.run("status").status == 0
    [refused] = t.status()["refused_domains"]
    t.change_status(refused_domains=[dict(refused, since=ago(3))])
    t.fetch()
    [line] = lines(t.path("alarms"))
    assert "the provider has not served example.com since" in line, line
    shown = t.run("status")
    assert shown.status == 75 and "ALARM: the provider has not" in shown.out, shown


def test_alarms_of_several_kinds(t):
    """A domain that has lapsed and that everybody knows of is an alarm each day; a
    full mailbox is one nevertheless, and another domain is, at once and by name."""
    def refused(**since):
        return [{"domain": name + ".example", "since": ago(days), "asked": ago(0),
                 "reply": "450 4.7.1 No right"} for name, days in since.items()]

    local = t.local(answers={"RCPT": {USER: "452 4.2.2 Full"}})
    provider = t.provider(full, full, users={"office": (PASSWORD, ["example.org"])})
    t.configure(provider, {"lmtp": local.address}, drain=False,
                alarm_command=alarm_command(t),
                domains=["example.org", "old.example", "new.example"])
    t.run("fetch", "office")
    [deferral] = t.status()["deferrals"]
    t.change_status(refused_domains=refused(old=20, new=0.5), waiting_domains=[],
                    deferrals=[dict(deferral, since=ago(2))],
                    alarms=raised("domain", ago(0.1)))
    t.fetch("office", status=75)
    [line] = lines(t.path("alarms"))
    assert "mail has been deferred again and again since" in line, line

    t.change_status(refused_domains=refused(old=20, new=1.05))
    t.fetch("office")
    _, line = lines(t.path("alarms"))
    assert "has not served old.example since" in line, line
    assert "nor new.example since" in line, line
    t.fetch("office")
    assert len(lines(t.path("alarms"))) == 2


def test_alarm_where_the_next_session_begins_at_once(t):
    """As at a provider that holds its reply until it has mail: what follows one
    session takes its time, and the next one has the account long before that."""
    held = threading.Event()

    def atrn(session, argument):
        if "example.com" in argument or not provider.turns():
            return None
        held.set()
        session.line.wait_end()
        return b""

    def late(path):
        if provider.replies and not path.endswith("start"):
            held.wait(8)
        return "200 OK"

    watcher = Http(late)
    t.at_end(watcher.close)
    provider = t.provider(users={"office": (PASSWORD, ["example.org"])})
    t.configure(provider, alarm_command=alarm_command(t), **dict(
        CERTAIN, ping_url="http://%s/uuid" % watcher.address))
    t.fetch("office")
    t.fetch("office")
    [refused] = t.status()["refused_domains"]
    t.change_status(refused_domains=[dict(refused, since=ago(3))], holds=True)
    provider.source = Scripts(one_message(TEXT))
    provider.replies["ATRN"] = atrn
    service = Service(t)
    until(held.is_set, what="the wait for the next message")
    until(lambda: lines(t.path("alarms")), what="the alarm command")
    assert "has not served example.com since" in lines(t.path("alarms"))[0]
    service.stop()


def test_alarm_where_a_process_keeps_the_account(t):
    """As a `fetch` that somebody halted at a terminal and forgot: no session comes
    about, each finds the account locked, and the one that has it says nothing."""
    gate = Gate()
    begin_failing(t)
    t.configure(t.provider(gate.silent, replies={}), alarm_command=alarm_command(t))
    halted = t.start("fetch", "office")
    gate.arrived()
    before = time.time() - 3 * 86400
    os.utime(t.path("state/lock/office"), (before, before))
    for _ in range(2):
        t.run("fetch", "office")
        [line] = lines(t.path("alarms"))
        assert "no session has succeeded since" in line, line
        assert "another process of odmr-agent is fetching it" in line, line
    halted.terminate()
    t.finish(halted)


def test_alarm_of_sessions_that_die(t):
    """A session that was killed cannot raise it; its parent has it raised."""
    gate = Gate()
    watcher = Http()
    t.at_end(watcher.close)
    begin_failing(t, **CERTAIN)
    t.configure(t.provider(gate.silent), alarm_command=alarm_command(t),
                ping_url="http://%s/uuid" % watcher.address,
                top={"metrics_file": t.path("odmr.prom")}, **CERTAIN)
    service = Service(t)
    gate.arrived()
    until(lambda: watcher.paths, what="the ping of the start")
    os.kill(service.children()[0], signal.SIGKILL)
    service.logged("error office: alarm", "the session died of signal 9")
    until(lambda: lines(t.path("alarms")), what="the command")
    until(lambda: 'sessions_total{account="office",result="failed"} 1' in
          "\n".join(lines(t.path("odmr.prom"))), what="the figures")
    until(lambda: len(watcher.paths) > 1, what="the ping of the failure")
    assert watcher.paths == ["/uuid/start", "/uuid/fail"], watcher.paths
    service.stop()


def test_fetch_of_a_session_that_dies(t):
    """As with `run`: reported, and followed by what follows a failure."""
    gate = Gate()
    watcher = Http()
    t.at_end(watcher.close)
    t.configure(t.provider(gate.silent), ping_url="http://%s/uuid" % watcher.address)
    child = t.start("fetch", "office")
    gate.arrived()
    until(lambda: watcher.paths, what="the ping of the start")
    with open("/proc/%d/task/%d/children" % (child.pid, child.pid),
              encoding="ascii") as file:
        os.kill(int(file.read().split()[0]), signal.SIGKILL)
    t.expect(t.finish(child), 70, "^office: failed: the session died of signal 9",
             "error office: end: the session died")
    assert watcher.paths == ["/uuid/start", "/uuid/fail"], watcher.paths


# Pings

def ping(t, watcher, provider, status, *words):
    t.configure(provider, ping_url="http://%s/secret-7f3c/" % watcher.address)
    run = t.run("-v", "--trace", "fetch", "office")
    t.expect(run, status, *words)
    assert "secret-7f3c" not in run.out + run.err, run
    assert "secret-7f3c" not in json.dumps(t.status()), t.status()


def test_ping(t):
    """/start before, the URL itself after a success, /fail after a failure."""
    watcher = Http()
    t.at_end(watcher.close)
    ping(t, watcher, t.provider(one_message(TEXT)), 0)
    ping(t, watcher, t.provider(replies=FAILING), 75)
    assert watcher.paths == ["/secret-7f3c/start", "/secret-7f3c/",
                             "/secret-7f3c/start", "/secret-7f3c/fail"], watcher.paths


def test_ping_where_no_session_succeeds(t):
    """Each connection is cut before the first message: that may be a quiet day. Once
    the alarm has rung it is no success for whoever waits for pings."""
    def ends(line):
        line.expect(220)

    watcher = Http()
    t.at_end(watcher.close)
    t.configure(t.provider(ends, ends), drain=False,
                ping_url="http://%s/uuid" % watcher.address)
    t.fetch("office")
    assert watcher.paths == ["/uuid/start", "/uuid"], watcher.paths
    t.change_status(since=ago(3))
    run = t.fetch("office")
    assert "error office: alarm: since" in run.err, run
    assert watcher.paths[2:] == ["/uuid/start", "/uuid/fail"], watcher.paths


def test_ping_that_fails(t):
    """It is told without the URL, and the session is what it was."""
    watcher = Http(lambda _path: "404 Not found")
    t.at_end(watcher.close)
    ping(t, watcher, t.provider(one_message(TEXT)), 0, "ping_url answers with status 404")
    watcher.close()
    ping(t, watcher, t.provider(), 0, "ping_url cannot be reached")


def test_ping_that_is_led_elsewhere(t):
    """From http to https, say: not followed with the secret, and told, or it looks
    as if the service had been pinged."""
    watcher = Http(lambda _path: "301 Moved")
    t.at_end(watcher.close)
    ping(t, watcher, t.provider(one_message(TEXT)), 0,
         "ping_url answers with status 301: it has moved")


@waits
def test_ping_that_hangs(t):
    """The session neither waits for it before nor tells its end later."""
    watcher = Http(lambda _path: SILENT)
    t.at_end(watcher.close)
    t.configure(t.provider(one_message(TEXT)),
                ping_url="http://%s/uuid" % watcher.address)
    patience = Patience(5)
    child = t.start("fetch", "office")
    until(lambda: t.output(child).out, what="the line")
    assert patience.left()
    t.assert_mail(USER, TEXT)
    run = t.finish(child, 40)
    t.expect(run, 0, "ping_url cannot be reached")
    assert watcher.paths == ["/uuid/start", "/uuid"], watcher.paths


def test_term_while_a_ping_hangs(t):
    watcher = Http(lambda _path: SILENT)
    t.at_end(watcher.close)
    t.configure(t.provider(one_message(TEXT)), **dict(
        CERTAIN, ping_url="http://%s/uuid" % watcher.address))
    service = Service(t)
    service.logged("info office: end")
    patience = Patience(5)
    service.stop()
    assert patience.left()


# Commands

@rows(("mail", True, None, ["mail office 1", "online office"]),
      ("no mail", False, None, ["online office"]),
      ("refused", False, {"AUTH": b"535 5.7.8 Wrong"}, []),
      ("ATRN refused", False, FAILING, ["online office"]))
def test_commands(t, has_mail, replies, expected):
    """online_command once the provider took us, after_mail_command for mail."""
    def command(word):
        return ["/bin/sh", "-c", "echo %s $ODMR_ACCOUNT $ODMR_MESSAGES >>%s" % (
            word, t.path("ran"))]

    t.configure(t.provider(*[one_message(TEXT)] * has_mail, replies=replies),
                online_command=command("online"), after_mail_command=command("mail"))
    t.run("fetch", "office")
    t.check_provider()
    # They run side by side, and are waited for.
    assert sorted(lines(t.path("ran"))) == expected, lines(t.path("ran"))


def test_online_command_runs_before_the_mail_is_fetched(t):
    """What is to be sent is on its way while mail comes in: the provider sends
    nothing before the command ran, and the command ends after the mail."""
    def script(line):
        until(lambda: lines(t.path("begun")), what="online_command")
        one_message(TEXT)(line)

    t.configure(t.provider(script), drain=False,
                online_command=["/bin/sh", "-c", (
                    "echo >>{0}/begun; while [ ! -e {0}/mailed ]; do sleep 0.1; done; "
                    "echo >>{0}/ended").format(t.folder)],
                after_mail_command=["/bin/sh", "-c", "echo >>%s" % t.path("mailed")])
    t.fetch("office")
    t.assert_mail(USER, TEXT)
    assert lines(t.path("ended")) == [""], "the fetch waits for the command's end"


def test_online_command_once_a_session(t):
    """Though the provider is called again as long as it has mail."""
    t.configure(t.provider(*[one_message(TEXT)] * 3), online_command=[
        "/bin/sh", "-c", "echo >>%s" % t.path("ran")])
    t.expect(t.fetch("office"), 0, "3 messages")
    assert len(lines(t.path("ran"))) == 1


def test_command_that_fails(t):
    t.configure(t.provider(one_message(TEXT)), after_mail_command=[
        "/bin/sh", "-c", "echo no queue here >&2; exit 3"], online_command=["/none"])
    t.expect(t.run("fetch", "office"), 0, "warning office: command: "
             "after_mail_command .*3.*: no queue here", "online_command .*")


@rows(("after_mail_command", "after_mail_command", [one_message(TEXT)]),
      ("online_command", "online_command", []))
def test_term_in_a_command(t, key, scripts):
    """It does not outlive the service, nor hold up its end."""
    t.configure(t.provider(*scripts), **dict(CERTAIN, **{key: [
        "/bin/sh", "-c", "echo $$ >%s; exec sleep 100" % t.path("pid")]}))
    service = Service(t)
    [pid] = until(lambda: lines(t.path("pid")), what="the command")
    patience = Patience(10)
    service.stop()
    assert patience.left()
    assert not os.path.exists("/proc/" + pid)


# Figures

def test_metrics_folder_missing(t):
    t.configure(t.provider(one_message(TEXT)),
                top={"metrics_file": t.path("none/odmr.prom")})
    t.expect(t.run("fetch"), 0, "warning metrics: .*" + t.path("none"))


def test_metrics(t):
    """As promtool wants them, whole, and for others to read."""
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("promtool is not installed")
    path = t.path("odmr.prom")
    t.configure(accounts={
        "office": t.account(t.provider(one_message(TEXT))),
        "branch": t.account(t.provider(replies=FAILING)),
        "new": t.account(t.provider(), enabled=False)}, top={"metrics_file": path})
    begun = int(time.time())
    t.fetch(status=75)
    with open(path, "rb") as file:
        text = file.read()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (checked.returncode, checked.stdout) == (0, b""), checked
    figures = dict(line.rsplit(" ", 1) for line in text.decode().splitlines()
                   if not line.startswith("#"))
    for name, value in (
            ('messages_total{account="office"}', 1),
            ('message_bytes_total{account="office"}', len(TEXT)),
            ('sessions_total{account="office",result="mail"}', 1),
            ('sessions_total{account="branch",result="failed"}', 1),
            ('last_success_timestamp_seconds{account="branch"}', 0),
            ('last_attempt_timestamp_seconds{account="new"}', 0)):
        assert float(figures["odmr_agent_" + name]) == value, (name, figures)
    for name in ("last_success", "last_attempt", "last_mail"):
        told = float(figures['odmr_agent_%s_timestamp_seconds{account="office"}' % name])
        assert begun <= told <= time.time(), (name, begun, told)
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert [n for n in os.listdir(t.folder) if "prom" in n] == ["odmr.prom"]


# The service manager

def test_notified(t):
    gate = Gate()
    t.configure(t.provider(gate.no_mail), **CERTAIN)
    service = Service(t, env={"WATCHDOG_USEC": "400000"})
    gate.arrived()
    said = service.notified.lines
    service.wait("STATUS=fetching office; nothing is scheduled")
    service.wait("WATCHDOG=1", 3)
    gate.open()
    until(lambda: any(re.match(r"STATUS=next: office at (\S+ )?\d\d:\d\d$", l)
                      for l in said()), what="what is next")
    service.reload()
    service.stop()
    until(lambda: "STOPPING=1" in said(), what="STOPPING=1 to be read")
    order = [l for l in said() if l.split("=")[0] in ("READY", "RELOADING", "STOPPING")]
    assert order == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"], order


# The plug-in

def plug_in(t, *args):
    done = subprocess.run(
        [os.path.join(TOP, "contrib", "check_odmr_agent"), "-p", t.binary,
         "-c", t.config_file] + list(args), check=False, env=t.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def test_plug_in(t):
    t.configure(t.provider(one_message(TEXT)))
    t.fetch("office")
    state, text = plug_in(t)
    assert state == 0 and text.startswith("ODMR OK - ") and text.count("\n") == 1, text
    assert "| 'office_failures'=0;3 'office_messages'=1c" in text, text

    t.configure(t.provider(replies=FAILING))
    for _ in range(2):
        t.fetch("office", status=75)
    assert plug_in(t)[0] == 0
    t.fetch("office", status=75)
    state, text = plug_in(t)
    assert state == 1 and "3 failures: " in text and "451" in text, text
    assert plug_in(t, "-w", "5")[0] == 0

    t.change_status(last_success=ago(3), since=ago(30))
    state, text = plug_in(t, "office")
    assert state == 2 and "last success 3 d ago" in text, text

    # An alarm counts more than a hold.
    t.change_status(hold_until=ago(-0.5), hold_status=77, hold_reason="535 Wrong")
    state, text = plug_in(t)
    assert state == 2 and "on hold: 535 Wrong" in text, text

    for args in (["nobody"], ["-c", t.path("none.yaml")], ["-p", "/none"], ["-x"]):
        state, text = plug_in(t, *args)
        assert state == 3 and text.startswith("ODMR UNKNOWN - "), text


@rows(("hold", {"AUTH": b"535 5.7.8 a | b"}, None, "on hold: .*a / b"),
      ("domain", None, ["example.org"], "refused: example.com"))
def test_plug_in_warns(t, replies, rights, words):
    t.configure(t.provider(replies=replies, users={"office": (PASSWORD, rights)}))
    t.run("fetch", "office")
    t.run("fetch", "office")
    state, text = plug_in(t)
    assert state == 1 and re.search(words, text), text


def test_plug_in_before_the_first_success(t):
    """An account that nobody fetches, one that never worked, one switched off."""
    t.configure(t.provider(replies=FAILING))
    state, text = plug_in(t)
    assert state == 1 and "last success never, no session yet" in text, text
    t.fetch("office", status=75)
    state, text = plug_in(t)
    assert state == 1 and "it has not succeeded yet: " in text and "451" in text, text
    t.configure(t.provider(), enabled=False)
    assert plug_in(t)[0] == 0

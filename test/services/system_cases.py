# SPDX-License-Identifier: ISC
"""
Both ways to run the agent under a real systemd: the service, and the timer with
its oneshot. The provider has TLS and a password that systemd hands over as a
credential; the mail goes to a real Dovecot by LMTP.
"""
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys

import mail
from certificate import Authority
from servers import Dovecot, Skip, ended, until
from slow import SLOW, slow_server
from turned import hold

SERVICE, FETCH, TIMER = ("odmr-agent.service", "odmr-agent-fetch.service",
                         "odmr-agent-fetch.timer")
CONFIG = "/etc/odmr-agent/odmr-agent.yaml"
STATUS = "/var/lib/odmr-agent/status/office.json"
USER = "anna@example.org"
PASSWORD = "geheim-7Kq/wort"

YAML = """\
hostname: mail.example.org
accounts:
  office:
    provider: 127.0.0.1:{port}
    tls_ca_file: /srv/test/ca/ca.pem
    user: office
    {password}
    domains: example.org
    soft_bounce: no
    every: {every}
    jitter: 1s
{more}deliveries:
  local: {delivery}
"""
UNUSABLE = """\
  branch:
    provider: 127.0.0.1:1
    user: branch
    password_file: /etc/odmr-agent/not-there
    domains: branch.example
"""
CREDENTIAL = ("[Service]\n"
              "LoadCredential=office.password:/etc/odmr-agent/office.password\n")


class Setting:
    """The system with a provider and Dovecot, and what was sent so far."""

    def __init__(self, place):
        self.system = place.system()
        self.ends = []
        self.place = place
        self.sent = 0
        self.begun = self.system.cursor()
        shared = self.system.shared
        os.makedirs(shared("held"), exist_ok=True)
        self.dovecot = self.port = self.end_provider = None

    def provider(self):
        shared = self.system.shared
        certificate = Authority(shared("ca")).issue("good", "provider", "IP:127.0.0.1")
        with open(shared("provider.out"), "wb") as out:
            child = subprocess.Popen(
                self.system.enter("-n") + [
                    sys.executable, self.place.top + "/test/provider/provider.py",
                    "--folder", shared("held"), "--tls", "starttls",
                    "--cert", certificate.cert, "--key", certificate.key,
                    "--user", "office:" + PASSWORD, "--log", shared("provider.log")],
                stdin=subprocess.DEVNULL, stdout=out)

        def port():
            with open(shared("provider.out"), encoding="ascii") as file:
                return re.findall(r"^listening on (\d+)$", file.read(), re.MULTILINE)

        def end():
            child.terminate()
            ended(child, 20)

        self.end_provider = end
        self.ends.append(end)
        self.port = int(until(port, what="the provider")[0])

    def start(self):
        self.provider()
        folder = self.system.shared("dovecot")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.dovecot = Dovecot(folder, [USER])
        self.ends.append(self.dovecot.end)
        self.configure()
        self.system.write("/etc/odmr-agent/office.password", PASSWORD + "\n", 0o600)
        for unit in (SERVICE, FETCH):
            self.drop_in(unit, "credential", CREDENTIAL)

    def configure(self, delivery='{lmtp: /srv/test/dovecot/lmtp}', every="1d",
                  password="password_file: office.password", more=""):
        self.system.write(CONFIG, YAML.format(
            port=self.port, delivery=delivery, every=every, password=password,
            more=more))

    def drop_in(self, unit, name, text):
        self.system.write("/etc/systemd/system/%s.d/%s.conf" % (unit, name), text)
        self.system.systemctl("daemon-reload")

    def hold(self, lines=1):
        """A message that the provider holds from now on."""
        self.sent += 1
        name = "%03d" % self.sent
        # Of a size of its own: the ledger knows a deferred message by that.
        text = mail.message("number %d" % self.sent,
                            body=b"A line.\r\n" * (lines + self.sent))
        hold(self.system.shared("held"), name, "friend@remote.example", [USER], text)
        return text

    def slow_delivery(self):
        """A local server that has a message, and answers when its gate is open."""
        local, gate = slow_server(self.system)
        self.ends.append(local.close)
        self.configure(delivery=SLOW)
        return local, gate

    def is_done(self, name="001"):
        """Waits until the provider has noted that a message was accepted. That comes
        after its customer has said so, and may be gone."""
        def noted():
            with open(self.system.shared("held", name + ".json"),
                      encoding="utf-8") as file:
                return '"250' in file.read()
        self.until(noted, "the provider to know of message " + name)

    def arrived(self, count):
        self.until(lambda: len(self.dovecot.mail(USER)) >= count,
                   "message %d" % count)
        assert len(self.dovecot.mail(USER)) == count

    def journal(self, unit):
        return self.system.journal(unit, self.begun)

    def until(self, condition, what):
        try:
            until(condition, what=what)
        except AssertionError as why:
            raise AssertionError("%s; the journal: %s" % (
                why, self.journal("odmr-agent*")[-3000:])) from None

    def first_session(self):
        self.until(lambda: os.path.exists(self.system.path(STATUS)) and
                   '"last_success":"' in self.status(), "the first session")

    def status(self):
        with open(self.system.path(STATUS), encoding="utf-8") as file:
            return file.read()

    def active(self, unit):
        return self.system.shown(unit, "ActiveState")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.clear()
        finally:
            for end in reversed(self.ends):
                end()

    def clear(self):
        """The system as the next case wants it."""
        self.system.systemctl("stop", SERVICE, FETCH, TIMER, status=None)
        self.system.systemctl("reset-failed", status=None)
        self.system.run("sh", "-c", "rm -rf /etc/systemd/system/odmr-agent* "
                        "/var/lib/odmr-agent/* " + CONFIG)
        self.system.systemctl("daemon-reload")
        shutil.rmtree(self.system.shared("held"))


def status_of(system, pid):
    with open(system.path("/proc/%s/status" % pid), encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def child_of(system, pid):
    with open(system.path("/proc/%s/task/%s/children" % (pid, pid)),
              encoding="ascii") as file:
        return file.read().split()[0]


def test_sysusers_made_the_user(place):
    line = place.system().run("getent", "passwd", "odmr-agent").stdout.decode()
    assert line.strip().split(":")[5:] == ["/var/lib/odmr-agent", "/usr/sbin/nologin"]


def test_nothing_starts_without_a_configuration(place):
    system = place.system()
    for unit in (SERVICE, FETCH):
        system.systemctl("start", unit)
        assert system.shown(unit, "ActiveState") == "inactive"
        assert system.shown(unit, "ConditionResult") == "no"


def test_service_fetches_in_its_sandbox(place):
    with Setting(place) as setting:
        system = setting.system
        sent = setting.hold()
        system.systemctl("start", SERVICE)
        setting.arrived(1)
        wrong = mail.same(setting.dovecot.mail(USER), [sent])
        assert wrong is None, wrong
        process = status_of(system, system.shown(SERVICE, "MainPID"))
        uid = system.run("id", "-u", "odmr-agent").stdout.decode().strip()
        assert process["Uid"].split() == [uid] * 4, process["Uid"]
        assert process["NoNewPrivs"] == "1" and process["Seccomp"] == "2", process
        assert int(process["CapBnd"], 16) == int(process["CapEff"], 16) == 0
        until(lambda: "next: office" in system.shown(SERVICE, "StatusText"),
              what="what is next in %s" % system.shown(SERVICE, "StatusText"))
        state = os.stat(system.path("/var/lib/odmr-agent"))
        assert (stat.S_IMODE(state.st_mode), state.st_uid) == (0o750, int(uid))
        setting.first_session()
        assert stat.S_IMODE(os.stat(system.path(STATUS)).st_mode) == 0o640
        journal = setting.journal(SERVICE)
        assert "office: message" in journal and PASSWORD not in journal, journal


def test_service_reloads(place):
    with Setting(place) as setting:
        system = setting.system
        system.systemctl("start", SERVICE)
        pid = system.shown(SERVICE, "MainPID")
        setting.first_session()
        # Only a schedule that was read anew brings this one.
        setting.hold()
        setting.configure(every="2s")
        system.systemctl("reload", SERVICE)
        setting.arrived(1)
        system.write(CONFIG, "accounts: 7\n")
        assert system.systemctl("reload", SERVICE, status=None).returncode != 0
        assert CONFIG + ":1:" in setting.journal(SERVICE)
        setting.hold()
        setting.arrived(2)
        assert system.shown(SERVICE, "MainPID") == pid


def test_service_reloads_what_is_usable_in_part(place):
    """An account without its password keeps no other from what is new."""
    with Setting(place) as setting:
        system = setting.system
        system.systemctl("start", SERVICE)
        setting.first_session()
        setting.hold()
        setting.configure(every="2s", more=UNUSABLE)
        assert system.systemctl("reload", SERVICE, status=None).returncode != 0
        setting.arrived(1)
        assert "/etc/odmr-agent/not-there" in setting.journal(SERVICE)


def test_service_fetches_at_once_on_a_signal(place):
    with Setting(place) as setting:
        setting.system.systemctl("start", SERVICE)
        setting.first_session()
        setting.hold()
        setting.system.systemctl("kill", "-s", "USR1", "--kill-who=main", SERVICE)
        setting.arrived(1)


def test_service_stops_cleanly(place):
    """A message whose end went to the delivery is waited for, and its answer
    reaches the provider."""
    with Setting(place) as setting:
        system = setting.system
        _, gate = setting.slow_delivery()
        setting.hold()
        system.systemctl("start", SERVICE)
        gate.arrived()
        with open(system.path("/proc/%s/limits" % child_of(
                system, system.shown(SERVICE, "MainPID"))), encoding="ascii") as file:
            assert re.search(r"^Max core file size +0 +0 ", file.read(), re.MULTILINE)
        system.systemctl("stop", "--no-block", SERVICE)
        until(lambda: setting.active(SERVICE) == "deactivating", what="the stop")
        gate.open()
        until(lambda: setting.active(SERVICE) == "inactive", what="the end")
        assert system.shown(SERVICE, "Result") == "success"
        assert system.shown(SERVICE, "ExecMainStatus") == "0"
        setting.is_done()


def test_service_feeds_its_watchdog_and_is_started_anew(place):
    with Setting(place) as setting:
        system = setting.system
        setting.drop_in(SERVICE, "soon", "[Service]\nWatchdogSec=2s\nRestartSec=0\n")
        system.systemctl("start", SERVICE)
        pid = system.shown(SERVICE, "MainPID")
        seen = system.shown(SERVICE, "WatchdogTimestampMonotonic")
        until(lambda: system.shown(SERVICE, "WatchdogTimestampMonotonic") != seen,
              what="a sign of life")
        system.systemctl("kill", "-s", "SEGV", "--kill-who=main", SERVICE)
        until(lambda: setting.active(SERVICE) == "active" and
              system.shown(SERVICE, "MainPID") not in ("0", pid), what="another process")
        system.systemctl("stop", SERVICE)
        system.write(CONFIG, "accounts: 7\n")
        system.systemctl("start", SERVICE, status=None)
        until(lambda: setting.active(SERVICE) == "failed", what="the failure")
        assert system.shown(SERVICE, "ExecMainStatus") == "78"


def test_oneshot(place):
    with Setting(place) as setting:
        system = setting.system
        setting.hold()
        system.systemctl("start", FETCH)
        setting.arrived(1)
        assert "exit_status=0" in setting.journal(FETCH)
        setting.end_provider()
        system.systemctl("start", FETCH)
        assert "exit_status=75" in setting.journal(FETCH)
        assert setting.active(FETCH) == "inactive"
        system.write(CONFIG, "accounts: 7\n")
        system.systemctl("start", FETCH, status=1)
        assert system.shown(FETCH, "ExecMainStatus") == "78"


def test_large_message_waits_in_the_state_folder(place):
    """Over 1 MiB: a file without a name, which the sandbox must let us make."""
    with Setting(place) as setting:
        setting.configure(delivery="{lmtp: /srv/test/dovecot/lmtp, collect: yes}")
        sent = setting.hold(lines=200000)
        setting.system.systemctl("start", FETCH)
        setting.arrived(1)
        wrong = mail.same(setting.dovecot.mail(USER), [sent])
        assert wrong is None, wrong


def test_maildir_needs_its_path_to_be_named(place):
    """Without it the agent sees that before it calls; a password_command runs in
    the sandbox as well."""
    with Setting(place) as setting:
        system = setting.system
        system.run("install", "-d", "-o", "odmr-agent", "-m", "750", "/srv/mail")
        system.run("touch", "/srv/mail/.odmr-agent")
        setting.configure(
            delivery='{maildir: "/srv/mail/{user}", create: yes}',
            password="password_command: cat $CREDENTIALS_DIRECTORY/office.password")
        sent = setting.hold()
        system.systemctl("start", FETCH)
        assert "exit_status=75" in setting.journal(FETCH), setting.journal(FETCH)
        assert "calls=0" in setting.journal(FETCH), setting.journal(FETCH)
        setting.drop_in(FETCH, "maildir", "[Service]\nReadWritePaths=/srv/mail\n")
        system.systemctl("start", FETCH)
        wrong = mail.same(mail.maildir(system.path("/srv/mail/anna")), [sent])
        assert wrong is None, "%s: %s" % (wrong, setting.journal(FETCH))


def test_timer_fetches_and_excludes_the_service(place):
    with Setting(place) as setting:
        system = setting.system
        setting.drop_in(TIMER, "soon", "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\n"
                        "RandomizedDelaySec=0\n")
        setting.hold()
        system.systemctl("start", TIMER)
        setting.arrived(1)
        system.systemctl("start", SERVICE)
        assert (setting.active(SERVICE), setting.active(TIMER)) == ("active", "inactive")
        system.systemctl("start", TIMER)
        assert (setting.active(SERVICE), setting.active(TIMER)) == ("inactive", "active")


def postfix_queue(system):
    """A Postfix that takes mail into its queue, as its package sets it up."""
    for name in ("postfix", "postdrop"):
        if not shutil.which(name, path="/usr/sbin"):
            raise Skip("postfix is not installed")
    if not os.stat("/usr/sbin/postdrop").st_mode & stat.S_ISGID:
        raise Skip("postdrop is not set-gid here")
    pwd.getpwnam("postfix")
    system.run("sh", "-c", """set -e
        mkdir -p /etc/postfix /var/lib/postfix
        printf 'myhostname = postfix.example\\nmaillog_file = /var/log/postfix.log\\n' \
            >/etc/postfix/main.cf
        cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
        chown postfix /var/lib/postfix
        mkdir -p /var/spool/postfix/maildrop /var/spool/postfix/public
        chown postfix:postdrop /var/spool/postfix/maildrop /var/spool/postfix/public
        chmod 730 /var/spool/postfix/maildrop
        chmod 710 /var/spool/postfix/public""")


def queued(system):
    """The texts in there, of which one may be written just now."""
    return [text for _, text in mail.files(system.path("/var/spool/postfix/maildrop"))]


def test_sendmail_needs_the_drop_in_and_no_more(place):
    """Postfix's sendmail: refused by the sandbox, so that the provider keeps the
    message, and taken with the drop-in."""
    with Setting(place) as setting:
        system = setting.system
        postfix_queue(system)
        setting.configure(delivery="{sendmail: /usr/sbin/sendmail, timeout: 1s}")
        setting.hold()
        system.systemctl("start", FETCH)
        assert "exit_status=75" in setting.journal(FETCH), setting.journal(FETCH)
        assert queued(system) == []
        with open(place.installed + "/usr/local/share/doc/odmr-agent/sendmail.conf",
                  encoding="utf-8") as file:
            for unit in (SERVICE, FETCH):
                setting.drop_in(unit, "sendmail", file.read())
                file.seek(0)
        setting.hold()
        # This time sendmail need not be given up soon, but let be done.
        setting.configure(delivery="{sendmail: /usr/sbin/sendmail}")
        system.systemctl("start", SERVICE)
        setting.until(lambda: any(b"number 2" in text for text in queued(system)),
                      "the message in Postfix's queue")
        assert len(queued(system)) == 1, "the first one stays where it is"
        process = status_of(system, system.shown(SERVICE, "MainPID"))
        assert process["NoNewPrivs"] == "0", process
        assert int(process["CapBnd"], 16) == 0, process
        setting.first_session()

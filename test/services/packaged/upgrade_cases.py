# SPDX-License-Identifier: ISC
"""
An upgrade of the Debian packages while they are at work, under a real systemd: dpkg
installs the new version while mail is on its way, by both programs.
"""
import os
import subprocess
import threading

import mail
from certificate import Authority
from provider import Provider
from provider_cases import SERVICE as PROVIDER, SOCKET, Host
from servers import until
from slow import SLOW, slow_server
from system_cases import FETCH, PASSWORD, SERVICE, TIMER, USER, Setting
from turned import Ended, Folder, dotted


class Halting(Folder):
    """Sends half of its first message, and then nothing until the customer ends."""

    def __init__(self, folder):
        super().__init__(folder)
        self.halfway = threading.Event()
        self.last_words = None  # what the customer said then

    def send_text(self, line, text):
        if self.last_words is not None:
            return super().send_text(line, text)
        line.command("DATA", 354)
        line.send(dotted(text)[:len(text) // 2])
        self.halfway.set()
        self.last_words = line.wait_end(60)
        raise Ended("in the midst of the message")


class Upgrade(Setting):
    """The old packages are installed, and a new one comes with upgrade()."""

    source = None

    def provider(self):
        shared = self.system.shared
        certificate = Authority(shared("ca")).issue("good", "provider", "IP:127.0.0.1")
        self.source = self.source or Folder(shared("held"))
        provider = self.system.in_its_network(lambda: Provider(
            self.source, tls="starttls", certificate=certificate,
            users={"office": PASSWORD}))
        self.port = provider.port
        self.ends.append(provider.close)

    def start(self):
        install(self.place, "old")
        super().start()

    def halting(self):
        """The provider stops in the midst of the first message."""
        self.source = Halting(self.system.shared("held"))
        return self


def install(place, age):
    place.system().run("dpkg", "-i", *place.copy_packages(age))


def beginning(place, age):
    """The same, under way; its end is waited for by finish()."""
    system = place.system()
    return subprocess.Popen(system.enter() + ["dpkg", "-i"] + place.copy_packages(age),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def finish(child):
    out = child.communicate()[0].decode("utf-8", "replace")
    assert child.returncode == 0, out


def program_of(system, pid):
    """What this process runs; "(deleted)" stands after one that was replaced."""
    return os.readlink(system.path("/proc/%s/exe" % pid))


def is_new(system, unit, before):
    """The unit runs, another process than before, of the installed program."""
    assert system.shown(unit, "ActiveState") == "active", system.shown(unit, "Result")
    pid = system.shown(unit, "MainPID")
    assert pid not in ("0", before), pid
    assert not program_of(system, pid).endswith("(deleted)"), program_of(system, pid)
    return pid


def came_once(local, sent):
    wrong = mail.same([mail.stored(text) for _, _, text in local.messages],
                      [mail.stored(text) for text in sent])
    assert wrong is None, wrong


def test_upgrade_waits_for_a_delivery(place):
    """The local server has a message and has not answered: its answer reaches the
    provider, the new program runs, and nothing comes twice."""
    with Upgrade(place) as setting:
        system = setting.system
        local, gate = setting.slow_delivery()
        sent = setting.hold()
        system.systemctl("start", SERVICE)
        before = system.shown(SERVICE, "MainPID")
        gate.arrived()
        child = beginning(place, "new")
        until(lambda: setting.active(SERVICE) == "deactivating", 60, "the stop")
        gate.open()
        finish(child)
        is_new(system, SERVICE, before)
        setting.is_done()
        more = setting.hold()
        system.systemctl("kill", "-s", "USR1", "--kill-who=main", SERVICE)
        until(lambda: len(local.messages) >= 2, what="a message by the new program")
        came_once(local, [sent, more])


def test_upgrade_in_the_midst_of_a_message(place):
    """What came of it is dropped, the provider is told in order, and the new program
    fetches it, whole and once."""
    with Upgrade(place).halting() as setting:
        system = setting.system
        sent = setting.hold(lines=4000)
        system.systemctl("start", SERVICE)
        before = system.shown(SERVICE, "MainPID")
        until(setting.source.halfway.is_set, what="half of the message")
        install(place, "new")
        is_new(system, SERVICE, before)
        assert setting.source.last_words.startswith(b"421 4.3.2 "), \
            setting.source.last_words
        setting.arrived(1)
        wrong = mail.same(setting.dovecot.mail(USER), [sent])
        assert wrong is None, wrong
        setting.is_done()


def test_upgrade_leaves_a_fetch_alone(place):
    """One that the timer has started ends with the old program; the timer goes on."""
    with Upgrade(place) as setting:
        system = setting.system
        local, gate = setting.slow_delivery()
        sent = setting.hold()
        system.systemctl("start", TIMER)
        system.systemctl("start", "--no-block", FETCH)
        gate.arrived()
        pid = system.shown(FETCH, "MainPID")
        install(place, "new")
        assert program_of(system, pid).endswith("(deleted)"), "it was started anew"
        assert setting.active(TIMER) == "active"
        assert setting.active(SERVICE) == "inactive"
        gate.open()
        until(lambda: setting.active(FETCH) == "inactive", what="the end of the fetch")
        assert system.shown(FETCH, "Result") == "success"
        setting.is_done()
        came_once(local, [sent])


# As a customer's schedule would, over and over.
CALLS = """
    until odmr-agent fetch office >>/srv/test/calls 2>&1 &&
            grep -q '^office: [1-9] message' /srv/test/calls; do sleep 0.2; done
"""


def upgrade_of_the_provider(place, where):
    """While a message of Postfix is on its way to a customer whose local server does
    not answer at this place of it: the old program goes on until it does, the port
    stays open, and the message comes whole and once."""
    install(place, "old")
    with Host(place) as host:
        system = host.system
        local, gate = slow_server(system, where)
        host.deliver_to("local: " + SLOW)
        system.systemctl("start", SOCKET)
        opened = system.shown(SOCKET, "ActiveEnterTimestampMonotonic")
        sent = mail.stored(mail.message("long", body=b"A line of many.\r\n" * 250000))
        for name, text in (("long", sent), ("calls", b"")):
            with open(system.shared(name), "wb") as file:
                file.write(text)
        host.shell("sendmail -f friend@remote.example anna@example.org </srv/test/long")
        customer = subprocess.Popen(system.enter() + ["bash", "-c", CALLS],
                                    stdin=subprocess.DEVNULL)
        try:
            gate.arrived()
            before = host.pid()
            child = beginning(place, "new")
            until(lambda: system.shown(PROVIDER, "ActiveState") == "deactivating",
                  60, "the stop")
            assert host.pid() == before
            gate.open()
            finish(child)
            is_new(system, PROVIDER, before)
            assert system.shown(SOCKET, "ActiveEnterTimestampMonotonic") == opened
            until(lambda: customer.poll() is not None, 60,
                  "the message; the journal: " + host.journal()[-3000:])
            assert "this program is being stopped" in host.journal()
        finally:
            gate.open()
            customer.kill()
            local.close()
        came_once(local, [sent])
        until(lambda: b"queue is empty" in host.shell("postqueue -p").stdout,
              what="the end of Postfix' queue")


def test_upgrade_of_the_provider_in_the_midst_of_a_message(place):
    """It is finished by the old program."""
    upgrade_of_the_provider(place, "BODY")


def test_upgrade_of_the_provider_before_an_answer(place):
    """The customer has the message, and Postfix hears his word for it."""
    upgrade_of_the_provider(place, "END")


def test_upgrade_starts_nothing(place):
    install(place, "old")
    install(place, "new")
    for unit in (SERVICE, FETCH, TIMER, PROVIDER, SOCKET):
        assert place.system().shown(unit, "ActiveState") == "inactive", unit


def test_upgrade_while_the_socket_waits(place):
    """No service is started for it, and the port stays open: who calls next has the
    new program."""
    install(place, "old")
    with Host(place) as host:
        system = host.system
        system.systemctl("start", SOCKET)
        opened = system.shown(SOCKET, "ActiveEnterTimestampMonotonic")
        install(place, "new")
        assert system.shown(SOCKET, "ActiveEnterTimestampMonotonic") == opened
        assert system.shown(PROVIDER, "ActiveState") == "inactive"
        host.fetches("by the new program")
        is_new(system, PROVIDER, None)

# SPDX-License-Identifier: ISC
"""
online_command under a real systemd: the agent in its sandbox makes a real Postfix
send what waits for a connection.
"""
import os
import shutil
import subprocess

import provider_cases
from servers import Skip, ended, until
from system_cases import FETCH, Setting

PATH, SENDS = "odmr-agent-online.path", "odmr-agent-online.service"
ONLINE = ("password_file: office.password\n"
          "    online_command: [/usr/bin/touch, /var/lib/odmr-agent/online]")
# A Postfix of a dial-up host, whose relay host is a sink.
DIAL_UP = provider_cases.POSTFIX + """
    printf '%s\\n' 'defer_transports = smtp' 'relayhost = [127.0.0.1]:2526' \
        'smtp_tls_security_level = none' >>/etc/postfix/main.cf
    postfix start
    """


class DialUp(Setting):
    """A host that sends when the agent says so, and what it has sent."""

    def start(self):
        for name in ("postfix", "smtp-sink"):
            if not shutil.which(name, path="/usr/sbin"):
                raise Skip(name + " is not installed")
        super().start()
        os.chmod(self.system.shared(), 0o777)  # smtp-sink gives up root
        sink = subprocess.Popen(self.system.enter("-n") + [
            "/usr/sbin/smtp-sink", "-u", "postfix", "-D",
            self.system.shared("sink"), "127.0.0.1:2526", "10"],
            stdin=subprocess.DEVNULL)

        def end():
            sink.terminate()
            ended(sink, 20)
        self.ends.append(end)
        self.system.run("bash", "-c", DIAL_UP)
        self.ends.append(lambda: self.system.run("sh", "-c", (
            "postfix stop; rm -rf /etc/postfix /var/spool/postfix"), status=None))
        self.ends.append(lambda: self.system.systemctl(
            "stop", PATH, SENDS, status=None))
        self.configure(password=ONLINE)
        self.system.systemctl("start", PATH)

    def write_mail(self, number):
        """A message of the office, which waits."""
        queued = self.queue().count("queue_id")
        self.system.run("sh", "-c", (
            "printf 'Subject: office %d\\n\\nhello\\n' | /usr/sbin/sendmail "
            "-f anna@example.org friend@remote.example" % number))
        until(lambda: self.queue().count('"deferred"') > queued,
              what="the message to wait")

    def queue(self):
        return self.system.run("postqueue", "-j").stdout.decode()

    def was_sent(self, number):
        try:
            with open(self.system.shared("sink"), encoding="utf-8") as file:
                return "Subject: office %d\n" % number in file.read()
        except FileNotFoundError:
            return False


def test_online_command_sends_from_the_sandbox(place):
    """Once, and again with each session, however close they follow."""
    with DialUp(place) as setting:
        system = setting.system
        for number in range(8):
            setting.write_mail(number)
            assert not setting.was_sent(number)
            system.systemctl("start", FETCH)
            # Postfix forgets it a moment after the relay host has it.
            setting.until(lambda: setting.was_sent(number)  # noqa: B023
                          and setting.queue() == "",
                          "message %d at the relay host" % number)
        assert "warning" not in setting.journal(FETCH), setting.journal(FETCH)
        assert system.shown(PATH, "ActiveState") == "active"


def test_nothing_is_sent_where_no_provider_was_reached(place):
    with DialUp(place) as setting:
        setting.write_mail(0)
        setting.end_provider()
        setting.system.systemctl("start", FETCH)
        assert "exit_status=75" in setting.journal(FETCH), setting.journal(FETCH)
        assert setting.journal(SENDS) == "", setting.journal(SENDS)
        assert '"deferred"' in setting.queue(), setting.queue()

# SPDX-License-Identifier: ISC
"""
The AppArmor profiles of the Debian packages: they parse, as they are shipped they
keep no mail away, and enforced they have what is needed.
"""
import os
import re
import shutil

import mail
from provider_cases import Host
from servers import Skip, until

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../contrib/debian/usr.sbin.")
PROGRAMS = ("odmr-agent", "odmr-provider")
KERNEL = "/sys/module/apparmor/parameters/enabled"
POLICY = "/sys/kernel/security/apparmor"


def parser():
    path = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")
    if not path:
        raise Skip("there is no apparmor_parser")
    return path


def profile(program):
    with open(FOLDER + program, encoding="ascii") as file:
        return file.read()


def test_profiles_parse(place):
    for program in PROGRAMS:
        place.run(parser(), "--skip-kernel-load", "--skip-cache", FOLDER + program)
        # A missing rule must not keep mail away after an upgrade.
        assert re.search("^profile %s /usr/sbin/%s flags=.*complain" % (program, program),
                         profile(program), re.MULTILINE), program


class Loaded:
    """The profiles, for the programs of the tests, in the kernel until the end."""

    def __init__(self, place, enforce):
        self.parser = parser()
        if not os.path.exists(KERNEL):
            raise Skip("this kernel has no AppArmor")
        if os.geteuid() != 0 or not os.path.isdir(POLICY):
            raise Skip("only root loads profiles, by " + POLICY)
        self.files = []
        folder = place.sub("apparmor-%s" % ("enforced" if enforce else "shipped"))
        for program in PROGRAMS:
            text = profile(program)
            for old, new in (("profile " + program, "profile test-" + program),
                             ("/usr/sbin/" + program, "/usr/local/sbin/" + program),
                             (", complain", "" if enforce else ", complain")):
                assert old in text, old
                text = text.replace(old, new)
            self.files.append(os.path.join(folder, program))
            with open(self.files[-1], "w", encoding="ascii") as file:
                file.write(text)
        self.place = place

    def __enter__(self):
        for file in self.files:
            self.place.run(self.parser, "--replace", "--skip-cache", file)

    def __exit__(self, *_):
        for file in self.files:
            self.place.run(self.parser, "--remove", file)


def label(system, unit):
    pid = system.shown(unit, "MainPID")
    with open(system.path("/proc/%s/attr/current" % pid), encoding="ascii") as file:
        return file.read().strip()


def denied(place):
    """What the kernel has refused to the programs, as its log has it."""
    return [line for line in place.run("dmesg").split("\n")
            if 'apparmor="DENIED"' in line and "test-odmr-" in line]


def arrive(host, subject):
    """A message that Postfix accepts reaches the mailbox by both services."""
    host.shell("printf 'Subject: %s\\n\\nhello\\n' | "
               "sendmail -f friend@remote.example anna@example.org" % subject)
    folder = host.system.path("/srv/mail/anna")
    until(lambda: any(subject.encode() in text for text in mail.maildir(folder)), 60,
          "the message; journals: %s %s" % (
              host.journal()[-1000:],
              host.system.journal("odmr-agent.service", host.begun)[-1000:]))


def serve(place, mode, change):
    """Both services under their profiles, in the sandbox of their units."""
    with Host(place) as host:
        system = host.system
        path = system.path("/etc/odmr-agent/odmr-agent.yaml")
        with open(path, encoding="utf-8") as file:
            text = change(file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        host.shell("chown odmr-agent /etc/odmr-agent/odmr-agent.yaml")
        host.start()
        host.fetches("from the shell")
        system.systemctl("start", "odmr-agent.service")
        try:
            assert label(system, "odmr-agent.service") == "test-odmr-agent (%s)" % mode
            assert label(system, "odmr-provider.service") == "test-odmr-provider (%s)" % mode
            arrive(host, "by the service")
            system.systemctl("reload", "odmr-agent.service", "odmr-provider.service")
            arrive(host, "after a reload")
            host.shell("odmr-agent status && odmr-provider status && odmr-agent check")
        finally:
            system.systemctl("stop", "odmr-agent.service")


EVERY = ("    user: office\n", "    user: office\n    every: 1s\n    jitter: 0s\n")


def test_profiles_enforced(place):
    """Nothing is refused to a fetch from the shell or to either service: Maildir,
    state, TLS, postqueue, journal, notification."""
    with Loaded(place, enforce=True):
        before = denied(place)
        serve(place, "enforce", lambda text: text.replace(*EVERY))
        found = denied(place)[len(before):]
    assert not found, found


def test_profiles_as_shipped(place):
    """What no rule lists goes well: a program of the configuration, which the
    sandbox keeps from another profile, and a Maildir anywhere."""
    def change(text):
        assert "    password: geheim\n" in text
        return text.replace(*EVERY).replace(
            "    password: geheim\n", "    password_command: echo geheim\n"
            "    online_command: [/bin/touch, /var/lib/odmr-agent/online]\n")
    with Loaded(place, enforce=False):
        serve(place, "complain", change)

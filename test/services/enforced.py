# SPDX-License-Identifier: ISC
"""
enforced - the AppArmor profiles of the Debian packages, binding while a case runs.

They are those of contrib/debian without the word that makes them only complain, and
with rules for the paths of the tests, where an administrator writes his own. What the
kernel forbids meanwhile is read from its log. Where the kernel has no AppArmor, or the
profiles are somebody's already, Skip is raised with the reason.
"""
import os
import re
import shutil

from servers import Skip

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../contrib/debian/usr.sbin.")
PROGRAMS = ("odmr-agent", "odmr-provider")
ENABLED = "/sys/module/apparmor/parameters/enabled"
LOADED = "/sys/kernel/security/apparmor/profiles"
LOCAL = """\
  /srv/test/ca/ca.pem r,
  /srv/test/dovecot/lmtp rw,
  /srv/test/slow rw,
"""
RECORD = re.compile(r'apparmor="([A-Z]+)" .*profile="(odmr-[^"]*)"')


def parser():
    path = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")
    if not path:
        raise Skip("there is no apparmor_parser")
    return path


def profile(program):
    with open(FOLDER + program, encoding="ascii") as file:
        return file.read()


def binding(program):
    """The profile as it is after aa-enforce, for "make install", with the rules of
    the tests."""
    text = profile(program).replace("/usr/sbin/odmr-", "/usr/local/sbin/odmr-")
    for shipped, wanted in (
            ("flags=(attach_disconnected, complain)", "flags=(attach_disconnected)"),
            ("  include if exists <local/usr.sbin.%s>\n" % program, LOCAL)):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, wanted)
    return text


def kernel_can():
    """Raises Skip where it cannot."""
    parser()
    if os.geteuid() != 0:
        raise Skip("only root can load an AppArmor profile")
    try:
        with open(ENABLED, encoding="ascii") as file:
            enabled = file.read().strip()
        with open(LOADED, encoding="utf-8") as file:
            loaded = file.read()
    except OSError as why:
        raise Skip("this kernel has no AppArmor that we may use: %s" % why) from None
    if enabled != "Y":
        raise Skip("AppArmor is switched off in this kernel")
    if re.search("^odmr-", loaded, re.MULTILINE):
        raise Skip("this host has the profiles loaded for itself")
    if auditd():
        raise Skip("auditd keeps what AppArmor forbids out of the kernel's log")


def auditd():
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % number, encoding="ascii") as file:
                if file.read() == "auditd\n":
                    return True
        except OSError:  # it has ended
            pass
    return False


class Enforced:
    def __init__(self, place):
        kernel_can()
        self.place = place
        self.folder = os.path.join(place.folder, "enforced")
        self.records = []
        self.log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.log, 0, os.SEEK_END)

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        for program in PROGRAMS:
            with open(self.path(program), "w", encoding="ascii") as file:
                file.write(binding(program))
            self.place.run(parser(), "--add", "--skip-cache", self.path(program))
        return self

    def __exit__(self, *_):
        for program in PROGRAMS:
            self.place.run(parser(), "--remove", self.path(program))
        os.close(self.log)

    def path(self, program):
        return os.path.join(self.folder, program)

    def forbidden(self):
        """What the kernel has forbidden to our programs since then."""
        while True:
            try:
                line = os.read(self.log, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                return self.records
            except BrokenPipeError:  # lines were lost: others write much
                continue
            found = RECORD.search(line)
            if found:
                self.records.append(line.split(";", 1)[1].strip())

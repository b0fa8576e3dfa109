# SPDX-License-Identifier: ISC
"""
office_host - an office's host and a rented server, each with a network of its own
and a cable between them, for the guides of doc/sending.md.

The office has this host's /usr, under it a package that test/install-deps has
laid out in build/office, and a fresh /etc and /var, so that a guide can be
followed by its letter. The server is the process of the case itself. What cannot
be had raises Skip.
"""
import ctypes
import os
import re
import shutil
import signal
import subprocess

from inside import Inside, first_child
from provider_host import ProviderHost
from servers import TOP, Process, Skip, answers, listens, until
from stage import PASSWORD

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER, OFFICE = "203.0.113.10", "203.0.113.20"
CLONE_NEWNET = 0x40000000
SPACES = ["-m", "-p", "-n", "-i", "-u"]


def ip(*words):
    subprocess.run(["ip"] + list(words), check=True)


def own_network():
    """From now on this process has a network with nothing in it."""
    if os.geteuid() != 0:
        raise Skip("only root can make a network")
    if not shutil.which("ip"):
        raise Skip("iproute2 is not installed")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise Skip("no name space for a network can be had: %s" %
                   os.strerror(ctypes.get_errno()))
    ip("link", "set", "lo", "up")


class Guide:
    """A section of a page, whose indented blocks are what people copy."""

    def __init__(self, page, section):
        with open(os.path.join(TOP, page), encoding="utf-8") as file:
            text = file.read()
        found = re.search(r"^(##+) %s\n(.*?)(?=^##? |^\1 |\Z)" % re.escape(section),
                          text, re.MULTILINE | re.DOTALL)
        assert found, "%s has no section %s" % (page, section)
        self.lines = found.group(2).split("\n")
        self.section = section

    def block(self, words):
        """What is indented after the first line with these words."""
        lines = iter(self.lines)
        assert any(words in line and not line.startswith("    ")
                   for line in lines), "%s: no %r" % (self.section, words)
        block = []
        for line in lines:
            if line.startswith("    "):
                block.append(line[4:])
            elif block and line:
                break
            elif block:
                block.append("")
        return "\n".join(block).rstrip("\n") + "\n"


class Server:
    """Postfix and odmr-provider as in the README, with its submission service."""

    def __init__(self, t, *friends):
        own_network()
        self.t = t
        # No reload changes the interfaces.
        self.host = ProviderHost(t, start=False, main_cf="inet_interfaces = all\n",
                                 listen="0.0.0.0:366", hold="0s")
        self.host.port = 366
        self.postfix = self.host.postfix
        self.pem = self.host.config["tls_cert_file"]
        with open(os.path.join(self.postfix.folder, "users"), "a",
                  encoding="ascii") as file:
            for friend in friends:
                file.write("%s %s/\n" % (friend, friend))
        guide = Guide("README.md", "Sending")
        with open(os.path.join(self.postfix.folder, "master.cf"), "a",
                  encoding="ascii") as file:
            file.write(self.here(guide.block("/etc/postfix/master.cf")))
        self.start_auth(guide)
        self.host.postconf("myhostname=mx.example.net",
                           "virtual_mailbox_domains=remote.example")
        until(lambda: answers(("127.0.0.1", 587)), what="the submission service")
        self.host.start()

    def here(self, text):
        """The files of the guide as they are called here."""
        return (text.replace("/etc/odmr-agent/odmr-provider.pem", self.pem)
                .replace("/etc/odmr-agent/odmr-provider.key",
                         self.host.config["tls_key_file"])
                .replace("/var/spool/postfix", self.postfix.folder + "/queue")
                .replace("/etc/dovecot", self.t.path("auth")))

    def start_auth(self, guide):
        binary = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
        if not binary:
            raise Skip("dovecot is not installed")
        version = subprocess.run([binary, "--version"], stdout=subprocess.PIPE,
                                 check=True).stdout.decode()
        if not version.startswith("2.3"):
            raise Skip("the configuration here is one of Dovecot 2.3")
        folder = self.t.sub("auth")
        self.t.write("auth/submission.users", "office:{PLAIN}%s\n" % PASSWORD)
        shutil.chown(self.t.path("auth", "submission.users"), "dovecot")
        config = self.t.write("auth/dovecot.conf", (
            "base_dir = {0}/run\nstate_dir = {0}/state\nlog_path = {0}/log\n"
            "ssl = no\n".format(folder)) +
            self.here(guide.block("/etc/dovecot/local.conf")))
        dovecot = Process([binary, "-F", "-c", config], self.t.path("auth", "out"))
        self.t.at_end(dovecot.end)
        until(lambda: listens(self.postfix.folder + "/queue/private/auth"),
              what="Dovecot's auth service")

    def arrived(self, friend, count=1):
        return self.postfix.arrived(friend, count)


class Office(Inside):
    def __init__(self, t, package=None):
        folder = "-"
        if package:
            folder = os.path.join(TOP, "build", "office", package)
            if not os.path.isdir(folder):
                raise Skip("%s is not unpacked in build/office "
                           "(test/install-deps)" % package)
        self.t = t
        with open(t.path("office.log"), "wb") as log:
            self.helper = subprocess.Popen(
                ["unshare", "-f", "--kill-child"] + SPACES + [
                    os.path.join(HERE, "office_boot"), t.sub("office"), folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        t.at_end(self.end)
        self.init = until(self._find_init, what="the office's host")
        self._connect()
        self.write("/etc/hosts", "127.0.0.1 localhost\n%s mail.example.org mail\n"
                   "%s mx.example.net\n" % (OFFICE, SERVER))

    def _find_init(self):
        if self.helper.poll() is not None:
            with open(self.t.path("office.log"), encoding="utf-8") as log:
                raise Skip("no host can be made here: " + log.read().strip())
        return first_child(self.helper.pid, "sleep")

    def _connect(self):
        try:
            ip("link", "add", "toward-office", "type", "veth", "peer", "name",
               "toward-server", "netns", self.init)
        except subprocess.CalledProcessError:
            raise Skip("no cable (veth) between two networks can be had") from None
        ip("addr", "add", SERVER + "/24", "dev", "toward-office")
        ip("link", "set", "toward-office", "up")
        self.shell("ip addr add %s/24 dev toward-server && "
                   "ip link set toward-server up" % OFFICE)

    def append(self, path, text):
        with open(self.path(path), "a", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as file:
            return file.read()

    def shell(self, script, status=0, stdin=b""):
        """A script in there; its output."""
        done = subprocess.run(
            ["nsenter", "-t", self.init] + SPACES + ["--", "bash", "-c", "cd /; " + script],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
            env={"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"})
        out = done.stdout.decode("utf-8", "replace")
        assert status is None or done.returncode == status, (script, done.returncode, out)
        return out

    def start(self, *command):
        """A server in the foreground."""
        server = Process(["nsenter", "-t", self.init] + SPACES + ["--"] + list(command),
                         self.t.path("office.log"))
        self.t.at_end(server.end)

    def user(self, name, number):
        """As the package makes it when it is installed."""
        self.append("/etc/passwd", "%s:x:%d:%d::/:/usr/sbin/nologin\n" % (
            name, number, number))
        self.append("/etc/group", "%s:x:%d:\n" % (name, number))

    def follow(self, guide, path, mode=0o644, append=False):
        """What the guide says about a file, with the password."""
        text = guide.block(path).replace("THE-PASSWORD", PASSWORD)
        if append:
            self.append(path, text)
        else:
            self.write(path, text, mode)

    def logs(self):
        """What the mail server says of itself."""
        return "\n".join(self.read(path) for path in self.log_files
                         if os.path.exists(self.path(path)))[-2000:]

    def trust(self, server):
        shutil.copy(server.pem, self.path("/etc/ssl/provider.pem"))

    def end(self):
        if self.init:
            os.kill(int(self.init), signal.SIGKILL)
        self.helper.kill()
        self.helper.wait()

    init = None
    log_files = ()


__all__ = ["Guide", "Office", "Server"]

# SPDX-License-Identifier: ISC
"""
system - a real systemd, booted in name spaces of its own.

It sees this host's /usr, a fresh /etc and /var, what "make install" has put
under DESTDIR (or what dpkg installs in there), an empty network, and the folder
shared() with us. All of it is gone when it ends. Where it cannot be had, Skip is
raised with the reason.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time

from inside import Inside, first_child
from patience import Patience
from servers import Skip, ended, until

HERE = os.path.dirname(os.path.abspath(__file__))
NAME_SPACES = ["-m", "-p", "-n", "-C", "-i", "-u"]
CLONE_NEWNET = 0x40000000  # setns(2); Python has it from 3.12 on
COMMAND_LIMIT = 600  # seconds; the patience of a case ends before


def cgroup_folder():
    """Where the cgroup 2 hierarchy is mounted here."""
    with open("/proc/self/mounts", encoding="ascii") as file:
        for line in file:
            _, where, kind = line.split(" ")[:3]
            if kind == "cgroup2":
                return where
    raise Skip("there is no cgroup 2 hierarchy")


class System(Inside):
    def __init__(self, folder, installed):
        if os.geteuid() != 0:
            raise Skip("only root can boot a systemd")
        for program in ("/lib/systemd/systemd", "/usr/bin/systemctl"):
            if not os.access(program, os.X_OK):
                raise Skip("there is no " + program)
        if not shutil.which("unshare") or not shutil.which("nsenter"):
            raise Skip("there is no unshare or nsenter")
        self.cgroup = os.path.join(cgroup_folder(), "odmr-agent-test-%d" % os.getpid())
        self.folder = folder
        self.helper = self.init = None
        os.makedirs(self.shared())
        os.makedirs(os.path.join(folder, "root"))
        try:
            os.mkdir(self.cgroup)
        except OSError as why:
            raise Skip("no cgroup can be made: %s" % why) from None
        try:
            self._boot(installed)
        except BaseException:
            self.end()
            raise

    def _boot(self, installed):
        with open(os.path.join(self.folder, "boot.log"), "wb") as log:
            self.helper = subprocess.Popen(
                ["unshare", "-f", "--kill-child"] + NAME_SPACES + [
                    os.path.join(HERE, "boot"), os.path.join(self.folder, "root"),
                    installed or "-", self.shared()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self._enter)
        patience = Patience(30)
        while patience.left() and self.helper.poll() is None:
            self.init = first_child(self.helper.pid, "systemd")
            if self.init and self.run("systemctl", "is-system-running",
                                      status=None).stdout.strip() == b"running":
                return
            time.sleep(0.1)
        with open(os.path.join(self.folder, "boot.log"), encoding="utf-8",
                  errors="replace") as log:
            raise Skip("systemd does not start here: %s" % (
                log.read().strip().split("\n")[-1] or "no reason given"))

    def _enter(self):
        with open(os.path.join(self.cgroup, "cgroup.procs"), "w",
                  encoding="ascii") as file:
            file.write(str(os.getpid()))

    def shared(self, *parts):
        """A path of the folder that the system sees as /srv/test."""
        return os.path.join(self.folder, "shared", *parts)

    def enter(self, *spaces):
        """The beginning of a command line that runs in its name spaces."""
        return ["nsenter", "-t", self.init] + list(spaces or NAME_SPACES) + ["--"]

    def run(self, *command, status=0):
        """A command in there; its exit status must be this, if it is not None."""
        done = subprocess.run(self.enter() + list(command), check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=COMMAND_LIMIT)
        assert status is None or done.returncode == status, "%s: status %d: %s%s" % (
            " ".join(command), done.returncode, done.stdout.decode(),
            done.stderr.decode())
        return done

    def in_its_network(self, make):
        """What make() returns, called by a thread that is in the network of the
        system, as are the sockets and threads that it makes."""
        found = []

        def enter():
            with open("/proc/%s/ns/net" % self.init, "rb") as space:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                    found.append(OSError(ctypes.get_errno(), "setns"))
                    return
            found.append(make())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if not found or isinstance(found[0], OSError):
            raise found[0] if found else AssertionError("the thread has failed")
        return found[0]

    def systemctl(self, *words, status=0):
        return self.run("systemctl", *words, status=status)

    def shown(self, unit, key):
        """A property of a unit."""
        done = self.systemctl("show", "-P", key, unit)
        return done.stdout.decode().strip()

    def cursor(self):
        """Where the journal ends now."""
        self.run("journalctl", "--sync")
        out = self.run("journalctl", "--show-cursor", "-n", "1", "-o", "cat").stdout
        return out.decode("utf-8", "replace").strip().rpartition("-- cursor: ")[2]

    def journal(self, unit, cursor):
        """What a unit has logged since then."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-o", "cat", "-u", unit, "--after-cursor",
                        cursor).stdout.decode("utf-8", "replace")

    def end(self):
        if self.init:
            os.kill(int(self.init), signal.SIGKILL)
        if self.helper:
            if not self.init:
                self.helper.kill()
            ended(self.helper, 20)
        until(self._remove_cgroups, what="the end of all processes in there")

    def _remove_cgroups(self):
        try:
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                os.rmdir(folder)
        except OSError:
            return False
        return True

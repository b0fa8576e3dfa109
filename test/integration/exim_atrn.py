# SPDX-License-Identifier: ISC
"""
exim_atrn - a real Exim that has ATRN, in a folder of its own.
"""
import os
import pwd
import shutil

from servers import TOP, Skip, write

EXIM = os.path.join(TOP, "build", "exim-atrn")

CONF = """\
exim_path = {folder}/exim/exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/pid
keep_environment =
never_users =
"""


class EximAtrn:
    """folder: an empty one."""

    def __init__(self, folder):
        reason = EXIM + ".reason"
        if os.path.exists(reason):
            with open(reason, encoding="utf-8") as file:
                raise Skip("no Exim with ATRN: " + file.read().strip())
        if not os.path.exists(EXIM):
            raise Skip("Exim is not unpacked in build/exim-atrn (test/install-deps)")
        if os.geteuid() != 0:
            raise Skip("only root can run Exim from another folder")
        self.folder = folder
        # A copy: the tree may lie where its own user cannot go.
        shutil.copytree(EXIM, self.path("exim"))
        self.command = [self.path("exim", "exim"), "-C", self.path("exim.conf")]
        self.make_folder("spool")
        self.make_folder("log")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def own(self, *names):
        """Makes it a file of Exim's user."""
        owner = pwd.getpwnam("Debian-exim")
        os.chown(self.path(*names), owner.pw_uid, owner.pw_gid)

    def make_folder(self, name):
        os.mkdir(self.path(name))
        self.own(name)

    def write_conf(self, conf, **values):
        """conf: what comes after the paths, {folder} and values to be filled in."""
        write(self.path("exim.conf"),
              (CONF + conf).format(folder=self.folder, **values))

    def log(self):
        with open(self.path("log", "main"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()


__all__ = ["EximAtrn"]

# SPDX-License-Identifier: ISC
"""
exim_customer - a real Exim that calls a provider by `exim -atrn`, and delivers what
comes into a folder.
"""
import os
import pwd
import shutil
import subprocess

import mail
from exim_provider import EXIM
from servers import Skip, write
from stage import PASSWORD

CONF = """\
exim_path = {folder}/exim/exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/pid
primary_hostname = office.example
keep_environment =
never_users =
acl_smtp_rcpt = accept
acl_smtp_data = slow
begin acl
slow:
  accept delay = {delay}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^office^{password}
begin routers
provider:
  driver = manualroute
  condition = ${{if eq{{$local_part}}{{_atrn}}}}
  route_data = 127.0.0.1
  self = send
  transport = odmr
home:
  driver = accept
  transport = folder
begin transports
odmr:
  driver = smtp
  port = {port}
  command_timeout = 10m
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates =
folder:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  user = Debian-exim
"""


class EximCustomer:
    """port: where the provider is. delay: before it accepts each message."""

    def __init__(self, t, port, delay="0s"):
        if os.geteuid() != 0 or not os.path.exists(EXIM):
            raise Skip("Exim with ATRN is not unpacked (test/install-deps), or no root")
        self.folder = t.sub("exim-customer")
        owner = pwd.getpwnam("Debian-exim")
        # A copy: the tree may lie where its own user cannot go.
        shutil.copytree(EXIM, os.path.join(self.folder, "exim"))
        for part in ("spool", "log", "mail"):
            os.mkdir(os.path.join(self.folder, part))
            os.chown(os.path.join(self.folder, part), owner.pw_uid, owner.pw_gid)
        config = write(os.path.join(self.folder, "exim.conf"), CONF.format(
            folder=self.folder, port=port, password=PASSWORD, delay=delay))
        self.command = [os.path.join(self.folder, "exim", "exim"), "-C", config]

    def fetch(self, *domains):
        """One call; its exit status."""
        with open(os.path.join(self.folder, "out"), "ab") as out:
            return subprocess.run(
                self.command + ["-atrn", "127.0.0.1", ",".join(domains)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                check=False).returncode

    def mail(self):
        return mail.maildir(os.path.join(self.folder, "mail"))

    def log(self):
        with open(os.path.join(self.folder, "log", "main"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()


__all__ = ["EximCustomer"]

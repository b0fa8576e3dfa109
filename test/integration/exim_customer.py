# SPDX-License-Identifier: ISC
"""
exim_customer - a real Exim that calls a provider by `exim -atrn`, and delivers what
comes into a folder.
"""
import subprocess

import mail
from exim_atrn import EximAtrn
from stage import PASSWORD

CONF = """\
primary_hostname = office.example
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


class EximCustomer(EximAtrn):
    """port: where the provider is. delay: before it accepts each message."""

    def __init__(self, t, port, delay="0s"):
        super().__init__(t.sub("exim-customer"))
        self.make_folder("mail")
        self.write_conf(CONF, port=port, password=PASSWORD, delay=delay)

    def fetch(self, *domains):
        """One call; its exit status."""
        with open(self.path("out"), "ab") as out:
            return subprocess.run(
                self.command + ["-atrn", "127.0.0.1", ",".join(domains)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                check=False).returncode

    def mail(self):
        return mail.maildir(self.path("mail"))


__all__ = ["EximCustomer"]

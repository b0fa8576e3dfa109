# SPDX-License-Identifier: ISC
"""
exim_provider - a real Exim as the provider: ATRN, its queue, its bounces.

Its customer is office, who may ask for DOMAINS. Mail for them waits in the
queue until ATRN comes; what goes to anybody else, bounces too, waits for ever.
"""
import os
import shutil
import subprocess

import mail
from exim_atrn import EximAtrn
from servers import Process, answers, free_port, started, until, write
from stage import DOMAINS, PASSWORD

CONF = """\
primary_hostname = exim.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
queue_only = true
qualify_domain = exim.example
message_size_limit = 50M
acl_smtp_rcpt = check_rcpt
acl_smtp_atrn = check_atrn
begin acl
check_rcpt:
  defer condition = ${{if and{{{{def:acl_m_domain}}{{!eq{{$acl_m_domain}}{{$domain}}}}}}}}
        message = 452 4.5.3 One domain in a message
  accept domains = <, {domains}
         set acl_m_domain = $domain
check_atrn:
  deny !authenticated = *
  warn set acl_m_own = ${{lookup{{$authenticated_id}}lsearch{{{folder}/customers}}}}
  deny condition = ${{if def:smtp_command_argument}}
       set acl_m_asked = ${{map{{<, $smtp_command_argument}}\
{{${{if inlist{{$item}}{{<, $acl_m_own}}{{$value}}}}}}}}
       set acl_m_own = $acl_m_asked
       condition = ${{if !def:acl_m_own}}
{has_mail}
  accept
begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{office}}{{{password}}}fail}}
  server_set_id = $auth1
begin routers
customers:
  driver = manualroute
  domains = <, {domains}
  condition = ${{if def:atrn_host}}
  route_data = <;$atrn_host
  self = send
  transport = odmr
waiting:
  driver = redirect
  allow_defer
  data = :defer: waits for its customer
begin transports
odmr:
  driver = smtp
  hosts_noproxy_tls = *
{transport}
begin retry
* * F,14d,{wait}
"""

# Says 453 where nothing waits. Without it Exim turns the line, and then finds
# that it has nothing to send.
ASKS_QUEUE = """\
  defer !atrn_domains = <, $acl_m_own
        message = 453 You have no mail"""
TURNS_ALWAYS = """\
  warn atrn_domains = <, $acl_m_own"""


class EximProvider(EximAtrn):
    """wait: how long Exim waits before it offers a deferred message again.
    transport: more of its SMTP client's settings, a line each."""

    def __init__(self, t, wait="1s", has_mail=ASKS_QUEUE, transport=()):
        super().__init__(t.sub("exim"))
        self.t = t
        good = t.certificates.good
        for source, name in ((good.cert, "cert.pem"), (good.key, "key.pem")):
            shutil.copy(source, self.path(name))
            self.own(name)
        self.port, self.tls_port = free_port(), free_port()
        customers = write(self.path("customers"), "office: %s\n" % ",".join(DOMAINS))
        os.chmod(customers, 0o644)
        self.write_conf(
            CONF, port=self.port, tls_port=self.tls_port,
            domains=",".join(DOMAINS), password=PASSWORD, wait=wait,
            has_mail=has_mail,
            transport="\n".join("  " + line for line in transport))
        self.process = Process(self.command + ["-bdf"], self.path("out"))
        t.at_end(self.process.end)
        started(self.process, lambda: answers(("127.0.0.1", self.port)), "Exim")

    def account(self, tls="off", **keys):
        """An account of the agent that calls here."""
        if tls != "off":
            keys["tls_ca_file"] = self.t.certificates.authority.cert
        port = self.tls_port if tls == "implicit" else self.port
        return self.t.account("127.0.0.1:%d" % port, tls=tls, **keys)

    def configure(self, deliver=None, tls="off", **keys):
        self.t.configure(accounts={"office": self.account(tls, **keys)},
                         deliver=deliver, top={"log_level": "debug"})

    def send(self, rcpts, text, sender="sender@remote.example"):
        subprocess.run(self.command + ["-odq", "-i", "-f", sender, "--"] +
                       list(rcpts), input=mail.stored(text), check=True)

    def waiting(self):
        """For whom mail waits: a recipient for each message, bounces left
        out."""
        done = subprocess.run(self.command + ["-bp"], check=True,
                              stdout=subprocess.PIPE)
        lines = [line.strip() for line in done.stdout.decode().split("\n")]
        return sorted(line for line in lines
                      if line.rpartition("@")[2] in DOMAINS and " " not in line)

    def keeps(self, *rcpts):
        """Waits until mail waits for these and nobody else: what was delivered does
        so for a while after the connection is over."""
        try:
            until(lambda: self.waiting() == sorted(rcpts), what="Exim's queue")
        except AssertionError as why:
            raise AssertionError("%s: %s; %s" % (
                why, self.waiting(), self.log())) from None

    def emptied(self):
        self.keeps()

    def fates(self, mark):
        """Recipients whom the log marks so: "=>" delivered, "**" bounced, "=="
        deferred."""
        fates = []
        for line in self.log().split("\n"):
            words = line.split(" ")
            if mark in words[3:4] or (mark == "=>" and "->" in words[3:4]):
                fates.append(words[4])
        return sorted(fates)


__all__ = ["ASKS_QUEUE", "TURNS_ALWAYS", "EximProvider"]

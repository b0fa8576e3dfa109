# SPDX-License-Identifier: ISC
"""
exim_provider - a real Exim as the provider: ATRN, its queue, its bounces.

Its customer is office, who may ask for DOMAINS. Mail for them waits in the
queue until ATRN comes; what goes to anybody else, bounces too, waits for ever.
"""
import os
import pwd
import shutil
import subprocess

import mail
from servers import TOP, Process, Skip, answers, free_port, started, until, write
from stage import DOMAINS, PASSWORD

EXIM = os.path.join(TOP, "build", "exim-atrn")

CONF = """\
exim_path = {folder}/exim/exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/pid
primary_hostname = exim.example
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
queue_only = true
never_users =
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


class EximProvider:
    """wait: how long Exim waits before it offers a deferred message again.
    transport: more of its SMTP client's settings, a line each."""

    def __init__(self, t, wait="1s", has_mail=ASKS_QUEUE, transport=()):
        reason = EXIM + ".reason"
        if os.path.exists(reason):
            with open(reason, encoding="utf-8") as file:
                raise Skip("no Exim with ATRN: " + file.read().strip())
        if not os.path.exists(EXIM):
            raise Skip("Exim is not unpacked in build/exim-atrn (test/install-deps)")
        if os.geteuid() != 0:
            raise Skip("only root can run Exim from another folder")
        self.t = t
        self.folder = t.sub("exim")
        owner = pwd.getpwnam("Debian-exim")
        # A copy: the tree may lie where its own user cannot go.
        shutil.copytree(EXIM, os.path.join(self.folder, "exim"))
        good = t.certificates.good
        for source, name in ((good.cert, "cert.pem"), (good.key, "key.pem")):
            shutil.copy(source, os.path.join(self.folder, name))
            os.chown(os.path.join(self.folder, name), owner.pw_uid, owner.pw_gid)
        for part in ("spool", "log"):
            os.mkdir(os.path.join(self.folder, part))
            os.chown(os.path.join(self.folder, part), owner.pw_uid, owner.pw_gid)
        self.port, self.tls_port = free_port(), free_port()
        customers = write(os.path.join(self.folder, "customers"),
                          "office: %s\n" % ",".join(DOMAINS))
        os.chmod(customers, 0o644)
        config = write(os.path.join(self.folder, "exim.conf"), CONF.format(
            folder=self.folder, port=self.port, tls_port=self.tls_port,
            domains=",".join(DOMAINS), password=PASSWORD, wait=wait,
            has_mail=has_mail,
            transport="\n".join("  " + line for line in transport)))
        self.command = [os.path.join(self.folder, "exim", "exim"), "-C", config]
        self.process = Process(self.command + ["-bdf"],
                               os.path.join(self.folder, "out"))
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

    def log(self):
        with open(os.path.join(self.folder, "log", "main"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()


__all__ = ["ASKS_QUEUE", "TURNS_ALWAYS", "EximProvider"]

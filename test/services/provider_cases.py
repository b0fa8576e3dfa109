# SPDX-License-Identifier: ISC
"""
odmr-provider under a real systemd, beside a real Postfix that its own command
has set up; the agent fetches from it.
"""
import os
import shutil
import subprocess

import mail
from servers import POSTFIX_FOLDERS, Skip, until
from slow import SLOW, slow_server

SERVICE, SOCKET = "odmr-provider.service", "odmr-provider.socket"
CONFIG = "/etc/odmr-agent/odmr-provider.yaml"
YAML = """\
hostname: mx.example.net
tls_cert_file: /etc/odmr-agent/odmr-provider.pem
tls_key_file: /etc/odmr-agent/odmr-provider.key
users_file: /etc/odmr-agent/odmr-provider.users
hold: %s
accounts:
  office: {domains: %s}
"""
AGENT = """\
hostname: mail.example.org
accounts:
  office:
    provider: 127.0.0.1
    user: office
    password: geheim
    tls_pins: %s
    domains: [example.org]
deliveries:
  %s
"""
FILES = 'files: {maildir: "/srv/mail/{user}", create: yes}'
POSTFIX = """set -e
    mkdir -p /etc/postfix /var/lib/postfix /var/spool/postfix /srv/mail
    touch /srv/mail/.odmr-agent /etc/aliases
    chown odmr-agent /srv/mail
    printf '%s\\n' 'compatibility_level = 3.6' 'myhostname = mx.example.net' \
        'mydestination = $myhostname' 'maillog_file = /var/log/postfix.log' \
        'alias_maps =' 'inet_protocols = ipv4' >/etc/postfix/main.cf
    """ + POSTFIX_FOLDERS


class Host:
    """The system with Postfix and odmr-provider's files, nothing started."""

    def __init__(self, place):
        for name in ("postfix", "postqueue", "postconf"):
            if not shutil.which(name, path="/usr/sbin"):
                raise Skip("postfix is not installed")
        self.system = place.system()
        self.begun = self.system.cursor()

    def __enter__(self):
        self.shell(POSTFIX)
        self.configure("example.org")
        tls = self.shell("odmr-provider setup tls").stdout.decode()
        self.system.write("/etc/odmr-agent/odmr-agent.yaml",
                          AGENT % (tls.split('"')[1], FILES), 0o600)
        self.shell("echo geheim | odmr-provider passwd office")
        self.shell("postfix start && odmr-provider setup postfix --apply")
        return self

    def __exit__(self, *_):
        self.system.systemctl("stop", SOCKET, SERVICE, status=None)
        self.system.systemctl("reset-failed", status=None)
        self.system.run("postfix", "stop", status=None)
        self.shell("rm -rf /etc/postfix /var/spool/postfix /srv/mail "
                   "/var/lib/odmr-agent/* /etc/odmr-agent/odmr-provider.[kpuy]*[^e] "
                   "/etc/odmr-agent/odmr-agent.yaml")

    def shell(self, script, status=0):
        return self.system.run("bash", "-c", script, status=status)

    def configure(self, domains, hold="0s", more=""):
        self.system.write(CONFIG, YAML % (hold, domains) + more)

    def start(self):
        self.system.systemctl("start", SERVICE)

    def pid(self):
        return self.system.shown(SERVICE, "MainPID")

    def has_port(self):
        """Whether the program listens: a stop gives up what systemd keeps."""
        pid = self.pid()
        ports = self.shell("awk '$4 == \"0A\" && $2 ~ /:016E$/ {print $10}' "
                           "/proc/net/tcp /proc/net/tcp6").stdout.decode().split()
        opened = self.shell("readlink /proc/%s/fd/*" % pid, None).stdout.decode()
        assert ports, "nobody listens"
        return any("socket:[%s]" % port in opened for port in ports)

    def journal(self):
        return self.system.journal(SERVICE, self.begun)

    def send(self, subject):
        """A message for the customer, which Postfix accepts."""
        self.shell("printf 'Subject: %s\\n\\nhello\\n' | "
                   "sendmail -f friend@remote.example anna@example.org" % subject)

    def mail(self):
        """What the customer has."""
        return mail.maildir(self.system.path("/srv/mail/anna"))

    def beginning(self, script):
        """It runs meanwhile."""
        return subprocess.Popen(self.system.enter() + ["bash", "-c", script],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def deliver_to(self, deliveries):
        pins = self.shell("grep -o 'tls_pins:.*' "
                          "/etc/odmr-agent/odmr-agent.yaml").stdout.decode()
        self.system.write("/etc/odmr-agent/odmr-agent.yaml",
                          AGENT % (pins.split(": ")[1].strip(), deliveries), 0o600)

    def fetches(self, subject):
        """A message that Postfix has accepted reaches the customer."""
        self.send(subject)
        until(lambda: "1 message" in self.shell(
            "odmr-agent fetch office", status=None).stdout.decode(),
              what="the message; the journal: " + self.journal()[-1000:])
        texts = self.mail()
        assert any(subject.encode() in text for text in texts), texts


def test_provider_serves_in_its_sandbox(place):
    with Host(place) as host:
        system = host.system
        host.start()
        pid = host.pid()
        with open(system.path("/proc/%s/status" % pid), encoding="ascii") as file:
            process = dict(line.rstrip("\n").split(":\t", 1)
                           for line in file if ":\t" in line)
        uid = system.run("id", "-u", "odmr-provider").stdout.decode().strip()
        assert process["Uid"].split() == [uid] * 4, process["Uid"]
        assert process["NoNewPrivs"] == "1" and process["Seccomp"] == "2", process
        bind = 1 << 10  # CAP_NET_BIND_SERVICE
        assert int(process["CapBnd"], 16) == int(process["CapEff"], 16) == bind
        host.fetches("in the sandbox")
        limits = host.shell("exec 3<>/dev/tcp/127.0.0.1/366; read -u 3 line; "
                            # Another one's process may just end.
                            "for pid in $(pgrep -P %s); do "
                            "cat /proc/$pid/limits || true; done" % pid).stdout.decode()
        assert "Max data size             67108864" in limits, limits
        assert "office" in host.shell("odmr-provider status").stdout.decode()
        journal = host.journal()
        assert "geheim" not in journal and "inner" not in journal, journal


def test_provider_reloads(place):
    with Host(place) as host:
        host.start()
        pid = host.pid()
        host.configure("[example.org, example.com]")
        host.system.systemctl("reload", SERVICE)
        until(lambda: "read again" in host.journal(), what="the reload")
        host.system.write(CONFIG, "accounts: 7\n")
        host.system.systemctl("reload", SERVICE)
        until(lambda: "stays as it was" in host.journal(), what="the refusal")
        host.fetches("by the old configuration")
        assert host.pid() == pid


def test_provider_stops_cleanly(place):
    with Host(place) as host:
        host.start()
        assert os.path.exists(host.system.path("/run/odmr-provider/status.json"))
        host.system.systemctl("stop", SERVICE)
        assert host.system.shown(SERVICE, "Result") == "success"
        assert host.system.shown(SERVICE, "ExecMainStatus") == "0"
        assert not os.path.exists(host.system.path("/run/odmr-provider"))
        said = host.system.run("odmr-provider", "status", status=75)
        assert b"not running" in said.stderr, said


def test_provider_is_restarted_in_the_midst_of_a_message(place):
    """The old program waits for the customer's answer; who calls meanwhile waits in
    the socket for the new one."""
    with Host(place) as host:
        system = host.system
        local, gate = slow_server(system)
        host.deliver_to("local: " + SLOW)
        system.systemctl("start", SOCKET)
        host.send("in the midst")
        customer = host.beginning("odmr-agent fetch office")
        gate.arrived()
        before = host.pid()
        restart = host.beginning("systemctl restart " + SERVICE)
        until(lambda: system.shown(SERVICE, "ActiveState") == "deactivating",
              what="the stop")
        until(lambda: not host.has_port(), what="the old program to serve nobody new")
        caller = host.beginning("exec 3<>/dev/tcp/127.0.0.1/366; read -u 3 line; "
                                "echo $line")
        assert host.pid() == before
        gate.open()
        assert b"1 message" in customer.communicate()[0]
        assert caller.communicate()[0].startswith(b"220 mx.example.net")
        assert restart.communicate() and restart.returncode == 0
        assert host.pid() not in ("0", before)
        assert len(local.messages) == 1
        until(lambda: b"queue is empty" in host.shell("postqueue -p").stdout,
              what="the end of Postfix' queue")
        local.close()


def test_provider_in_syslog(place):
    """Each of its processes logs under its own name."""
    with Host(place) as host:
        host.configure("example.org", more="log: syslog\n")
        host.start()
        host.fetches("while it logs to syslog")
        host.shell("bash -c 'exec 3<>/dev/tcp/127.0.0.1/366'")
        host.system.systemctl("reload", SERVICE)

        def lines():
            host.system.run("journalctl", "--sync")
            return host.system.run(
                "journalctl", "-o", "short", "--after-cursor", host.begun,
                "SYSLOG_FACILITY=2",  # mail
                "_SYSTEMD_UNIT=" + SERVICE).stdout.decode().split("\n")
        for event in ("office: login user=office", "office: turn-end",
                      "reload: the configuration was read again"):
            found = until(lambda: [line for line in lines()
                                   if event in line],  # noqa: B023
                          what=event + " in the journal")
            assert all(" odmr-provider[" in line for line in found), found


def test_provider_is_started_by_its_socket(place):
    with Host(place) as host:
        host.system.systemctl("start", SOCKET)
        assert host.system.shown(SERVICE, "ActiveState") == "inactive"
        for address in ("127.0.0.1", "::1"):
            greeting = host.shell("exec 3<>/dev/tcp/%s/366; read -u 3 line; "
                                  "echo $line" % address).stdout
            assert greeting.startswith(b"220 mx.example.net"), (address, greeting)
        host.fetches("by the socket")
        pid = host.pid()
        host.system.systemctl("restart", SERVICE)
        assert host.pid() != pid
        host.fetches("after a restart")

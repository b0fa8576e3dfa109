# SPDX-License-Identifier: ISC
"""
servers - real Dovecot, Postfix and Exim, each in a folder of its own.

Every server listens on loopback or on a Unix socket in its folder, runs in the
foreground as a child of ours, and is ended by its process id. Where one cannot
be had, Skip is raised with the reason.
"""
import functools
import grp
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "provider"))

import dovecot_config  # noqa: E402
import mail  # noqa: E402
from patience import Patience  # noqa: E402

TOP = os.path.dirname(os.path.dirname(HERE))
EXIM = os.path.join(TOP, "build", "exim", "usr", "sbin", "exim4")
NOBODY = 65534


class Skip(Exception):
    """This case cannot be run here; the argument says why."""


_claims = []  # as long as the process of the case lives


def quiet_ports():
    """Those that the kernel gives to no outgoing connection: by default it has them
    from 32768 to 60999. Where it has all, some that are rarely anybody's."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = (int(number) for number in file.read().split())
    if first > 10000:
        return max(5000, first - 12000), first
    return (last + 1, 65536) if last < 60000 else (20000, 32000)


def free_port():
    """A port that nobody has now, and that no outgoing connection takes meanwhile;
    nor another case, until this one ends: the name of a port is one that only one
    process can have."""
    while True:
        port = random.randrange(*quiet_ports())
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                claim.bind("\0odmr-agent test port %d" % port)
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port


def until(condition, seconds=20, what="a condition"):
    """Waits for a condition, for so long on a quiet machine; its value is
    returned. To ask may be to run a program: it is asked less often with time."""
    patience = Patience(seconds)
    pause = 0.01
    while patience.left():
        value = condition()
        if value:
            return value
        time.sleep(pause)
        pause = min(1.05 * pause, 0.2)
    raise AssertionError("waited %s s for %s" % (seconds, what))


def ended(child, seconds):
    """Waits for a process to end, or raises subprocess.TimeoutExpired."""
    patience = Patience(seconds)
    while True:
        left = patience.left()
        try:
            return child.wait(left)
        except subprocess.TimeoutExpired:
            if not left:
                raise


def started(server, condition, what):
    """Waits for a server to be there; one that does not come is ended."""
    try:
        until(condition, what=what)
    except BaseException:
        server.end()
        raise


def terminal_output(fd):
    """All octets that come to a terminal until nobody has its other end."""
    seen = b""
    try:
        while chunk := os.read(fd, 65536):
            seen += chunk
    except OSError:  # as Linux tells the end
        pass
    os.close(fd)
    return seen


def answers(address):
    """Whether something listens and greets there."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    try:
        with socket.socket(family) as sock:
            sock.settimeout(5)
            sock.connect(address)
            return sock.recv(3) == b"220"
    except OSError:
        return False


def listens(address):
    """Whether somebody can connect there. The file of a socket is there before."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(5)
        return sock.connect_ex(address) == 0


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Process:
    """A server in the foreground, in a process group of its own."""

    def __init__(self, command, log):
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)

    def end(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                ended(self.child, 10)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()


class Dovecot:
    """LMTP on a Unix socket and on TCP; users are whole addresses."""

    def __init__(self, folder, users, utf8=False):
        binary = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not binary:
            raise Skip("dovecot is not installed")
        self.folder = folder
        os.makedirs(os.path.join(folder, "mail"))
        root = os.geteuid() == 0
        uid, gid = (NOBODY, NOBODY) if root else (os.getuid(), os.getgid())
        me = pwd.getpwuid(os.getuid()).pw_name
        group = grp.getgrgid(os.getgid()).gr_name
        identity = "" if root else (
            "default_internal_user = %s\ndefault_internal_group = %s\n"
            "default_login_user = %s\nservice anvil {\n  chroot =\n}" % (
                me, group, me))
        os.chown(os.path.join(folder, "mail"), uid, gid)
        self.owner = (uid, gid)
        self.users(users)
        self.port = free_port()
        self.socket = os.path.join(folder, "lmtp")
        config = dovecot_config.lmtp(
            binary, utf8, folder=folder, port=self.port, identity=identity)
        if config is None:
            raise Skip("this Dovecot is older than 2.4 and has no SMTPUTF8")
        config = write(os.path.join(folder, "dovecot.conf"), config)
        self.process = Process([binary, "-F", "-c", config],
                               os.path.join(folder, "out"))
        started(self, lambda: answers(self.socket), "Dovecot's LMTP")

    def reload(self):
        """Done when the socket is a new one, and it answers."""
        def born():
            found = os.stat(self.socket)  # a number alone may come again
            return found.st_ino, found.st_ctime_ns

        before = born()
        self.process.child.send_signal(signal.SIGHUP)

        def is_new():
            try:
                return born() != before and answers(self.socket)
            except FileNotFoundError:
                return False
        until(is_new, what="Dovecot's LMTP after a reload")

    def users(self, users):
        write(os.path.join(self.folder, "users"), "".join(
            "%s:{PLAIN}x:%d:%d::%s/home/%s::\n" % (
                (u,) + self.owner + (self.folder, u)) for u in users))

    def mail(self, user):
        return mail.maildir(os.path.join(self.folder, "mail", user))

    def end(self):
        self.process.end()


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {command_directory}
daemon_directory = {daemon_directory}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
append_dot_mydomain = no
biff = no
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{folder}/users
virtual_mailbox_base = {folder}/mail
virtual_mailbox_limit = 0
message_size_limit = 20971520
virtual_minimum_uid = 1
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
minimal_backoff_time = 1s
queue_run_delay = 1s
initial_destination_concurrency = 1
default_destination_concurrency_limit = 1
smtp_tls_security_level = none
default_transport = {transport}
relayhost = {relayhost}
smtp_host_lookup = native
"""

# "stock" is what the README recommends for the smtp delivery; "open" is what a
# Postfix does for anybody from 127.0.0.1.
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o mynetworks= -o smtpd_relay_restrictions=reject_unauth_destination
127.0.0.1:{open_port} inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


# Its folders as its installation makes them: those of mail_owner, and those that
# setgid_group may use as well, with their modes.
QUEUE_OWN = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
             "incoming", "private", "saved", "trace")
QUEUE_SHARED = (("public", 0o710), ("maildrop", 0o730))

# Those in a system with a fresh /etc and /var; main.cf is there already.
POSTFIX_FOLDERS = """
    cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
    : >/etc/postfix/postfix-files
    chown postfix /var/lib/postfix
    cd /var/spool/postfix
    mkdir -p pid
    install -d -o postfix -m 700 %s
    """ % " ".join(QUEUE_OWN) + "".join(
    "install -d -o postfix -g postdrop -m %o %s\n" % (mode, name)
    for name, mode in QUEUE_SHARED)


def make_queue(folder):
    """A queue as its first start makes it, which takes 150 programs."""
    os.mkdir(folder)
    os.mkdir(os.path.join(folder, "pid"))
    for name, mode, group in [(n, 0o700, None) for n in QUEUE_OWN] + [
            (n, mode, "postdrop") for n, mode in QUEUE_SHARED]:
        path = os.path.join(folder, name)
        os.mkdir(path)
        shutil.chown(path, "postfix", group)
        os.chmod(path, mode)


def main_cf(extra):
    """MAIN_CF without what extra sets anew. Each program of Postfix would warn of
    that whenever it starts; at a reload, master waits for room in the log socket,
    and so starts no postlogd that would make it."""
    anew = {line.partition("=")[0].strip() for line in extra.split("\n")} - {""}
    return "".join(line for line in MAIN_CF.splitlines(keepends=True)
                   if line.partition("=")[0].strip() not in anew)


class Postfix:
    """
    Takes mail for its virtual users on `port` (as the README recommends), on
    `open_port` (as from mynetworks) and by sendmail(). Everything else goes to
    relay, a port of a Join, or stays in the queue. extra: more of main.cf.
    """

    def __init__(self, folder, users=(), relay=None, extra="", start=True):
        if not shutil.which("postfix", path="/usr/sbin"):
            raise Skip("postfix is not installed")
        if os.geteuid() != 0:
            raise Skip("only root can start Postfix")
        self.folder = folder
        os.makedirs(os.path.join(folder, "mail"))
        os.chown(os.path.join(folder, "mail"), NOBODY, NOBODY)
        make_queue(os.path.join(folder, "queue"))
        os.makedirs(os.path.join(folder, "data"))
        shutil.chown(os.path.join(folder, "data"), "postfix")
        self.port, self.open_port = free_port(), free_port()
        write(os.path.join(folder, "users"), "".join(
            "%s %s/\n" % (u, u) for u in users))
        write(os.path.join(folder, "main.cf"), main_cf(extra).format(
            folder=folder, nobody=NOBODY,
            transport="smtp" if relay else "retry:kept by the test",
            domains="" if relay else "example.org, example.com",
            relayhost="[127.0.0.1]:%d" % relay if relay else "",
            **{d: self._default(d) for d in ("command_directory",
                                             "daemon_directory")}) + extra)
        write(os.path.join(folder, "master.cf"), MASTER_CF.format(
            port=self.port, open_port=self.open_port))
        self.sendmail = ["/usr/sbin/sendmail", "-C", folder]
        self.process = None
        if start:
            self.start()

    def start(self):
        self.settle()
        # It looks at its folders first, unless it was told that they are all right.
        write(os.path.join(self.folder, "queue", "quick-start"), "")
        self.process = Process(
            ["/usr/sbin/postfix", "-c", self.folder, "start-fg"],
            os.path.join(self.folder, "out"))
        started(self, lambda: answers(("127.0.0.1", self.port)), "Postfix")

    def settle(self):
        """Its files as if they had been written a while ago: those of the last two
        seconds may be half written, and each of its programs waits that long."""
        ago = time.time() - 60
        for entry in os.scandir(self.folder):
            if entry.is_file():
                os.utime(entry.path, (ago, ago))

    def reload(self):
        self.settle()
        subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "reload"],
                       check=True, stderr=subprocess.DEVNULL)

    @staticmethod
    @functools.cache
    def _default(name):
        done = subprocess.run(["/usr/sbin/postconf", "-dh", name], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.decode().strip()

    def send(self, sender, rcpts, text):
        subprocess.run(self.sendmail + ["-i", "-f", sender, "--"] + list(rcpts),
                       input=mail.stored(text), check=True)

    def flush(self):
        subprocess.run(["/usr/sbin/postqueue", "-c", self.folder, "-f"], check=True)

    def queue(self):
        """The queued messages, one JSON object each; none: there are none."""
        # It lists one folder after the other, and misses what is moved meanwhile:
        # from deferred to incoming, then to active.
        return self._listed() or self._listed() or self._listed()

    def emptied(self, seconds=20):
        """Waits until nothing is queued. A message is for a while after its
        recipient has it."""
        until(lambda: not self.queue(), seconds, "an empty queue of Postfix")

    def keeps(self, count=1, seconds=20):
        """Waits until Postfix has tried so many messages and found nobody. What it
        has not tried yet goes to the next caller without a flush; what it is
        just trying is not flushed."""
        until(lambda: str(self.queue()).count('"deferred"') == count, seconds,
              "%d messages that Postfix keeps" % count)

    def _listed(self):
        done = subprocess.run(["/usr/sbin/postqueue", "-c", self.folder, "-j"],
                              check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().splitlines()

    def log(self):
        """What is written by now: its programs hand their lines to another one, and
        go on. For what must be there: logged()."""
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def logged(self, pattern, seconds=20):
        """Waits for something in the log; the match."""
        return until(lambda: re.search(pattern, self.log()), seconds,
                     "%r in the log of Postfix" % pattern)

    def mail(self, user):
        return mail.maildir(os.path.join(self.folder, "mail", user))

    def arrived(self, user, count=1):
        """Waits for so many messages of a user; returns them all."""
        until(lambda: len(self.mail(user)) >= count,
              what="%d messages for %s in Postfix" % (count, user))
        return self.mail(user)

    def end(self):
        """The master is a session of its own, known by its pid file."""
        try:
            with open(os.path.join(self.folder, "queue", "pid", "master.pid"),
                      encoding="ascii") as file:
                master = int(file.read())
            os.kill(master, signal.SIGTERM)
            until(lambda: not os.path.exists("/proc/%d" % master), what="its end")
        except (FileNotFoundError, ProcessLookupError):
            pass
        if self.process:
            self.process.end()


EXIM_CONF = """\
exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
primary_hostname = exim.example
keep_environment =
local_interfaces = 127.0.0.1
queue_only = true
never_users =
untrusted_set_sender = *
qualify_domain = example.org
begin routers
{router}
begin transports
box:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  batch_max = 100
  user = Debian-exim
out:
  driver = smtp
  port = {relay}
  allow_localhost
  hosts_try_chunking = *
  hosts_try_prdr = *
  connection_max_messages = 1
begin retry
* * F,1d,1s
"""


EXIM_KEEPS = """\
local:
  driver = accept
  domains = example.org : example.com
  transport = box
"""

EXIM_RELAYS = """\
customers:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1
  self = send
"""


class Exim:
    """The second MTA: a client that speaks BDAT and PRDR, and a sendmail. It
    runs without a daemon; run_queue() drives it, and listen() takes mail."""

    def __init__(self, folder, relay=None):
        if not os.path.exists(EXIM):
            raise Skip("Exim is not unpacked in build/exim (test/install-deps)")
        if os.geteuid() != 0:
            raise Skip("only root can run Exim from another folder")
        self.folder = folder
        owner = pwd.getpwnam("Debian-exim")
        for part in ("spool", "log", "mail"):
            os.makedirs(os.path.join(folder, part))
            os.chown(os.path.join(folder, part), owner.pw_uid, owner.pw_gid)
        self.config = write(os.path.join(folder, "exim.conf"), EXIM_CONF.format(
            folder=folder, exim=EXIM, relay=relay or 1,
            router=EXIM_RELAYS if relay else EXIM_KEEPS))
        self.sendmail = [EXIM, "-C", self.config]
        self.daemon = None

    def listen(self, options):
        """Takes mail by SMTP for anybody, with these main options; its port."""
        with open(self.config, encoding="utf-8") as file:
            main, routers, rest = file.read().partition("begin routers\n")
        config = write(os.path.join(self.folder, "listen.conf"), "".join((
            main, options, "acl_smtp_rcpt = anybody\n",
            "begin acl\nanybody:\n  accept\n", routers, rest)))
        port = free_port()
        self.daemon = Process([EXIM, "-C", config, "-bdf", "-oX", str(port)],
                              os.path.join(self.folder, "daemon"))
        started(self.daemon, lambda: answers(("127.0.0.1", port)), "Exim")
        return port

    def send(self, sender, rcpts, text):
        subprocess.run(self.sendmail + ["-odq", "-i", "-f", sender, "--"] +
                       list(rcpts), input=mail.stored(text), check=True)

    def run_queue(self):
        """One run over the queue, to its end."""
        assert ended(self.start_queue().child, 60) == 0, self.log()

    def start_queue(self):
        return Process(self.sendmail + ["-qff"], os.path.join(self.folder, "out"))

    def queued(self):
        done = subprocess.run(self.sendmail + ["-bpc"], check=True,
                              stdout=subprocess.PIPE)
        return int(done.stdout)

    def log(self, name="main"):
        try:
            with open(os.path.join(self.folder, "log", name), encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def mail(self):
        """What its users got, all in one Maildir."""
        return mail.maildir(os.path.join(self.folder, "mail"))

    def end(self):
        """The queue lies in the folder of the case."""
        if self.daemon:
            self.daemon.end()

# SPDX-License-Identifier: ISC
"""
odmr-provider as its administrator meets it: the commands, the files they leave,
the log and the metrics.
"""
import grp
import os
import pty
import pwd
import shutil
import signal
import stat
import subprocess
import termios

import mail
from provider_host import ProviderHost
from servers import Skip
from service import Service
from stage import until

USER = "user@example.org"



def test_what_root_makes_is_for_the_service(t):
    """It can read its key and passwords, also at a reload, and change neither;
    others can read none of it."""
    host = ProviderHost(t, user="nobody", start=False)
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_gid
    for name in ("key.pem", "users"):
        found = os.stat(os.path.join(host.folder, name))
        assert stat.S_IMODE(found.st_mode) == 0o640, (name, oct(found.st_mode))
        assert (found.st_uid, found.st_gid) == (0, group), name
    os.chmod(os.path.join(host.folder, "users"), 0o600)
    host.run("passwd", "office", stdin="another one\n")
    assert stat.S_IMODE(os.stat(os.path.join(host.folder, "users")).st_mode) == 0o600
    os.chmod(os.path.join(host.folder, "key.pem"), 0o600)
    refused = host.run("check", status=78).out
    assert "users: Permission denied; let the user nobody read it" in refused, refused
    # The key is there: another one would be another pin.
    assert "let the user nobody read both files" in refused, refused
    assert "setup tls" not in refused, refused


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, host, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(host.program, [host.program, "-c", host.config_file] + list(words))
        self.seen = ""

    def read(self):
        try:
            self.seen += os.read(self.fd, 4096).decode()
        except OSError:  # as Linux tells the end
            return False
        return True

    def wait_for(self, words):
        while words not in self.seen:
            assert self.read(), self.seen
        self.seen = ""

    def shows_what_is_typed(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """The exit status, or minus the signal."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_password_on_a_terminal(t):
    """Asked for twice, and not shown; ^C leaves a terminal that shows again."""
    host = ProviderHost(t)
    for again, status in (("other", 65), ("neues wort", 0)):
        terminal = Terminal(host, "passwd", "office")
        terminal.wait_for("Password: ")
        assert not terminal.shows_what_is_typed()
        terminal.type("neues wort\n")
        terminal.wait_for("again: ")
        terminal.type(again + "\n")
        assert terminal.end() == status, terminal.seen
        assert "wort" not in terminal.seen, terminal.seen
    host.customer().login(password="neues wort")
    terminal = Terminal(host, "passwd", "office")
    terminal.wait_for("Password: ")
    terminal.type("half\x03")
    until(terminal.shows_what_is_typed, what="the terminal as it was")
    assert terminal.end() == -signal.SIGINT
    host.customer().login(password="neues wort")


def test_half_an_identity(t):
    """Neither covered up nor made anew: customers know the old key."""
    host = ProviderHost(t, start=False)
    for name, other in (("key.pem", "cert.pem"), ("cert.pem", "key.pem")):
        path = os.path.join(host.folder, name)
        os.rename(path, path + ".away")
        said = host.run("setup", "tls", status=78).stderr.decode()
        assert other + " is there and " in said and "put it back" in said, said
        assert not os.path.exists(path)
        os.rename(path + ".away", path)
    assert host.pin in host.run("setup", "tls").out


def postconf(host, *words):
    done = subprocess.run(["/usr/sbin/postconf", "-c", host.postfix.folder] +
                          list(words), check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


def test_setup_keeps_what_is_there(t):
    """Lists keep their items and variables; a second run changes nothing."""
    host = ProviderHost(t, start=False)
    host.postconf("relay_domains=$mydomain, other.example",
                  "maximal_queue_lifetime=60d")
    shown = host.run("setup", "postfix").out
    host.run("setup", "postfix", "--apply")
    table = "texthash:%s/odmr_domains" % host.postfix.folder
    assert postconf(host, "-h", "relay_domains") == \
        table + ", $mydomain, other.example"
    assert "relay_domains = %s, $mydomain" % table in shown, shown
    assert postconf(host, "-h", "maximal_queue_lifetime") == "60d"
    with open(host.postfix.folder + "/main.cf", encoding="utf-8") as file:
        before = file.read()
    again = host.run("setup", "postfix", "--apply").out
    assert "main.cf:" not in again and "master.cf:" not in again, again
    with open(host.postfix.folder + "/main.cf", encoding="utf-8") as file:
        assert file.read() == before


def test_setup_without_a_running_postfix(t):
    host = ProviderHost(t, start=False)
    host.postfix.end()
    assert "not running" in host.run("setup", "postfix", "--apply").out


def test_check_names_what_loses_mail(t):
    host = ProviderHost(t, start=False)
    assert "0 errors" in host.run("check").out
    host.postconf("mydestination=localhost, example.org",
                  "maximal_queue_lifetime=5d")
    postconf(host, "-P", "-e", "odmr/unix/smtp_fallback_relay=[relay.example]")
    said = host.run("check", status=78).out
    for words in ("mydestination has example.org",
                  "maximal_queue_lifetime = 30d` is missing (now: 5d)",
                  "-o smtp_fallback_relay=` is missing (now: [relay.example])",
                  "relay_recipient_maps is empty",
                  "setup postfix --apply"):
        assert words in said, (words, said)
    postconf(host, "-M", "-X", "odmr/unix")
    said = host.run("check", status=78).out
    assert said.count("master.cf") == 1 and "no way to the customers" in said, said


def test_check_names_lists_that_refuse_a_customers_mail(t):
    """It is an error where a list of mailboxes decides who is a recipient, as Debian's
    main.cf has it; who takes the domain out, or has no such list, loses nothing."""
    host = ProviderHost(t, start=False)
    def checked(*settings):
        host.postconf(*settings)
        return host.run("check", status=None)
    for name, maps in (("mydestination", "local_recipient_maps"),
                       ("virtual_mailbox_domains", "virtual_mailbox_maps"),
                       ("virtual_alias_domains", None)):
        said = "main.cf: %s has example.org" % name
        none = [maps + "="] if maps else []
        bad = checked(name + "=localhost, example.org",
                      *[maps + "=static:root" for _ in none])
        assert "error: " + said in bad.out and bad.returncode == 78, bad
        if maps:
            no_list = checked(*none)
            assert "warning: " + said in no_list.out and not no_list.returncode, no_list
        good = checked(name + "=")
        assert said not in good.out and not good.returncode, good


def test_check_names_a_postfix_of_another_user(t):
    """One whose connections would be refused, and one that does not let the service
    ask it to send."""
    host = ProviderHost(t, start=False)
    quiet = host.run("check").out
    assert "mail_owner" not in quiet and "authorized_flush_users" not in quiet, quiet
    host.postconf("authorized_flush_users=anna, bert")
    said = host.run("check").out
    assert "authorized_flush_users has not the user root" in said, said
    host.postconf("authorized_flush_users=anna, root")
    assert "authorized_flush_users" not in host.run("check").out
    host.config["postfix_user"] = "nobody"
    host.write_config()
    said = host.run("check", status=78).out
    assert "error: main.cf: Postfix runs as postfix (mail_owner)" in said, said
    assert "`postfix_user: postfix`" in said, said


def test_check_names_too_few_processes_for_those_who_wait(t):
    """A limit below one for each account, wherever it stands; 0 is none. What the
    warning says to do mends it."""
    host = ProviderHost(t, start=False, accounts={
        "office": ["example.org"], "shop": ["example.com"], "club": ["example.net"]})
    def warned(count):
        said = host.run("check").out
        return "warning: master.cf: Postfix starts no more than %d processes" % count in said
    assert "processes" not in host.run("check").out
    host.postconf("default_process_limit=2")
    assert warned(2)
    for limit, few in (("1", True), ("2", True), ("3", False), ("0", False), ("-", True)):
        postconf(host, "-F", "-e", "odmr/unix/process_limit=" + limit)
        assert ("processes of" in host.run("check").out) == few, limit
    mend = "postconf -F -e odmr/unix/process_limit=100"
    assert mend in host.run("check").out
    postconf(host, *mend.split()[1:])
    assert "processes" not in host.run("check").out


def test_check_names_a_certificate_that_ends_soon(t):
    host = ProviderHost(t, start=False)
    assert "the certificate ends" not in host.run("check").out
    for days, soon in (("10", True), ("20", False)):
        subprocess.run(["openssl", "req", "-x509", "-key", host.config["tls_key_file"],
                        "-days", days, "-subj", "/CN=mx.example.net",
                        "-out", host.config["tls_cert_file"]], check=True)
        assert ("warning: %s: the certificate ends at 20" % host.config["tls_cert_file"]
                in host.run("check").out) == soon, days


def test_check_names_who_else_could_come_in(t):
    """A key or passwords that others can read or change, and a port that is
    anybody's while the service is stopped."""
    host = ProviderHost(t, start=False)
    users, key = (host.config[name] for name in ("users_file", "tls_key_file"))
    quiet = host.run("check").out
    assert users not in quiet and key not in quiet, quiet
    assert "inner_port %d: while" % host.inner_port in quiet, quiet
    os.chmod(users, 0o644)
    os.chown(key, pwd.getpwnam("nobody").pw_uid, -1)
    host.config["inner_port"] = 1023
    host.write_config()
    host.run("setup", "postfix", "--apply")
    os.chmod(host.config_file, 0o646)
    checked = host.run("check")
    said = checked.out
    assert b"every user of this host can change this file" in checked.stderr, checked
    assert "%s: other users can read or change it (mode 0644)" % users in said, said
    assert "%s: it belongs to another user" % key in said, said
    assert "inner_port" not in said, said


def test_check_names_a_host_where_low_ports_are_anybodys(t):
    """As in many containers; the port of which everybody says that it is nobody's."""
    host = ProviderHost(t, start=False)
    host.config["inner_port"] = 336
    host.write_config()
    host.run("setup", "postfix", "--apply")
    assert "inner_port" not in host.run("check").out
    free = "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start"
    try:
        said = host.run("check", within=["unshare", "-n", "sh", "-c",
                                         free + ' && exec "$@"', "sh"]).out
    except AssertionError as err:
        if "unshare" in str(err):
            raise Skip("no network of its own can be made here") from err
        raise
    assert "inner_port 336: while" in said and "ip_unprivileged_port_start" in said, said


def test_postfix_keeps_no_list_to_flush(t):
    """Then nobody can be served: the customer is told to come later, the
    administrator what to do."""
    host = ProviderHost(t, hold="0s")
    host.postconf("fast_flush_domains=")
    one = host.customer()
    one.login()
    one.ask("ATRN", 451)
    one.close()
    host.logged("flush", "postqueue")
    said = host.run("check", status=78).out
    assert "fast_flush_domains = texthash:" in said, said
    host.run("setup", "postfix", "--apply")
    host.run("check")
    two = host.customer()
    two.login()
    two.ask("ATRN", 453)
    two.close()


def test_status_of_a_provider_that_died(t):
    host = ProviderHost(t)
    host.run("status")
    host.kill()
    said = host.run("status", status=75)
    assert "not running" in said.stderr.decode(), said
    host.start()
    host.run("status")
    host.stop()
    assert not os.path.exists(os.path.join(host.folder, "run/status.json"))


def test_failed_logins_are_those_of_guessers(t):
    """Nobody is locked out by fail2ban since the passwords cannot be read."""
    host = ProviderHost(t)
    guesser = host.customer()
    guesser.start_tls()
    guesser.ask("AUTH PLAIN AG9mZmljZQBnZXNzZW4=", 535)
    guesser.close()
    line = host.logged("login-failed")[0]
    assert line.endswith("login-failed user=office address=127.0.0.1"), line
    users = os.path.join(host.folder, "users")
    os.rename(users, users + ".away")
    customer = host.customer()
    customer.start_tls()
    customer.ask("AUTH PLAIN AG9mZmljZQBnZXNzZW4=", 454)
    customer.close()
    host.logged("login-unavailable", "no such file", "user=office")
    assert len(host.logged("login-failed")) == 1


def test_metrics(t):
    """As promtool wants them, whole, and for others to read."""
    path = os.path.join(t.sub("metrics"), "odmr-provider.prom")
    host = ProviderHost(t, metrics_file=path)

    def metrics():
        with open(path, encoding="utf-8") as file:
            return dict(line.rsplit(" ", 1) for line in file
                        if not line.startswith("#"))

    def shows(name, value):
        until(lambda: os.path.exists(path) and
              int(metrics().get("odmr_provider_" + name, -1)) == value,
              what="%s %d" % (name, value))

    shows('account_connected{account="office"}', 0)
    t.configure(accounts={"office": host.account(every="1s")})
    service = Service(t)
    shows('connections{state="held"}', 1)
    shows('account_connected{account="office"}', 1)
    text = mail.message("counted")
    host.send([USER], text)
    until(lambda: t.mail(USER), what="the message")
    shows("turned_total", 1)
    until(lambda: int(metrics()['odmr_provider_turned_bytes_total{to="customer"}'])
          > len(text), what="the octets")
    service.stop()
    shows('connections{state="held"}', 0)
    guesser = host.customer()
    guesser.start_tls()
    guesser.ask("AUTH PLAIN AG9mZmljZQBnZXNzZW4=", 535)
    guesser.close()
    shows('logins_total{result="failed"}', 1)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    with open(path, "rb") as file:
        checked = subprocess.run(["promtool", "check", "metrics"], check=False,
                                 input=file.read(), stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
    assert (checked.returncode, checked.stdout) == (0, b""), checked.stdout


def test_a_full_disk_is_not_filled_by_the_log(t):
    """Numbers that cannot be written are told, and not at each try."""
    folder = t.sub("metrics")
    host = ProviderHost(t, metrics_file=os.path.join(folder, "odmr-provider.prom"))
    shutil.rmtree(folder)
    for _ in range(4):
        one = host.customer()
        one.login()
        until(lambda: "logged-in" in host.states(), what="the status")
        one.close()
        until(lambda: not host.states(), what="the end of the call")
    lines = host.logged("warning metrics", "odmr-provider.prom")
    assert len(lines) < 3, lines


def test_too_few_descriptors(t):
    """The log says which limit to raise; customers who find no room are told
    so; and those who are held still get their mail."""
    names = ["c%d" % n for n in range(12)]
    host = ProviderHost(t, accounts={n: ["%s.example" % n] for n in names},
                        start=False, hold="9m")
    host.start("prlimit", "--nofile=200:200", "--")
    host.logged("limit", "RLIMIT_NOFILE", "LimitNOFILE=")
    customers, refused = [], 0
    for name in names:
        customers.append(host.customer())
        try:
            customers[-1].login(name)
            customers[-1].say("ATRN")
            host.held(name, seconds=20)
        except AssertionError:
            refused += 1
    assert 0 < refused < len(names), refused
    host.logged("start", "cannot serve", "LimitNOFILE=")
    host.send(["user@c0.example"], mail.message("for the first"))
    assert customers[0].reply()[-1].startswith("250")
    for customer in customers:
        customer.close()

# SPDX-License-Identifier: ISC
"""
Mistakes that people make: what they have written, and what they then read. Each
message names the place (file and line, key, host and port, path, domain) and
the next step.
"""
import os
import re
import socket
import subprocess
import time

from clock import wall_clock
from servers import free_port
from stage import (NO_LEAK_SEARCH, PASSWORD, Skip, goodbye, hello, rows)

# What somebody writes who follows the README; %(provider)s and %(local)s are
# there and work.
GOOD = """\
state_dir: %(state)s
hostname: mail.example.org
accounts:
    office:
        provider: "%(provider)s"
        user: office
        password_file: %(folder)s/office.password
        domains: [example.org, example.com]
        tls_ca_file: %(authority)s
deliveries:
    local: {lmtp: %(local)s}
"""


def prepare(t, text=GOOD, password=PASSWORD + "\n", **others):
    """Writes the configuration; returns a provider that works, with STARTTLS."""
    provider = others.pop("double", None) or t.provider(tls="starttls")
    values = {"state": t.sub("state"), "folder": t.folder,
              "provider": provider.address,
              "local": others.pop("local", None) or t.local().address,
              "authority": t.certificates.authority.cert}
    values.update(others)
    t.write("office.password", password)
    t.write("odmr-agent.yaml", text % values)
    return provider


def read_aloud(run, status, *words):
    """All of the words, each a pattern, in one line of what was written."""
    assert run.status == status, run
    lines = (run.out + run.err).split("\n")
    assert any(all(re.search(w, line) for w in words) for line in lines), \
        "no line has all of %r: %r" % (words, run)


def place(line):
    return r"odmr-agent\.yaml:%d:\d+: " % line


def swap(old, new):
    assert old in GOOD, old
    return GOOD.replace(old, new)


# In the file. `check` sees them.

def test_mistake_no_configuration(t):
    run = t.run(command=[t.binary, "-c", t.path("none.yaml"), "check"])
    read_aloud(run, 78, re.escape(t.path("none.yaml")), "No such file",
               "`odmr-agent init` writes one")


def test_mistake_configuration_of_somebody_else(t):
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    prepare(t)
    os.chmod(t.folder, 0o755)
    run = t.run(command=["setpriv", "--reuid=65534", "--clear-groups", *t.command("status")],
                env=NO_LEAK_SEARCH)
    read_aloud(run, 78, re.escape(t.config_file), "Permission denied", "run this as root")


@rows(("unknown key", swap("domains:", "domain:"), (place(8), "domain")),
      ("tab", swap("        user:", "\tuser:"), (place(6), "tab")),
      ("missing quotes", swap('"%(provider)s"', "[2001:db8::1]:366"), (place(5), "quot")),
      ("wrong indentation", swap("        user: office", "    user: office"), (place(6),)),
      ("no unit", swap("        user:", "        every: 5\n        user:"),
       (place(6), "every", "10m")),
      ("two accounts of a name", swap("deliveries:", "    office: {provider: x.example}\n"
                                      "deliveries:"), (place(10), "office", "line 4|twice|already")),
      ("no such delivery", swap("        user:", "        deliver: dovecot\n        user:"),
       (place(6), "no delivery .dovecot.; choose from: local")),
      ("wrong path of sendmail", swap("{lmtp: %(local)s}", "{sendmail: /usr/sbin/sendmial}"),
       (place(11), "/usr/sbin/sendmial", "correct the path")),
      ("lmtp without a port", swap("{lmtp: %(local)s}", "{lmtp: localhost}"),
       (place(11), "localhost", "port is missing")),
      ("relative path", swap("%(folder)s/office.password", "./office.password"),
       (place(7), "office.password", "absolute path")))
def test_mistakes_in_the_file(t, text, words):
    prepare(t, text)
    read_aloud(t.run("check"), 78, *words)


@rows(("fetch", ("fetch", "offce"), "no account offce; choose from: office"),
      ("status", ("status", "offce"), "no account offce; choose from: office"),
      ("check", ("check", "offce"), "no account offce; choose from: office"),
      ("ledger", ("ledger", "offce"), "no account offce; choose from: office"),
      ("command", ("fetsh",), "no command fetsh; choose from: check, fetch,"),
      ("option", ("fetch", "--jsn"), "no option --jsn; see `odmr-agent help fetch`"),
      ("option of check", ("check", "--conect"),
       "no option --conect; see `odmr-agent help check`"))
def test_mistakes_on_the_command_line(t, words, message):
    """What is looked up by a name that is not there is answered with those that are."""
    prepare(t)
    read_aloud(t.run(*words), 64, message)


def test_mistakes_in_the_password_file(t):
    """An end of Windows is none; a blank is."""
    prepare(t, password=PASSWORD + "\r\n")
    t.expect(t.run("check", "--connect"), 0)
    t.write("office.password", "\n")
    read_aloud(t.run("check"), 78, place(7), "office.password", "first line")


PASSWORD_LINE = "password_file: %(folder)s/office.password"


@rows(("blank and number sign", "geheim #7", 0, ("begins a comment", "quote it all")),
      ("number sign first", "#geheim", 78, ("begins with # must be quoted",)),
      ("colon and blank", "ge: heim", 78, ('quote a value that has ": "',)),
      ("brace first", "{geheim}", 78, ("begins with { must be quoted",)),
      ("bracket first", "[geheim]", 78, ("begins with \\[ must be quoted",)),
      ("star first", "*geheim", 78, ("begins with \\* must be quoted",)),
      ("ampersand first", "&geheim", 78, ("begins with & must be quoted",)),
      ("exclamation mark first", "!geheim", 78, ("begins with ! must be quoted",)),
      ("at sign first", "@geheim", 78, ("begins with @, . or % must be quoted",)),
      ("bar first", "|geheim", 78, ("quote a value that begins with | or >",)),
      ("dash first", "- geheim", 78, ('quote a value that begins with "- "',)),
      ("question mark first", "? geheim", 78, ("quote a value that begins",)),
      ("null", "null", 78, ("null, and what begins with # must be quoted",)),
      ("quote within quotes", "'ge'heim'", 78, ("within single quotes is written twice",)),
      ("backslash", r'"ge\heim"', 78, ("in double quotes", "single quotes")))
def test_mistake_password_that_is_yaml(t, password, status, words):
    prepare(t, swap(PASSWORD_LINE, "password: " + password.replace("%", "%%")))
    read_aloud(t.run("check"), status, place(7), *words)


def test_mistake_quotes_that_are_not_closed(t):
    prepare(t, swap(PASSWORD_LINE, "password: 'geheim"))
    read_aloud(t.run("check"), 78, r"odmr-agent\.yaml:\d+:\d+: ", "began in line 7",
               "a quotation mark is not closed")


@rows(("word of yes", "TRUE"), ("number", "0123456789"), ("hexadecimal", "0x1F2E3D"),
      ("day", "2001-12-14"), ("exponent", "12e03"), ("single quotes", "'it''s #7: x'"))
def test_password_that_yaml_could_take_for_something_else(t, written):
    """It is what was written, and the login works."""
    password = written.strip("'").replace("''", "'")
    prepare(t, swap(PASSWORD_LINE, "password: " + written),
            double=t.provider(tls="starttls", users={"office": password}))
    t.expect(t.run("check", "--connect"), 0, "logged in by")


# At the provider. `check --connect` sees them.

def test_mistake_wrong_password(t):
    provider = prepare(t, password="wrong\n")
    read_aloud(t.run("check", "--connect"), 77, str(provider.port), "correct .user. and the password")


def test_mistake_closed_port(t):
    port = free_port()
    prepare(t, provider="127.0.0.1:%d" % port)
    read_aloud(t.run("check", "--connect"), 75, r"127\.0\.0\.1", str(port), "efused",
               "correct host or port")


def test_mistake_unresolvable_name(t):
    prepare(t, provider="provider.invalid:366")
    read_aloud(t.run("check", "--connect"), 75, r"provider\.invalid",
               "correct the name|name servers of this host|resolv.conf")


def test_mistake_implicit_tls_at_the_port_of_starttls(t):
    provider = t.provider(tls="implicit")
    prepare(t, double=provider)
    read_aloud(t.run("check", "--connect"), 75, str(provider.port), "implicit")


def test_mistake_starttls_at_the_port_of_implicit_tls(t):
    provider = prepare(t, swap("        user:", "        tls: implicit\n        user:"))
    read_aloud(t.run("check", "--connect"), 76, str(provider.port), "starttls")


def test_mistake_port_of_mail(t):
    """A server that accepts mail, and neither logs in nor holds any."""
    provider = t.provider(tls="starttls", replies={
        "EHLO": b"250-mx.example\r\n250-STARTTLS\r\n250 SIZE 1000"})
    prepare(t, double=provider)
    read_aloud(t.run("check", "--connect"), 69, str(provider.port), "port 366")


@rows(("other name", "other_name", ("127.0.0.1", "other.example", "tls_server_name|provider")),
      ("expired", "expired", ("expired", "2021", "else tell the provider")))
def test_mistake_certificate(t, which, words):
    prepare(t, double=t.provider(tls="starttls",
                                 certificate=getattr(t.certificates, which)))
    read_aloud(t.run("check", "--connect"), 77, *words)


@rows(("1970", -1, ("not valid before", "says 1970-01-01")),
      ("ahead", 1, ("expired at", "says 20[6-9]\\d-")))
def test_mistake_clock(t, direction, words):
    """What the clock of this host says is beside what the certificate says."""
    prepare(t)
    clock = wall_clock(t, direction * int(time.time() if direction < 0 else 50 * 365 * 86400))
    read_aloud(t.run("check", "--connect", env=clock), 77, "clock of this host",
               "set the clock if it is wrong", *words)


# On this host

def test_mistake_no_socket(t):
    prepare(t, local=t.path("nothing.sock"))
    read_aloud(t.run("check", "--connect"), 75, "nothing.sock", "No such file",
               "start the server, or correct the path")


def test_mistake_socket_of_a_server_that_has_ended(t):
    server = socket.socket(socket.AF_UNIX)
    server.bind(t.path("left.sock"))
    server.close()
    prepare(t, local=t.path("left.sock"))
    read_aloud(t.run("check", "--connect"), 75, "left.sock", "efused",
               "no server listens: start it")


def test_mistake_server_that_ends_amid_the_session(t):
    """The log names its socket; the provider is not told of it."""
    local = t.local()

    def script(line):
        hello(line)
        local.close()
        line.command("MAIL FROM:<a@remote.example>", 250)
        reply = line.command("RCPT TO:<anna@example.org>", 451)
        assert local.address not in str(reply.lines), reply.lines
        line.command("QUIT", 221, 421)
        line.wait_end()

    prepare(t, double=t.provider(script, tls="starttls"), local=local.address)
    run = t.fetch("office", status=75)
    read_aloud(run, 75, "delivery local", re.escape(local.address), "start the server")


def test_mistake_socket_without_permission(t):
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    folder = t.sub("locked")
    server = socket.socket(socket.AF_UNIX)
    t.at_end(server.close)
    server.bind(folder + "/lmtp")
    server.listen(1)
    os.chmod(folder + "/lmtp", 0o600)
    prepare(t, local=folder + "/lmtp")
    os.chown(t.path("state"), 65534, 65534)
    read_aloud(t.run("check", "--connect", env=NO_LEAK_SEARCH), 75, "locked/lmtp",
               "permission denied to user nobody", "write to the socket")


def test_mistake_state_dir_where_nobody_may_write(t):
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    prepare(t)
    os.chown(t.path("state"), 65534, 65534)
    os.chmod(t.path("state"), 0o500)
    read_aloud(t.run("fetch", "office", env=NO_LEAK_SEARCH), 75,
               "state_dir " + re.escape(t.path("state")), "Permission denied",
               "user of odmr-agent .uid 65534. must be able to write there")


def test_mistake_maildir_of_another_user(t):
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    t.maildirs("mail")
    prepare(t, swap("{lmtp: %(local)s}", '{maildir: "%(folder)s/mail/{user}", create: yes}'))
    os.chown(t.path("state"), 65534, 65534)
    os.chmod(t.path("mail"), 0o755)
    run = t.run("check", "--deliver", "anna@example.org", env=NO_LEAK_SEARCH)
    read_aloud(run, 75, "delivery local: maildir " + re.escape(t.path("mail")))
    read_aloud(run, 75, "deferred", "cannot write to the mailbox: Permission denied")
    read_aloud(run, 75, "cannot write to " + re.escape(t.path("mail/anna")),
               "let the agent's user write there")


MAILDIR = '{maildir: "%(folder)s/mail/{user}", create: yes, sync: no}'


def test_mistake_mailbox_is_named_in_the_log_and_not_to_the_provider(t):
    """Something is in the place of the Maildir."""
    t.maildirs("mail")
    t.write("mail/anna", "")

    def script(line):
        hello(line)
        line.command("MAIL FROM:<a@remote.example>", 250)
        reply = line.command("RCPT TO:<anna@example.org>", 451)
        assert t.folder not in str(reply.lines), reply.lines
        goodbye(line)

    prepare(t, swap("{lmtp: %(local)s}", MAILDIR), double=t.provider(script, tls="starttls"))
    run = t.fetch("office", status=75)
    read_aloud(run, 75, "delivery local: cannot write to", re.escape(t.path("mail/anna")),
               "Not a directory")


# A disk of 64 KiB in a mount name space of its own: $0 is where, $1 how many KiB
# of it are used.
SMALL_DISK = """mount -t tmpfs -o size=64k,mode=755 none "$0" && : >"$0/.odmr-agent" &&
    head -c "$1"k /dev/zero >"$0/.used"; shift; exec "$@" """


def on_small_disk(t, folder, used, *words):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"],
                                           check=False).returncode != 0:
        raise Skip("only root can mount")
    return t.run(command=["unshare", "-m", "sh", "-c", SMALL_DISK, folder, str(used),
                          *t.command(*words)])


def test_mistake_full_disk_of_the_mailboxes(t):
    """The message stays with the provider, who is not told the folder."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<a@remote.example>", 250)
        line.command("RCPT TO:<anna@example.org>", 250)
        line.command("DATA", 354)
        line.send(b"Subject: large\r\n\r\n" + b"x" * 70 * 1022 + b"\r\n.\r\n")
        assert t.folder not in str(line.expect(452).lines)
        goodbye(line)

    prepare(t, swap("{lmtp: %(local)s}", MAILDIR), double=t.provider(script, tls="starttls"))
    run = on_small_disk(t, t.sub("mail"), 0, "fetch", "office")
    t.check_provider()
    read_aloud(run, 75, "delivery local: cannot write to " + re.escape(t.path("mail/anna")),
               "No space left", "free space on that disk")


def test_mistake_full_disk_of_the_mailboxes_is_found_by_the_first_message(t):
    """The others are not put on the provider's back-off, one by one."""
    def script(line):
        hello(line)
        line.command("MAIL FROM:<a@remote.example>", 250)
        line.command("RCPT TO:<anna@example.org>", "451 4.3.1")
        line.command("RSET", 421)
        line.wait_end()

    prepare(t, swap("{lmtp: %(local)s}", MAILDIR), double=t.provider(script, tls="starttls"))
    run = on_small_disk(t, t.sub("mail"), 64, "fetch", "office")
    t.check_provider()
    read_aloud(run, 75, "delivery local: cannot write to " + re.escape(t.path("mail/anna")),
               "No space left", "free space on that disk")


def test_mistake_full_disk_of_state_dir(t):
    """Without a ledger no provider is called."""
    prepare(t)
    run = on_small_disk(t, t.sub("state"), 64, "fetch", "office")
    read_aloud(run, 75, re.escape(t.path("state/ledger")), "No space left",
               "free space on that disk")

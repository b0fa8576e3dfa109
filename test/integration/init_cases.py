# SPDX-License-Identifier: ISC
"""
odmr-agent init: five answers, asked for on a terminal or given as options, and
the two files that come of them.
"""
import os
import pty
import re
import select
import stat
import subprocess

import mail
from patience import Patience
from stage import NO_LEAK_SEARCH, PASSWORD, Skip, rows

ANSWERS = {"--user": "office", "--domains": "example.org,example.com"}


def options(t, server, local, **others):
    """All as options, the password in a file."""
    answers = dict(ANSWERS, **{"--provider": server.address,
                               "--deliver": "lmtp:" + local.address,
                               "--password-from": t.write("secret", PASSWORD + "\n")})
    answers.update({"--" + k.replace("_", "-"): v for k, v in others.items()})
    return [w for pair in answers.items() if pair[1] is not None for w in pair]


def assert_written(t, provider, local):
    """Ten lines that are right, and a password for nobody else."""
    assert stat.S_IMODE(os.stat(t.path("office.password")).st_mode) == 0o600
    with open(t.path("office.password"), encoding="ascii") as file:
        assert file.read() == PASSWORD
    with open(t.config_file, encoding="ascii") as file:
        text = file.read()
    assert PASSWORD not in text and len(text.split("\n")) <= 11, text
    assert provider.address in text and local.address in text, text
    assert not [n for n in os.listdir(t.folder) if n.endswith(".new")]
    t.expect(t.run("check"), 0, "fine, 1 account")


def test_init_by_options(t):
    """The file is there also where the check then finds what to mend."""
    provider, local = t.provider(tls="starttls"), t.local()
    run = t.run("init", *options(t, provider, local))
    assert_written(t, provider, local)
    # The test's authority is none of the system's.
    assert run.status == 77 and "delivery local: reachable" in run.out, run
    assert "Correct what failed" in run.out, run


# Another host, in a mount name space: an /etc and a /run of its own, where the
# test's authority is the one that the system trusts. $0 is a scratch folder.
HOST = """set -e
    rm -rf "$0/etc"
    mkdir -p "$0/etc/ssl/certs"
    for name in passwd group hosts nsswitch.conf resolv.conf ld.so.cache ssl/openssl.cnf; do
        if [ -e "/etc/$name" ]; then cp -L "/etc/$name" "$0/etc/$name"; fi
    done
    cp "$1" "$0/etc/ssl/certs/ca-certificates.crt"
    mount --bind "$0/etc" /etc
    mount -t tmpfs none /run
    %s
    shift; exec "$@" """


def on_host(t, made):
    """What a command is preceded by that runs on such a host, made so."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"],
                                           check=False).returncode != 0:
        raise Skip("only root can mount")
    return ["unshare", "-m", "sh", "-c", HOST % made, t.sub("host"),
            t.certificates.authority.cert]


# One that has booted with systemd, and one with OpenWrt's init script.
MACHINES = (("systemd", "mkdir -p /run/systemd/system",
             "systemctl enable --now odmr-agent"),
            ("openwrt", "mkdir /etc/init.d; install -m 755 /dev/null /etc/init.d/odmr-agent",
             "/etc/init.d/odmr-agent start"))


@rows(*MACHINES)
def test_init_says_how_to_go_on(t, made, command):
    """In the words of this machine; and what it says works."""
    source = t.folder_source(("a@remote.example", ["user@example.org"], mail.message("one")))
    provider, local = t.provider(source=source, tls="starttls"), t.local()
    run = t.run(command=on_host(t, made) +
                t.command("init", *options(t, provider, local)))
    t.expect(run, 0)
    assert run.out.endswith("Then start the service: %s\n" % command), run
    once = "It works. Fetch once: odmr-agent -c %s fetch office\n" % t.config_file
    assert once in run.out, run
    with open(t.config_file, "a", encoding="ascii") as file:
        file.write("state_dir: %s\n" % t.sub("state"))
    t.expect(t.run(command=on_host(t, ":") + t.command("fetch", "office")), 0,
             "office: 1 message,")
    assert len(local.messages) == 1


SERVICE_USER = 61234  # of no user of any distribution


def test_init_gives_the_password_to_the_user_of_the_service(t):
    """As root, for the user that the package has made: he alone can read it."""
    provider, local = t.provider(tls="starttls"), t.local()
    made = "echo odmr-agent:x:%d:%d::/:/bin/false >>/etc/passwd" % (SERVICE_USER, SERVICE_USER)
    host = on_host(t, made)
    os.chmod(local.address, 0o666)
    os.chmod(t.folder, 0o755)
    os.chown(t.sub("state"), SERVICE_USER, SERVICE_USER)
    run = t.run(command=host + t.command("init", *options(t, provider, local)),
                env=dict(NO_LEAK_SEARCH, STATE_DIRECTORY=t.path("state")))
    t.expect(run, 0, "trying as user odmr-agent", "It works")
    password, config = os.stat(t.path("office.password")), os.stat(t.config_file)
    assert (password.st_uid, stat.S_IMODE(password.st_mode)) == (SERVICE_USER, 0o600)
    assert (config.st_uid, stat.S_IMODE(config.st_mode)) == (0, 0o644)


def test_init_takes_the_password_from_standard_input(t):
    provider, local = t.provider(tls="starttls"), t.local()
    t.write("typed", PASSWORD + "\n")
    with open(t.path("typed"), "rb") as typed:
        t.run("init", *options(t, provider, local, password_from="-"), stdin=typed)
    assert_written(t, provider, local)


def test_init_overwrites_nothing(t):
    provider, local = t.provider(tls="starttls"), t.local()
    for name in ("odmr-agent.yaml", "office.password"):
        path = t.write(name, "mine")
        t.expect(t.run("init", *options(t, provider, local)), 73, name, "is there")
        with open(path, encoding="ascii") as file:
            assert file.read() == "mine"
        os.unlink(path)
        assert not os.path.exists(t.config_file)
        assert not os.path.exists(t.path("office.password"))


def test_init_and_wrong_options(t):
    """Each is named with what is wrong, and nothing is written."""
    provider, local = t.provider(tls="starttls"), t.local()
    for key, value, words in (
            ("domains", "example.org example.com", "--domains: "),
            ("domains", "nodots", "--domains: it is a list of domains"),
            ("deliver", "pigeon:/loft", "--deliver: it is lmtp:"),
            ("deliver", "maildir:relative", "--deliver: it is lmtp:"),
            ("user", "a\"b", "--user: no blank"),
            ("provider", "", "--provider: an answer is needed"),
            ("provider", None, "--provider: without a terminal"),
            ("password_from", None, "--password-from: without a terminal"),
            ("password_from", t.path("none"), "cannot be read"),
            ("password_from", t.write("empty", "\n"), "it is empty"),
            ("password", "secret", "--password: init has no such option")):
        run = t.run("init", *options(t, provider, local, **{key: value}))
        t.expect(run, 64, re.escape(words))
        assert not os.path.exists(t.config_file), run
    t.expect(t.run("init", "--user"), 64, "its value is missing")


class Terminal:
    """A person at a terminal, who waits for a question and types an answer."""

    def __init__(self, t, *words, before=()):
        self.ours, theirs = pty.openpty()
        self.child = t.start(command=list(before) + t.command("init", *words),
                             stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.seen = ""

    def read(self):
        ready, _, _ = select.select([self.ours], [], [], 0.1)
        try:
            data = os.read(self.ours, 65536) if ready else b""
        except OSError:  # as Linux tells the end
            return False
        self.seen += data.decode()
        return True

    def answer(self, question, text):
        begun = len(self.seen) if question not in self.seen else self.seen.rindex(question)
        patience = Patience(20)
        while question not in self.seen[begun:] and patience.left():
            assert self.read(), self.seen
        assert question in self.seen[begun:], self.seen
        mark = len(self.seen)
        os.write(self.ours, text.encode() + b"\n")
        while len(self.seen) == mark and patience.left():
            self.read()

    def end(self, t):
        while self.read():
            pass
        os.close(self.ours)
        return t.finish(self.child)


def test_init_on_a_terminal(t):
    """A bad answer is asked for again, and the password is not shown."""
    provider, local = t.provider(tls="starttls"), t.local()
    person = Terminal(t)
    person.answer("Provider", provider.address)
    person.answer("User", "")
    person.answer("Please answer again", "office")
    person.answer("Domains", "what?")
    person.answer("it is a list of domains", ANSWERS["--domains"])
    person.answer("Where mail goes", "lmtp:" + local.address)
    person.answer("Password", PASSWORD)
    run = person.end(t)
    assert PASSWORD not in person.seen, person.seen
    assert "Correct what failed" in person.seen and run.status == 77, person.seen
    assert_written(t, provider, local)


def test_init_on_a_terminal_asks_what_is_missing(t):
    """And ends where the answers end."""
    provider, local = t.provider(tls="starttls"), t.local()
    person = Terminal(t, *options(t, provider, local, user=None))
    person.answer("User", "\x04")
    run = person.end(t)
    assert run.status == 64 and "the input ended" in person.seen, person.seen
    assert "Domains" not in person.seen and "Password (" not in person.seen
    assert not os.path.exists(t.config_file)


DOVECOT = "mkdir /run/dovecot; : >/run/dovecot/lmtp"


@rows(("Dovecot", DOVECOT, "lmtp:/run/dovecot/lmtp", ["Dovecot"]),
      ("Exim", "mkdir /etc/exim4", "smtp:127.0.0.1:2525", ["Exim"]),
      ("Exim and Dovecot", "mkdir /etc/exim4; " + DOVECOT, "smtp:127.0.0.1:2525",
       ["Exim", "Dovecot"]),
      ("Postfix and Dovecot", "mkdir /etc/postfix; : >/etc/postfix/main.cf; " + DOVECOT,
       "smtp:127.0.0.1:2525", ["Postfix", "Dovecot"]),
      ("what is left of Postfix", "mkdir /etc/postfix; " + DOVECOT, "lmtp:/run/dovecot/lmtp",
       ["Dovecot"]))
def test_init_proposes_what_is_on_the_host(t, made, proposal, names):
    """Enter takes it; a mail server comes before the mailboxes."""
    provider, local = t.provider(tls="starttls"), t.local()
    person = Terminal(t, *options(t, provider, local, deliver=None), before=on_host(t, made))
    person.answer("[%s]: " % proposal, "")
    person.end(t)
    assert re.findall(r"(\w+) is on this host", person.seen) == names, person.seen
    assert person.seen.count("README") == len(names), person.seen
    with open(t.config_file, encoding="ascii") as file:
        assert '{%s: "%s"}' % tuple(proposal.split(":", 1)) in file.read()


def test_init_proposes_nothing_where_there_is_nothing(t):
    provider, local = t.provider(tls="starttls"), t.local()
    person = Terminal(t, *options(t, provider, local, deliver=None), before=on_host(t, ":"))
    person.answer("Where mail goes (lmtp:, smtp: or maildir:): ", "")
    person.answer("Please answer again", "lmtp:" + local.address)
    person.end(t)
    assert "is on this host" not in person.seen, person.seen
    assert_written(t, provider, local)

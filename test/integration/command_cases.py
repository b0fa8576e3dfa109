# SPDX-License-Identifier: ISC
"""
The command line: commands, options, check and status.
"""
import json
import os
import pty
import pwd
import re
import subprocess

import mail
from servers import ended, free_port, terminal_output
from stage import DOMAINS, PASSWORD, ago, no_mail, one_message, rows

TEXT = mail.message("a message")


@rows(("help", ["help"], 0), ("--help", ["--help"], 0), ("-h", ["-h"], None),
      ("help fetch", ["help", "fetch"], 0), ("help check", ["help", "check"], 0),
      ("help of nothing", ["help", "nothing"], 64),
      ("--version", ["--version"], 0), ("no command", [], 64),
      ("unknown command", ["fetsch"], 64), ("unknown option", ["--wrong", "fetch"], 64),
      ("option without its value", ["fetch", "-c"], 64),
      ("help with words", ["--version", "now"], None))
def test_usage(t, args, status):
    child = t.start(command=[t.binary] + args)
    run = t.finish(child)
    if status is not None:
        assert run.status == status, run
    if status == 0:
        assert run.out and not run.err, run
    if run.status == 64:
        assert run.err and not run.out, run


def test_version(t):
    run = t.finish(t.start(command=[t.binary, "--version"]))
    assert re.match(
        r"odmr-agent \d+\.\d+\.\d+\n"
        r"Libraries: OpenSSL 3\.\S+, libcurl \d\S+, libyaml \d\S+\n"
        r"AUTH: .*\bSCRAM-SHA-256-PLUS\b.*\n"
        r"Deliveries: lmtp smtp sendmail maildir\n$", run.out), run


def on_terminal(t, *words, env=None, command=None):
    """What a terminal shows at the end: each line as it was left there."""
    ours, theirs = pty.openpty()
    child = t.start(*words, env=dict(env or {}, TERM="xterm"), command=command,
                    stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = terminal_output(ours)
    ended(child, 60)
    lines = []
    for line in seen.decode().split("\r\n"):
        shown = ""
        for piece in line.replace("\033[K", "\r\033").split("\r"):
            shown = piece[1:] if piece[:1] == "\033" else piece + shown[len(piece):]
        lines.append(shown)
    return lines


@rows(("mail", one_message(TEXT), [r"office: 1 message, .* s"]),
      ("a failure", None,
       [r"\S+ warning office: end: .*", r"office: failed: .*"]))
def test_a_terminal_shows_what_came_once(t, script, expected):
    t.configure(t.provider(script) if script else "127.0.0.1:1", drain=False)
    lines = [line for line in on_terminal(t, "fetch") if line]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), lines


def test_unknown_account(t):
    provider = t.provider()
    t.configure(provider)
    run = t.fetch("office", "offfice", status=64)
    assert "offfice" in run.err and not provider.sessions, run


def test_options_anywhere(t):
    provider = t.provider(no_mail, no_mail, no_mail)
    t.configure(provider, drain=False)
    for args in (["--config", t.config_file, "fetch", "office"],
                 ["fetch", "office", "-c", t.config_file],
                 ["fetch", "-c" + t.config_file, "--quiet", "office"],
                 ["--config=" + t.config_file, "fetch"]):
        if not provider.source.left:
            provider.source.left.append(no_mail)
        run = t.finish(t.start(command=[t.binary] + args))
        assert run.status == 0, run


def test_no_configuration(t):
    t.config_file = t.path("nothing.yaml")
    for command in ("fetch", "check", "status"):
        run = t.run(command)
        assert run.status == 78 and "nothing.yaml" in run.err, run


def test_check_finds_every_fault(t):
    t.write("odmr-agent.yaml", """\
hostname: mail.example.org
max_sessions: many
accounts:
    office:
        provider: odmr.example.net:99999
        user: office
        passwort: x
        domains: [example.org]
deliveries:
    local: {lmtp: relative/path}
""")
    run = t.run("check")
    assert run.status == 78, run
    text = run.out + run.err
    found = {int(n) for n in re.findall(r"odmr-agent\.yaml:(\d+):\d+: ", text)}
    assert {2, 5, 7, 10} <= found, (found, run)
    assert t.run("fetch").status == 78


def test_hostile_yaml(t):
    cases = {
        "laughs": "a: &a [x, x]\n" + "".join(
            "%s: &%s [*%s, *%s]\n" % (b, b, a, a)
            for a, b in zip("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu")),
        "deep": "[" * 5000, "deeper": "a: " * 1 + "{a: " * 5000,
        "binary": bytes(range(256)) * 100, "twice": "hostname: a.b\nhostname: c.d\n",
        "tab": "accounts:\n\toffice: x\n", "empty": "", "list": "- a\n- b\n",
        "scalar": "hello", "documents": "--- {}\n--- {}\n", "nul": b"a: \0b\n",
        "long": "hostname: " + "x" * 5000000}
    for name, text in cases.items():
        t.write("odmr-agent.yaml", text)
        run = t.finish(t.start("check"), limit=10)
        assert run.status == 78 and run.err + run.out, (name, run)


def test_check(t):
    provider = t.provider()
    t.configure(provider)
    t.expect(t.run("check"), 0)
    assert not provider.sessions


def test_check_warns(t):
    t.configure(t.provider(), every="20s")
    t.expect(t.run("check"), 0, "warning")


def test_check_connect(t):
    """It says what both sides offer, and never turns."""
    provider = t.provider(tls="starttls")
    local = t.local(size=1000000)
    t.configure(provider, {"lmtp": local.address})
    run = t.run("check", "--connect")
    t.check_provider()
    assert run.status == 0, run
    for words in (r"TLSv?1\.3", "TLS_[A-Z0-9_]+", "provider.example", "2099",
                  re.escape(t.certificates.good.pin()), "CRAM-MD5", "PLAIN", "ATRN",
                  "1000000|976", pwd.getpwuid(os.getuid()).pw_name):
        assert re.search(words, run.out + run.err), (words, run)
    assert not provider.turns()
    assert provider.sessions[0].commands[-1] == "QUIT"
    assert not [c for c in provider.sessions[0].commands if c.startswith("ATRN")]
    for domain in DOMAINS:
        assert "RCPT TO:<postmaster@%s>" % domain in local.commands, local.commands
    assert "MAIL FROM:<>" in [c[:12] for c in local.commands], local.commands
    # QUIT ends a transaction as RSET does (RFC 5321 4.1.1.10).
    assert local.commands[-1] in ("RSET", "QUIT"), local.commands
    assert "DATA" not in local.commands, local.commands


@rows(("it lists DSN", ["DSN"], False, "office: DSN is offered to the provider\n"),
      ("it does not", [], False,
       "office: DSN is not offered .* delivery local does not list it\n"),
      ("a Maildir besides", ["DSN"], True,
       "office: DSN is not offered .* delivery files does not list it\n"))
def test_check_connect_says_whether_dsn_is_offered(t, keywords, besides, words):
    """As a session would: only where all deliveries of the account list it."""
    local = t.local(keywords=["PIPELINING"] + keywords)
    routes = [{"recipients": "anna@example.org", "deliver": "files"},
              {"deliver": "local"}]
    t.configure(t.provider(), top={
        "deliveries": {"local": {"lmtp": local.address}, "files": t.maildir()},
        "routes": routes if besides else routes[1:]})
    run = t.run("check", "--connect")
    assert "delivery local: reachable, announces no SIZE, %s DSN\n" % (
        "lists" if keywords else "does not list") in run.out, run
    assert re.search(words, run.out), run


def test_check_connect_reports_trouble(t):
    """Everything is tried, whatever failed before."""
    provider = t.provider(replies={"AUTH": b"535 5.7.8 Wrong"})
    other = t.provider()
    t.configure(accounts={"office": t.account(provider), "branch": t.account(other)},
                deliver={"lmtp": t.path("nothing")})
    run = t.run("check", "--connect")
    assert run.status in (75, 77), run
    assert provider.sessions and other.sessions, run
    t.expect(run, run.status, "Wrong", "nothing")


@rows(("missing", None, 0, r'password_file: ".*/secret" cannot be read: No such file'),
      ("empty", "", 0o600, "the first line is empty; write the password into"),
      ("a blank first line", "\n" + PASSWORD, 0o600, "the first line is empty"),
      ("utf-16", PASSWORD.encode("utf-16"), 0o600, "UTF-16; save it as UTF-8"),
      ("open to everybody", PASSWORD, 0o644, "everybody on this host .*chmod 600"))
def test_check_finds_a_password_file_that_is(t, text, mode, words):
    """An error of check, with its place; the other account is fetched."""
    if text is not None:
        t.write("secret", text, mode)
    t.configure(accounts={
        "branch": t.account(t.provider(), password=None, password_file=t.path("secret"),
                            domains="branch.example"),
        "office": t.account(t.provider(one_message(TEXT)))})
    run = t.expect(t.run("check"), 78, r"odmr-agent\.yaml:\d+:\d+: .*" + words,
                   "usable only in part, 1 error")
    assert run.err.count("\n") == 1, run
    run = t.fetch(status=0 if mode == 0o644 else 77)
    assert "office: 1 message" in run.out, run
    assert re.search("error configuration: .*" + words, run.err), run


@rows(("tls_ca_file", {"tls_ca_file": "/none/ca.pem"}),
      ("tls_cert_file", {"tls_cert_file": "/none/c.pem", "tls_key_file": "/none/k.pem"}),
      ("password_command", {"password": None, "password_command": "/none/pass show it"}),
      ("token_command", {"password": None, "token_command": "/none/token office"}))
def test_check_finds_what_an_account_lacks(t, keys):
    """The same for all that an account names."""
    name = [key for key, value in keys.items() if value][0]
    t.configure(t.provider(tls="starttls"), **keys)
    t.expect(t.run("check"), 78, r"yaml:\d+:\d+: %s: \"/none/[a-z.]+\" cannot be "
             "(read|run): No such file or directory; correct the path" % name)


@rows(("all else works", {}, 0), ("login refused", {"AUTH": b"535 5.7.8 Wrong"}, 77),
      ("not now", {"AUTH": b"454 4.7.0 Later"}, 75))
def test_check_connect_without_a_postmaster(t, replies, status):
    """A missing mailbox is a warning, with what to do, said once; the exit
    status is that of the worse thing."""
    local = t.local(answers={"RCPT": "550 5.1.1 Nobody"})
    t.configure(t.provider(replies=replies), {"lmtp": local.address})
    run = t.expect(t.run("check", "--connect"), status)
    for domain in DOMAINS:
        assert ("office: warning: postmaster@%s to local: 550 5.1.1 Nobody"
                % domain) in run.out, run
    assert run.out.count("RFC 5321") == 1, run
    for words in ("In Dovecot", "In Postfix", "virtual_alias_maps", "check --deliver"):
        assert words in run.out, (words, run)


def test_check_connect_where_the_provider_is_away(t):
    """Also where it cannot be reached at all (75)."""
    local = t.local(answers={"RCPT": "550 5.1.1 Nobody"})
    t.configure("127.0.0.1:%d" % free_port(), {"lmtp": local.address})
    t.expect(t.run("check", "--connect"), 75, "office: failed: ", "Nobody")


def test_check_connect_and_a_set_up_that_refuses(t):
    """Who refuses the domain or us refuses everybody: that is an error."""
    local = t.local(answers={"RCPT": "554 5.7.1 Relay access denied"})
    t.configure(t.provider(), {"lmtp": local.address})
    run = t.expect(t.run("check", "--connect"), 75, "Relay access denied")
    assert "warning" not in run.out and "RFC 5321" not in run.out, run


def test_status(t):
    t.configure(accounts={"office": t.account(t.provider(one_message(TEXT))),
                          "branch": t.account(t.provider(replies={
                              "ATRN": b"451 4.3.0 Later"}))})
    t.expect(t.run("status"), 0, "office", "branch")
    t.fetch(status=75)
    # One of them has never worked.
    run = t.expect(t.run("status"), 75, "office", "branch", "Later")
    t.expect(t.run("status", "office"), 0)
    found = [json.loads(l) for l in t.run("status", "--json").out.strip().split("\n")]
    by_name = {f["account"]: f for f in found}
    assert by_name["office"]["messages"] == 1, found
    assert by_name["branch"]["exit_status"] == 75, found
    run = t.run("status", "branch")
    assert "branch" in run.out and "office" not in run.out, run
    assert t.run("status", "nobody").status == 64


def test_status_for_scripts(t):
    """0 unless somebody has to act: a hold has the status that led to it, an
    alarm 75, the worse of both counts; each stands in the JSON by itself."""
    def told(status, alarm):
        run = t.expect(t.run("status", "--json"), status)
        t.expect(t.run("status"), status)
        assert json.loads(run.out)["alarm"] == alarm, run

    t.configure(t.provider())
    told(0, None)  # no session yet
    t.fetch("office")
    told(0, None)
    t.configure(t.provider(replies={"AUTH": b"535 5.7.8 Wrong"}))
    t.fetch("office", status=77)
    told(77, None)
    t.change_status(last_success=ago(3), since=ago(30))
    told(77, "failing")
    t.change_status(hold_until=None)
    told(75, "failing")
    t.change_status(last_success=None, since=ago(0.1))
    told(77, None)  # it never worked
    t.configure(t.provider(), enabled=False)
    told(0, None)


def test_status_needs_nothing(t):
    """No secret and no write access."""
    t.write("secret", PASSWORD + "\n")
    t.configure(t.provider(no_mail), password=None, password_file=t.path("secret"))
    t.fetch("office")
    os.unlink(t.path("secret"))
    os.chmod(t.config_file, 0o644)
    before = tree(t.path("state"))
    options = {}
    if os.geteuid() == 0:
        os.chmod(t.path("state"), 0o755)
        for folder, folders, files in os.walk(t.path("state")):
            for name in folders:
                os.chmod(os.path.join(folder, name), 0o755)
            for name in files:
                os.chmod(os.path.join(folder, name), 0o644)
        options = {"user": 65534, "group": 65534, "extra_groups": []}
    run = t.finish(t.start("status", **options))
    assert run.status == 0 and "office" in run.out, run
    assert tree(t.path("state")) == before


def tree(folder):
    return sorted(os.path.join(f, n) for f, folders, files in os.walk(folder)
                  for n in folders + files)


def test_example_configuration(t):
    """The example is a configuration: its only faults are the files it names."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run([t.binary, "-c", os.path.join(
        top, "odmr-agent.yaml.example"), "check"], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=t.environment())
    text = done.stdout.decode()
    assert not re.search(r"unknown key|expected|must be|twice", text), text


# check --deliver

def test_check_deliver_to_each_kind(t):
    """It arrives as mail does, with the delivery's reply, and leaves nothing in
    ledger and status."""
    local = t.local()
    mbox = t.path("stored")
    program = t.write("sendmail", "#!/bin/sh\ncat >%s\n" % mbox, 0o755)
    smtp = t.local(tcp=True, lmtp=False)
    for kind, deliver in (("lmtp", {"lmtp": local.address}),
                          ("smtp", {"smtp": smtp.address}),
                          ("sendmail", {"sendmail": program}),
                          ("maildir", t.maildir())):
        t.configure(t.provider(), deliver)
        run = t.expect(t.run("check", "--deliver", "User@Example.org"), 0,
                       "account office, delivery local: " + kind, "delivered: 250")
        [word] = re.findall('look for "Test message ([0-9a-f]+)"', run.out)
        if kind in ("lmtp", "smtp"):
            server = local if kind == "lmtp" else smtp
            text = server.messages[-1][2]
        elif kind == "sendmail":
            with open(mbox, "rb") as file:
                text = file.read()
        else:
            [text] = t.mail("User@Example.org") or t.mail("user@example.org")
        assert b"Subject: Test message " + word.encode() in text, text
        assert b"(odmr-agent)" in text and b"From: odmr-agent" in text, text
    assert "user" not in t.run("ledger").out.lower(), t.run("ledger")
    assert not os.path.exists(t.path("state", "status", "office.json"))


@rows(("refused", "550 5.1.1 No such user", 67, "refused: 550 5.1.1 No such user"),
      ("deferred", "451 4.2.2 Full", 75, "deferred: 451 4.2.2 Full"))
def test_check_deliver_that_fails(t, answer, status, words):
    local = t.local(answers={"RCPT": answer})
    t.configure(t.provider(), {"lmtp": local.address})
    t.expect(t.run("check", "--deliver=user@example.org"), status, words)
    assert not local.messages


def test_check_deliver_refused_after_the_text(t):
    local = t.local(answers={"END": "554 5.7.1 Looks like a test"})
    t.configure(t.provider(), {"lmtp": local.address})
    t.expect(t.run("check", "--deliver", "user@example.org"), 67,
             "refused: 554 5.7.1 Looks like a test")


def test_check_deliver_where_nothing_listens(t):
    t.configure(t.provider(), {"lmtp": t.path("nothing")})
    t.expect(t.run("check", "--deliver", "user@example.org"), 75, "deferred: .*local")


@rows(("other domain", "user@elsewhere.example", 67, "no account accepts the domain"),
      ("no domain", "user", 64, "is no address"),
      ("no address", "<<>", 64, "is no address"))
def test_check_deliver_to_nobody(t, address, status, words):
    local = t.local()
    t.configure(t.provider(), {"lmtp": local.address})
    t.expect(t.run("check", "--deliver", address), status, words)
    t.expect(t.run("check", "--deliver"), 64, "needs an address")
    assert not local.messages


def test_check_deliver_by_routes(t):
    """Each address where its route leads, or nowhere."""
    one, two = t.local("one.sock"), t.local("two.sock")
    t.configure(t.provider(), top={
        "deliveries": {"one": {"lmtp": one.address}, "two": {"lmtp": two.address}},
        "routes": [{"recipients": "anna@example.org", "deliver": "one"},
                   {"recipients": "example.com", "deliver": "two"}]})
    t.expect(t.run("check", "--deliver", "anna@example.org"), 0, "delivery one: lmtp")
    t.expect(t.run("check", "--deliver", "x@example.com"), 0, "delivery two: lmtp")
    run = t.expect(t.run("check", "--deliver", "x@example.org"), 67, "no route matches")
    assert "refused: 550" in run.out, run
    assert (len(one.messages), len(two.messages)) == (1, 1)

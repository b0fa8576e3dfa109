# SPDX-License-Identifier: ISC
"""
AUTH against servers that others wrote: GNU SASL, with the channel binding of
its own end of the TLS connection; Postfix with Dovecot's SASL; Dovecot itself.
"""
import base64
import os
import socket
import subprocess

from auth_servers import DovecotLogin, postfix_login, token
from line import Line
from stage import HERE, PASSWORD, Skip, goodbye, hello, rows


class Gsasl:
    """gsasl_provider.c, built for this case; serves one customer."""

    def __init__(self, t, version, offer, *how):
        program = t.path("gsasl_provider")
        built = subprocess.run(
            ["cc", "-D_GNU_SOURCE", "-o", program,
             os.path.join(HERE, "gsasl_provider.c"), "-lgsasl", "-lssl", "-lcrypto"],
            capture_output=True, text=True, check=False)
        if built.returncode:
            if "gsasl.h" in built.stderr:
                raise Skip("no libgsasl-dev")
            raise AssertionError(built.stderr)
        good = t.certificates.good
        self.child = subprocess.Popen(
            [program, good.cert, good.key, version, offer, *how],
            stdout=subprocess.PIPE, text=True, env={"PASSWORD": PASSWORD})
        t.at_end(self.end)
        self.address = "127.0.0.1:" + self.child.stdout.readline().strip()

    def heard(self):
        """What the customer said until it left."""
        return self.child.stdout.read().splitlines()

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def log_in(t, status, version, offer, *how):
    provider = Gsasl(t, version, offer, *how)
    t.configure(provider.address, tls="implicit",
                tls_ca_file=t.certificates.authority.cert)
    run = t.fetch("office", status=status)
    return provider.heard(), run


@rows(("sha-256 tls 1.3", "1.3", "SCRAM-SHA-256-PLUS"),
      ("sha-1 tls 1.3", "1.3", "SCRAM-SHA-1-PLUS"),
      ("sha-256 tls 1.2", "1.2", "SCRAM-SHA-256-PLUS"),
      ("sha-1 tls 1.2", "1.2", "SCRAM-SHA-1-PLUS"))
def test_bound(t, version, mechanism):
    heard, run = log_in(t, 0, version, "LOGIN PLAIN CRAM-MD5 " + mechanism)
    assert "no mail" in run.line, run
    assert heard[1].startswith("AUTH %s " % mechanism), heard


@rows(("sha-256", "SCRAM-SHA-256"), ("sha-1", "SCRAM-SHA-1"),
      ("cram-md5", "CRAM-MD5"))
def test_not_bound(t, mechanism):
    heard, run = log_in(t, 0, "1.3", "LOGIN PLAIN " + mechanism, "hide")
    assert "no mail" in run.line, run
    assert heard[1].startswith("AUTH " + mechanism), heard


@rows(("tls 1.3", "1.3"), ("tls 1.2", "1.2"))
def test_man_in_the_middle(t, version):
    """Another TLS connection at the other end: refused, and nothing weaker
    is tried."""
    heard, run = log_in(t, 77, version, "PLAIN SCRAM-SHA-256-PLUS", "spoil")
    assert "bound by tls-" in run.err, run
    assert heard[-1] == "QUIT", heard
    assert len([line for line in heard if line.startswith("AUTH")]) == 1, heard


def test_plus_taken_out_of_the_list(t):
    """The server can bind, somebody hid it: our "y" tells the server so."""
    heard, run = log_in(t, 77, "1.3", "SCRAM-SHA-256")
    assert heard[-1] == "QUIT" and "535" in run.err, (heard, run)


# Servers that do not go by the book where nothing is at stake

def passes_over(session, argument):
    """IndiMail: the first message counts only as the answer to a challenge."""
    name, _, first = argument.partition(" ")
    session.line.send(b"334 \n")
    said = session.line.read_line().decode()
    session.secrets.append(said)
    if said != first:
        return b"535 5.7.8 The first message has become another"
    return session.do_auth(name + " " + said)


def prompts_in_words(session, _argument):
    said = []
    for prompt in (b"334-Welcome to\r\n334 our mail\r\n", b"334 Password:\r\n"):
        session.line.send(prompt)
        said.append(session.line.read_line())
    session.secrets += [line.decode() for line in said]
    if [base64.b64decode(line) for line in said] != [b"office", PASSWORD.encode()]:
        return b"535 5.7.8 Wrong"
    session.user = "office"
    return b"235 2.7.0 Welcome"


@rows(("first message passed over, scram", "SCRAM-SHA-256", passes_over),
      ("first message passed over, plain", "PLAIN", passes_over),
      ("prompts in words", "LOGIN", prompts_in_words))
def test_server_with_its_own_ways(t, mechanism, auth):
    def script(line):
        hello(line)
        goodbye(line)
    provider = t.provider(script, tls="implicit", mechanisms=(mechanism,),
                          replies={"AUTH": auth})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: no mail")
    assert provider.turns()


# Postfix and Dovecot

def postfix_and_dovecot(t):
    dovecot = DovecotLogin(t.sub("dovecot"), PASSWORD, t.certificates)
    t.at_end(dovecot.end)
    postfix = postfix_login(t.sub("postfix"), dovecot, t.certificates)
    t.at_end(postfix.end)
    return postfix


def login(t, mechanism, good=True):
    """The keys of an account that logs in so, or as somebody else would."""
    if "AUTH" in mechanism:
        secret = token() if good else token(key=b"another one's key")
        path = t.write("token", secret + "\n")
        return {"auth": mechanism, "password": None, "token_command": "cat " + path}
    return {"auth": mechanism, "password": PASSWORD if good else "another-word"}


def provider_before(t, port, mechanism):
    """Our provider, whose customers log in to the server at the port."""
    def auth(session, argument):
        server = Line(socket.create_connection(("127.0.0.1", port)), session.line.log)
        server.expect(220)
        server.command("EHLO provider.example", 250)
        server.send(b"AUTH " + argument.encode() + b"\r\n")
        reply = server.reply()
        while reply.code == 334:
            session.line.send(reply.text.encode() + b"\r\n")
            said = session.line.read_line()
            session.secrets.append(said.decode())
            server.send(said + b"\r\n")
            reply = server.reply()
        server.close()
        session.user = "office" if reply.code == 235 else None
        return reply.text.encode()

    def script(line):
        hello(line)
        goodbye(line)

    offer = "250-provider.example\r\n250-AUTH %s\r\n250 ATRN" % mechanism
    return t.provider(script, tls="implicit",
                      replies={"AUTH": auth, "EHLO": offer.encode()})


@rows(*((m.lower(), m) for m in (
    "CRAM-MD5", "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER",
    "XOAUTH2")))
def test_postfix(t, mechanism):
    postfix = postfix_and_dovecot(t)

    # A whole session, its AUTH being Postfix's.
    t.configure(provider_before(t, postfix.port, mechanism),
                **login(t, mechanism))
    t.expect(t.fetch("office"), 0, "office: no mail")
    assert t.status()["auth_best"] == mechanism

    # Straight to Postfix, under its TLS.
    address = "127.0.0.1:%d" % postfix.port
    keys = {"tls": "starttls", "tls_ca_file": t.certificates.authority.cert}
    t.configure(address, **keys, **login(t, mechanism))
    run = t.run("check", "--connect")
    t.expect(run, 0, "logged in by %s\n" % mechanism, "TLSv1.3")

    t.configure(address, **keys, **login(t, mechanism, good=False))
    run = t.fetch("office", status=77)
    t.expect(run, 77, "refused the login by %s.*: 535 5.7.8" % mechanism)
    assert t.status()["hold_until"], run


def test_postfix_strongest(t):
    """Of all that it offers."""
    postfix = postfix_and_dovecot(t)
    t.configure("127.0.0.1:%d" % postfix.port, tls="starttls",
                tls_ca_file=t.certificates.authority.cert)
    t.expect(t.run("check", "--connect"), 0, "logged in by SCRAM-SHA-256\n")


def test_postfix_token_expired(t):
    postfix = postfix_and_dovecot(t)
    t.configure("127.0.0.1:%d" % postfix.port, tls="starttls",
                tls_ca_file=t.certificates.authority.cert, auth="OAUTHBEARER",
                password=None, token_command="echo " + token(lifetime=-60))
    t.expect(t.fetch("office", status=77), 77, "invalid_token", "535")


@rows(("certificate alone", None), ("named user", "office"))
def test_dovecot_external(t, user):
    """Dovecot ends the TLS itself: the certificate says who we are."""
    relay = t.local(tcp=True, lmtp=False)
    dovecot = DovecotLogin(t.sub("dovecot"), PASSWORD, t.certificates, relay.port)
    t.at_end(dovecot.end)
    made = t.certificates
    for certificate, status in ((made.office, 0), (made.client, 77)):
        t.configure(dovecot.address, tls="starttls", auth="EXTERNAL", user=user,
                    password=None, tls_ca_file=made.authority.cert,
                    tls_cert_file=certificate.cert, tls_key_file=certificate.key)
        words = ("logged in by EXTERNAL",) if status == 0 else ("by EXTERNAL: 535",)
        t.expect(t.run("check", "--connect"), status, *words)
    run = t.fetch("office", status=77)
    assert t.status()["hold_until"], run


# Downgrade

def offering(t, mechanism, tls="implicit", **options):
    return t.provider(tls=tls, mechanisms=[mechanism], replies={
        "ATRN": b"453 You have no mail"}, **options)


def logged_in(provider):
    return [s.mechanism for s in provider.sessions]


def test_downgrade(t):
    """Somebody takes SCRAM out of the list: each session tells."""
    t.configure(offering(t, "SCRAM-SHA-256"))
    run = t.fetch("office")
    assert "warning" not in run.err, run
    assert t.status()["auth_best"] == "SCRAM-SHA-256"

    weak = offering(t, "PLAIN")
    t.configure(weak)
    words = "warning.*logged in with PLAIN although 127.0.0.1 has offered SCRAM-SHA-256"
    for _ in range(2):
        t.expect(t.fetch("office"), 0, words, "office: no mail")
    words = "office: warning: 127.0.0.1 has offered SCRAM-SHA-256"
    t.expect(t.run("check", "--connect"), 0, words, "logged in by PLAIN\n")
    assert t.status()["auth_best"] == "SCRAM-SHA-256"

    t.configure(weak, auth_downgrade="refuse")
    for arguments in (("fetch", "office"), ("check", "--connect")):
        run = t.run(*arguments)
        t.expect(run, 77, "PLAIN is weaker than SCRAM-SHA-256, .*auth_downgrade")
    assert logged_in(weak) == ["PLAIN"] * 3 + [None] * 2
    assert t.status()["hold_until"]
    run = t.run("fetch")
    t.expect(run, 77, "on hold until .*PLAIN is weaker")
    assert len(weak.sessions) == 5

    # The provider did give SCRAM up, and the administrator says so.
    t.configure(weak, auth="PLAIN", auth_downgrade="refuse")
    run = t.fetch("office")
    assert "warning" not in run.err, run


def test_no_downgrade_of_another_host(t):
    """What one provider offered says nothing of the next one."""
    t.configure(offering(t, "SCRAM-SHA-256"))
    t.fetch("office")
    provider = offering(t, "PLAIN")
    keys = {"tls": "implicit", "tls_ca_file": t.certificates.authority.cert,
            "auth_downgrade": "refuse"}
    t.configure("localhost:%d" % provider.port, ip_version="4", **keys)
    run = t.fetch("office")
    assert "warning" not in run.err, run
    assert t.status()["auth_best"] == "PLAIN"


def test_downgrade_inside_a_session(t):
    """Offered, and then not there: 504 goes on, and is told."""
    provider = t.provider(
        tls="implicit", mechanisms=["SCRAM-SHA-256", "PLAIN"],
        replies={"AUTH": [b"504 5.5.4 Not today"], "ATRN": b"453 You have no mail"})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "logged in with PLAIN although .* SCRAM-SHA-256")
    provider.replies["AUTH"] = [b"504 5.5.4 Not today"]
    t.configure(provider, auth_downgrade="refuse")
    t.expect(t.fetch("office", status=77), 77, "PLAIN is weaker than SCRAM-SHA-256")


def test_binding_is_told(t):
    provider = Gsasl(t, "1.3", "PLAIN SCRAM-SHA-256-PLUS")
    t.configure(provider.address, tls="implicit",
                tls_ca_file=t.certificates.authority.cert)
    t.expect(t.run("check", "--connect"), 0,
             "logged in by SCRAM-SHA-256-PLUS, bound by tls-exporter")

# SPDX-License-Identifier: ISC
"""
From the connection to the turn: greeting, EHLO, TLS, AUTH, ATRN, proxies.
"""
import base64
import os
import re
import socket
import ssl
import time

import mail
from doubles import HttpProxy, NameServer, SocksProxy
from stage import (PASSWORD, Skip, ago, deliver, dotted, goodbye, hello, no_mail,
                   one_message, rows, until)
from state_cases import in_namespace
from turned import Scripts

TEXT = mail.message("a message")


# ATRN and the other replies, row by row

@rows(
    ("greeting 421", {"GREETING": b"421 4.3.2 Too busy"}, 75, "Too busy"),
    ("greeting 450", {"GREETING": b"450 Not now"}, 75, "Not now"),
    ("greeting 554", {"GREETING": b"554 No service"}, 69, "No service"),
    ("greeting 521", {"GREETING": b"521 No mail here"}, 69, "No mail here"),
    ("greeting eof", {"GREETING": b""}, 75, ""),
    ("greeting no smtp", {"GREETING": b"SSH-2.0-OpenSSH"}, 76, ""),
    ("ehlo eof", {"EHLO": b""}, 75, ""),
    ("ehlo 421", {"EHLO": b"421 4.3.2 Down"}, 75, "Down"),
    ("no auth", {"EHLO": b"250-provider.example\r\n250 ATRN"}, 69, "AUTH"),
    ("auth 535", {"AUTH": b"535 5.7.8 Wrong"}, 77, "Wrong"),
    ("auth 454", {"AUTH": b"454 4.7.0 Database"}, 75, "Database"),
    ("auth 421", {"AUTH": b"421 4.7.0 Bye"}, 75, "Bye"),
    ("auth 525", {"AUTH": b"525 5.7.13 Disabled"}, 77, "Disabled"),
    ("auth all 504", {"AUTH": [b"504 5.5.4 No"] * 9}, 69, ""),
    ("auth eof", {"AUTH": b""}, 75, ""),
    ("atrn 450", {"ATRN": b"450 4.7.1 Denied"}, 77, "asked too often"),
    ("atrn 451", {"ATRN": b"451 4.3.0 Later"}, 75, "Later"),
    ("atrn 453", {"ATRN": b"453 You have no mail"}, 0, "office: no mail"),
    ("atrn 421", {"ATRN": b"421 4.3.2 Closing"}, 75, "Closing"),
    ("atrn 500", {"ATRN": b"500 5.5.1 What"}, 69, "What"),
    ("atrn 501", {"ATRN": b"501 5.5.4 Syntax"}, 69, "Syntax"),
    ("atrn 502", {"ATRN": b"502 5.5.1 Never"}, 69, "Never"),
    ("atrn 504", {"ATRN": b"504 5.5.4 Never"}, 69, "Never"),
    ("atrn 530", {"ATRN": b"530 5.7.0 Who"}, 77, "Who"),
    ("atrn 550", {"ATRN": b"550 5.7.1 Policy"}, 77, "Policy"),
    ("atrn 554", {"ATRN": b"554 5.7.1 Policy"}, 77, "Policy"),
    ("atrn 251", {"ATRN": b"251 Fine"}, 76, "Fine"),
    ("atrn 354", {"ATRN": b"354 Go on"}, 76, "Go on"),
    ("atrn eof", {"ATRN": b""}, 75, ""),
    ("atrn no reply", {"ATRN": b"hello there"}, 76, ""),
)
def test_reply(t, replies, status, words):
    provider = t.provider(no_mail, replies=replies)
    t.configure(provider)
    run = t.fetch("office", status=status)
    t.expect(run, status, words)
    assert run.out.startswith("office: "), run
    assert (status == 0) == ("failed" not in run.out), run
    assert t.status()["exit_status"] == status


def test_no_listener(t):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        t.configure("127.0.0.1:%d" % unused.getsockname()[1])
        t.fetch("office", status=75)


def test_unknown_host(t):
    t.configure("nowhere.invalid:366", connect_timeout="3s")
    t.expect(t.fetch("office", status=75), 75, "nowhere.invalid")


@rows(("greeting", "GREETING"), ("ehlo", "EHLO"), ("atrn", "ATRN"))
def test_silent(t, verb):
    provider = t.provider(replies={verb: lambda s, _: s.line.wait_end() and b""})
    t.configure(provider, provider_timeout=t.seconds(1))
    t.fetch("office", status=75)


def test_multiline_replies(t):
    provider = t.provider(no_mail, replies={
        "GREETING": b"220-provider.example\r\n220-hello\r\n220 ready",
        "ATRN": b"250-turning\r\n250 now"})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: no mail")


@rows(("lmtp", "lmtp"), ("smtp", "smtp"))
def test_replies_that_end_in_lf_alone(t, kind):
    """From the provider and from the local server; what follows the 250 to
    ATRN is the turned session's, and the text arrives as it was."""
    local = t.local(tcp=True, lmtp=kind == "lmtp", line_end="\n")
    provider = t.provider(one_message(TEXT), line_end=b"\n")
    t.configure(provider, deliver={kind: local.address})
    t.expect(t.fetch("office"), 0, "1 message")
    [(sender, rcpts, text)] = local.messages
    assert (sender, rcpts) == ("sender@remote.example", ["user@example.org"])
    assert text.endswith(TEXT), text


def test_endless_reply(t):
    """A reply that never ends must not be read for ever."""
    provider = t.provider(replies={"EHLO": b"250-x\r\n" * 100000 + b"250 y"})
    t.configure(provider)
    t.fetch("office", status=76)


def test_endless_line(t):
    provider = t.provider(replies={"GREETING": b"220 " + b"x" * 1000000})
    t.configure(provider)
    t.fetch("office", status=76)


def test_atrn_not_listed(t):
    """Middleboxes strip it; it is sent all the same."""
    provider = t.provider(no_mail, replies={
        "EHLO": b"250-provider.example\r\n250 AUTH CRAM-MD5"})
    t.configure(provider)
    t.fetch("office")
    assert provider.turns()


# The list of domains

def test_domains_in_order(t):
    provider = t.provider(no_mail)
    t.configure(provider, domains=["B.example.org", "a.example.org"])
    t.fetch("office")
    assert provider.turns()[0].atrn.lower() == "b.example.org,a.example.org"


def test_any_domain(t):
    provider = t.provider(one_message(TEXT))
    t.configure(provider, domains="any", accept=["example.org"])
    t.fetch("office")
    assert provider.turns()[0].commands[-1].strip() == "ATRN"
    t.assert_mail("user@example.org", TEXT)


def test_700_domains(t):
    domains = ["customer-%03d.example.org" % n for n in range(700)]
    asked = []

    def atrn(session, argument):
        assert len(session.commands[-1]) + 2 <= 512, session.commands[-1]
        asked.append(argument.lower().split(","))
        return b"453 You have no mail"

    provider = t.provider(replies={"ATRN": atrn})
    t.configure(provider, domains=domains)
    t.expect(t.fetch("office"), 0, "no mail")
    assert [d for part in asked for d in part] == domains
    assert len(asked) < 45, "%d calls" % len(asked)
    assert t.status()["calls"] == len(asked)


def test_700_domains_with_mail(t):
    """Mail of a later piece of the list is fetched as well."""
    domains = ["customer-%03d.example.org" % n for n in range(700)]
    held = t.folder_source(
        ("a@b.example", ["x@customer-003.example.org"], TEXT),
        ("a@b.example", ["y@customer-698.example.org"], TEXT))
    provider = t.provider(source=held)
    t.configure(provider, domains=domains)
    t.expect(t.fetch("office"), 0, "office: 2 messages")
    t.assert_mail("x@customer-003.example.org", TEXT)
    t.assert_mail("y@customer-698.example.org", TEXT)


# AUTH

@rows(("CRAM-MD5 in the clear", "CRAM-MD5", "off"),
      ("CRAM-MD5 under TLS", "CRAM-MD5", "implicit"),
      ("PLAIN", "PLAIN", "starttls"), ("LOGIN", "LOGIN", "starttls"))
def test_mechanism(t, mechanism, tls):
    provider = t.provider(no_mail, tls=tls, mechanisms=[mechanism])
    t.configure(provider)
    t.fetch("office")
    assert provider.turns()[0].mechanism == mechanism


def test_strongest_first(t):
    provider = t.provider(no_mail, tls="starttls",
                          mechanisms=["LOGIN", "PLAIN", "CRAM-MD5"])
    t.configure(provider)
    t.fetch("office")
    assert provider.turns()[0].mechanism == "CRAM-MD5"


def test_auth_list(t):
    provider = t.provider(no_mail, tls="starttls")
    t.configure(provider, auth=["LOGIN"])
    t.fetch("office")
    assert provider.turns()[0].mechanism == "LOGIN"


def test_never_in_the_clear(t):
    """A password does not go over a clear line, whatever is offered."""
    provider = t.provider(replies={
        "EHLO": b"250-provider.example\r\n250-AUTH PLAIN LOGIN\r\n250 ATRN"})
    t.configure(provider)
    t.fetch("office", status=69)
    assert not any(c.startswith("AUTH") for c in provider.sessions[0].commands)


def test_next_mechanism_after_504(t):
    provider = t.provider(no_mail, tls="starttls",
                          replies={"AUTH": [b"504 5.5.4 Not that one"]})
    t.configure(provider)
    t.fetch("office")
    commands = [c for c in provider.turns()[0].commands if c.startswith("AUTH")]
    assert len(commands) == 2, commands


def test_refusal_of_a_mechanism_is_no_refusal_of_a_domain(t):
    """504 was about the mechanism before the one that was accepted: where the
    connection is lost after ATRN, nothing was said of the domains."""
    provider = t.provider(tls="starttls", replies={
        "AUTH": [b"504 5.5.4 Not that one"], "ATRN": [b""]})
    t.configure(provider)
    run = t.expect(t.fetch("office", status=75), 75, "before the reply to ATRN")
    assert "refuses" not in run.err, run
    assert not t.status()["refused_domains"], t.status()
    assert len(provider.sessions) == 1, "the list is not asked for one by one"
    t.fetch("office")
    assert provider.sessions[1].atrn == "example.org,example.com"


def test_535_once(t):
    """A wrong password is tried once, or the account gets locked."""
    provider = t.provider(tls="starttls", users={"office": "another-password"})
    t.configure(provider)
    t.fetch("office", status=77)
    commands = [c for s in provider.sessions for c in s.commands]
    assert len([c for c in commands if c.startswith("AUTH")]) == 1, commands
    assert not [c for c in commands if c.startswith("ATRN")], commands


def test_challenge_of_the_rfc(t):
    """The sample of RFC 2645: no angle brackets, and a line feed at its end."""
    challenge = base64.b64decode("MTg5Ni42OTcxNzA5NTJASVNQLkNPTQo=")
    provider = t.provider(no_mail, challenge=challenge)
    t.configure(provider)
    t.fetch("office")


def test_secrets_in_no_output(t):
    """Not at any verbosity, with each mechanism, right or wrong."""
    for mechanism in ("CRAM-MD5", "PLAIN", "LOGIN"):
        for password in (PASSWORD, PASSWORD + "-wrong"):
            provider = t.provider(no_mail, tls="starttls",
                                  mechanisms=[mechanism],
                                  users={"office": PASSWORD})
            t.configure(provider, password=password,
                        top={"log_level": "debug"})
            right = password == PASSWORD
            run = t.fetch("office", "-v", "--trace", status=0 if right else 77)
            assert "***" in run.err, run
            assert PASSWORD not in run.out + run.err, run
            assert provider.sessions[0].secrets


@rows(("config", {"password": PASSWORD}),
      ("file", {"password_file": "secret"}),
      ("command", {"password_command": "echo 'geheim-7Kq/wort'; echo more"}))
def test_password_from(t, keys):
    t.write("secret", PASSWORD + "\nsecond line\n")
    if "password_file" in keys:
        keys = {"password_file": t.path("secret")}
    provider = t.provider(no_mail)
    t.configure(provider, **dict({"password": None}, **keys))
    t.fetch("office")


def test_password_command_fails(t):
    provider = t.provider()
    t.configure(provider, password=None, password_command="exit 3")
    t.fetch("office", status=77)


@rows(("everybody", 0o644, "error.*password_file: everybody on this host can read"),
      ("group", 0o640, "warning.*password_file.*group or others"))
def test_readable_password_file_is_told_of(t, mode, words):
    """The mail comes nevertheless."""
    t.write("secret", PASSWORD + "\n", mode=mode)
    t.configure(t.provider(one_message(TEXT)), password=None,
                password_file=t.path("secret"))
    t.expect(t.fetch("office"), 0, words)
    t.assert_mail("user@example.org", TEXT)


# TLS

def test_tls(t):
    for mode in ("starttls", "implicit"):
        provider = t.provider(one_message(mail.message(mode)), tls=mode)
        t.configure(provider)
        t.fetch("office")
    t.assert_mail("user@example.org", mail.message("starttls"),
                  mail.message("implicit"))


def test_tls_1_2(t):
    provider = t.provider(one_message(TEXT), tls="starttls",
                          tls_version=ssl.TLSVersion.TLSv1_2)
    t.configure(provider)
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


@rows(("tls 1.3", ssl.TLSVersion.TLSv1_3), ("tls 1.2", ssl.TLSVersion.TLSv1_2))
def test_tls_is_resumed(t, version):
    """By the further calls of a session, and never by another session."""
    texts = [mail.message("message %d" % n) for n in range(3)]
    provider = t.provider(*map(one_message, texts), tls="starttls", tls_version=version)
    t.configure(provider, top={"log_level": "debug"})
    run = t.fetch("office")
    assert [s.resumed for s in provider.sessions] == [False, True, True, True]
    assert re.findall("resumed=(\\w+)", run.err) == ["no", "yes", "yes", "yes"], run
    t.fetch("office")
    assert not provider.sessions[4].resumed
    t.assert_mail("user@example.org", *texts)


def test_certificate_that_ends_soon(t):
    """A warning, once a session."""
    provider = t.provider(*[one_message(TEXT)] * 2, tls="starttls",
                          certificate=t.certificates.soon)
    t.configure(provider)
    run = t.fetch("office")
    assert len(provider.sessions) == 3
    [line] = [line for line in run.err.splitlines() if "valid until" in line]
    assert " warning " in line and "certificate of 127.0.0.1 is valid until 20" in line, line
    t.expect(t.run("check", "--connect"), 0, "warning: .*less than 14 days")


def test_keys_of_tls_are_not_written(t):
    keys = t.path("keys")
    provider = t.provider(one_message(TEXT), tls="starttls")
    t.configure(provider)
    t.fetch("office", env={"SSLKEYLOGFILE": keys})
    assert provider.sessions[0].line.tls
    assert not os.path.exists(keys)


def test_starttls_is_the_default_and_mandatory(t):
    provider = t.provider()
    t.configure(provider, tls=None)
    run = t.fetch("office", status=69)
    t.expect(run, 69, "STARTTLS", "middlebox", "tls: implicit")
    assert [c[:4] for c in provider.sessions[0].commands] in (
        ["EHLO"], ["EHLO", "QUIT"]), provider.sessions[0].commands


def test_starttls_454(t):
    provider = t.provider(tls="starttls", replies={"STARTTLS": b"454 4.7.0 Later"})
    t.configure(provider)
    t.fetch("office", status=75)
    assert not [c for c in provider.sessions[0].commands if c[:4] == "AUTH"]


def test_injection_before_tls(t):
    """Octets behind the reply to STARTTLS are refused (RFC 3207)."""
    def starttls(session, _):
        session.line.send(b"220 Go ahead\r\n250-evil\r\n250 AUTH PLAIN\r\n")
        session.line.wait_end()
        return b""

    provider = t.provider(tls="starttls", replies={"STARTTLS": starttls})
    t.configure(provider)
    t.fetch("office", status=76)


def test_ehlo_before_tls_is_forgotten(t):
    """AUTH that was offered in the clear only is not offered."""
    provider = t.provider(tls="starttls", replies={"EHLO": [
        None, b"250-provider.example\r\n250 ATRN"]})
    t.configure(provider)
    t.fetch("office", status=69)
    assert not [c for c in provider.sessions[0].commands if c[:4] == "AUTH"]


@rows(("other name", "other_name", {}, 77, "other|name|match"),
      ("expired", "expired", {}, 77, "expired"),
      ("self-signed", "alone", {}, 77, "self.signed"),
      ("wrong pin", "alone", {"tls_pins": ["sha256//" + "A" * 43 + "="]}, 77, "pin"),
      ("wrong pin on a good one", "good",
       {"tls_pins": ["sha256//" + "A" * 43 + "="]}, 77, "pin"),
      ("server name", "good", {"tls_server_name": "www.example"}, 77, ""),
      ("system's store", "good", {"tls_ca_file": None}, 77, ""))
def test_certificate_refused(t, which, keys, status, words):
    for tls in ("starttls", "implicit"):
        provider = t.provider(tls=tls, certificate=getattr(t.certificates, which))
        t.configure(provider, **keys)
        t.expect(t.fetch("office", status=status), status, words)
        assert not [c for c in provider.sessions[0].commands if c[:4] == "AUTH"]


@rows(("self-signed", "alone"), ("expired", "expired"), ("other name", "other_name"))
def test_pin_decides_alone(t, which):
    certificate = getattr(t.certificates, which)
    provider = t.provider(one_message(TEXT), tls="starttls", certificate=certificate)
    t.configure(provider, tls_ca_file=None, tls_pins=[
        "sha256//" + "A" * 43 + "=", certificate.pin()])
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)


def test_server_name_is_configured(t):
    provider = t.provider(no_mail, tls="starttls",
                          certificate=t.certificates.other_name)
    t.configure(provider, tls_server_name="other.example")
    t.fetch("office")


def test_host_name_is_checked(t):
    provider = t.provider(no_mail, tls="starttls")
    account = t.account("localhost:%d" % provider.port, tls="starttls",
                        tls_ca_file=t.certificates.authority.cert)
    t.configure(accounts={"office": account})
    t.fetch("office")


CLIENT_KEYS = ("tls_cert_file", "tls_key_file")


@rows(("starttls 1.3", "starttls", ssl.TLSVersion.TLSv1_3),
      ("implicit 1.3", "implicit", ssl.TLSVersion.TLSv1_3),
      ("starttls 1.2", "starttls", ssl.TLSVersion.TLSv1_2),
      ("implicit 1.2", "implicit", ssl.TLSVersion.TLSv1_2))
def test_client_certificate(t, tls, version):
    """Missing or unknown it is a refused login with the alert's name, wherever
    TLS tells of it, and not a lost connection that is tried again and again."""
    client, stranger = t.certificates.client, t.certificates.alone
    for ours, status, words in (
            (client, 0, "no mail"),
            (None, 77, r"tls_cert_file is not set \(TLS alert: "),
            (stranger, 77, r"refused our client certificate.*\(TLS alert: unknown ca")):
        provider = t.provider(no_mail, tls=tls, tls_version=version,
                              client_ca=t.certificates.authority.cert)
        keys = dict(zip(CLIENT_KEYS, (ours.cert, ours.key))) if ours else {}
        t.configure(provider, **keys)
        t.expect(t.fetch("office", status=status), status, words)
        if status:
            assert t.status()["hold_until"], t.status()


def test_pin_before_client_certificate(t):
    """A server with the wrong key never sees our certificate."""
    provider = t.provider(tls="implicit", client_ca=t.certificates.authority.cert)
    t.configure(provider, tls_cert_file=t.certificates.client.cert,
                tls_key_file=t.certificates.client.key,
                tls_pins=["sha256//" + "A" * 43 + "="])
    t.fetch("office", status=77)
    assert provider.sessions[0].ended and not provider.sessions[0].commands


def test_no_tls_behind_the_port(t):
    """tls: implicit towards a server that speaks in the clear."""
    provider = t.provider()
    t.configure(provider, tls="implicit")
    t.fetch("office", status=76)


# The way there

def test_socks_proxy(t):
    provider = t.provider(one_message(TEXT))
    proxy = SocksProxy({"provider.invalid": "127.0.0.1"})
    account = t.account("provider.invalid:%d" % provider.port,
                        proxy="socks5h://" + proxy.address)
    t.configure(accounts={"office": account})
    t.fetch("office", env={"no_proxy": "*", "NO_PROXY": "*"})
    t.assert_mail("user@example.org", TEXT)
    assert proxy.asked == ["provider.invalid:%d" % provider.port] * proxy.connections


def test_socks_proxy_own_resolver(t):
    provider = t.provider(no_mail)
    proxy = SocksProxy()
    t.configure(provider, proxy="socks5://" + proxy.address)
    t.fetch("office")
    assert proxy.asked


@rows(("provider", {}), ("proxy", {"proxy": "socks5h://proxy.test:%d"}),
      ("provider and proxy", {"proxy": "socks5://proxy.test:%d"}))
def test_name_server_without_answer_for_ipv6(t, keys):
    """The family that has an answer is used, long before the resolver gives the
    other one up."""
    try:
        names = NameServer({"odmr.test": "127.0.0.1", "proxy.test": "127.0.0.1"})
    except PermissionError:
        raise Skip("port 53 needs a privilege") from None
    t.at_end(names.close)
    # Without help the resolver would wait for twice as long as is allowed.
    t.write("resolv.conf", "nameserver %s\noptions timeout:30\n" % names.address,
            0o644)
    t.write("nsswitch.conf", "hosts: files dns\n", 0o644)
    mount = " && ".join("mount --bind {0} /etc/{1}".format(t.path(f), f)
                        for f in ("resolv.conf", "nsswitch.conf")
                        if os.path.exists("/etc/" + f))
    provider = t.provider(one_message(TEXT))
    proxy = SocksProxy({"odmr.test": "127.0.0.1"})
    keys = {key: value % proxy.port for key, value in keys.items()}
    account = t.account("odmr.test:%d" % provider.port, connect_timeout="30s", **keys)
    t.configure(accounts={"office": account})
    run = t.run("fetch", "office", command=in_namespace(t, mount, "fetch", "office"))
    t.expect(run, 0, "1 message")
    t.assert_mail("user@example.org", TEXT)
    assert (sorted({name for name, _ in names.asked}) ==
            {"": ["odmr.test"], "socks5h": ["proxy.test"],
             "socks5": ["odmr.test", "proxy.test"]}[
                 keys.get("proxy", "").partition(":")[0]]), names.asked


@rows(("closed", {"GREETING": b""}, "closed|ended"),
      ("busy", {"GREETING": b"421 4.3.2 Not now"}, "421 4.3.2 Not now"),
      ("no mail service", {"GREETING": b"521 5.3.2 Not here"}, "521 5.3.2"),
      ("no STARTTLS", {"EHLO": b"250 provider.example"}, "does not offer STARTTLS"),
      ("no list of customers", {"AUTH": b"454 4.7.0 Database is down"}, "454 4.7.0"))
def test_one_dead_address_of_several(t, replies, reason):
    """Something accepts connections at the first address, and no login comes about
    there, day by day: the mail comes from the other one. The warning does
    not wait for the end of that call, which a provider may hold for hours."""
    children = []

    def greet_once_warned(*_):
        until(lambda: children and "other-address" in t.output(children[0]).err,
              10, "the warning")

    other = t.provider(*[one_message(TEXT)] * 2, tls="starttls", host="127.0.0.3",
                       replies={"GREETING": [greet_once_warned]})
    t.provider(tls="starttls", host="127.0.0.2", port=other.port, replies=replies)
    t.write("hosts", "127.0.0.2 provider.example\n127.0.0.3 provider.example\n",
            0o644)
    t.write("nsswitch.conf", "hosts: files\n", 0o644)
    mount = " && ".join("mount --bind {0} /etc/{1}".format(t.path(f), f)
                        for f in ("hosts", "nsswitch.conf"))
    account = t.account("provider.example:%d" % other.port, tls="starttls",
                        tls_ca_file=t.certificates.authority.cert)
    t.configure(accounts={"office": account})
    children.append(t.start("fetch", "office",
                            command=in_namespace(t, mount, "fetch", "office")))
    run = t.finish(children[0])
    t.expect(run, 0, "2 messages", "warning office: other-address: .*127.0.0.2: .*"
             "(%s)" % reason)
    assert run.err.count("other-address") == 1, "once a session"
    dead = t.providers[1].sessions
    assert len(dead) == 1 and not dead[0].secrets, "nothing secret went there"
    run = t.run("check", "--connect",
                command=in_namespace(t, mount, "check", "--connect"))
    t.expect(run, 0, "127.0.0.2: .*(%s)" % reason, "offers ATRN")


def test_all_addresses_are_dead(t):
    """Each is tried once, and the failure is that of one of them."""
    dead = {"GREETING": b"421 4.3.2 Not now"}
    first = t.provider(host="127.0.0.2", replies=dead)
    second = t.provider(host="127.0.0.3", port=first.port, replies=dead)
    t.write("hosts", "127.0.0.2 provider.example\n127.0.0.3 provider.example\n",
            0o644)
    mount = "mount --bind %s /etc/hosts" % t.path("hosts")
    t.configure(accounts={"office": t.account("provider.example:%d" % first.port)})
    run = t.run("fetch", "office", command=in_namespace(t, mount, "fetch", "office"))
    t.expect(run, 75, "421 4.3.2 Not now")
    assert len(first.sessions) == len(second.sessions) == 1


def test_silent_addresses_do_not_outlast_the_session(t):
    """All of them together may take what the session may: the service would end
    it as one that hangs, and put the account on hold."""
    silent = {"GREETING": lambda s, _: s.line.wait_end() and b""}
    first = t.provider(host="127.0.0.2", replies=silent)
    second = t.provider(host="127.0.0.3", port=first.port, replies=silent)
    t.write("hosts", "127.0.0.2 provider.example\n127.0.0.3 provider.example\n",
            0o644)
    mount = "mount --bind %s /etc/hosts" % t.path("hosts")
    t.configure(accounts={"office": t.account(
        "provider.example:%d" % first.port, session_timeout=t.seconds(5),
        provider_timeout=t.seconds(6))})
    run = t.run("fetch", "office", command=in_namespace(t, mount, "fetch", "office"))
    t.expect(run, 75, "waiting for the greeting: timed out")
    assert len(first.sessions) + len(second.sessions) == 1


def test_http_proxy(t):
    provider = t.provider(one_message(TEXT), tls="starttls")
    proxy = HttpProxy({"provider.example": "127.0.0.1"})
    account = t.account("provider.example:%d" % provider.port, tls="starttls",
                        tls_ca_file=t.certificates.authority.cert,
                        proxy="http://" + proxy.address)
    t.configure(accounts={"office": account})
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)
    assert proxy.asked[0] == "CONNECT provider.example:%d" % provider.port


def test_proxy_that_is_down(t):
    provider = t.provider()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        t.configure(provider, proxy="socks5h://127.0.0.1:%d" % unused.getsockname()[1])
        t.fetch("office", status=75)
    assert not provider.sessions


def test_environment_is_no_proxy(t):
    """Proxies of the environment are not for us."""
    provider = t.provider(no_mail)
    t.configure(provider)
    t.fetch("office", env={n: "http://127.0.0.1:1" for n in
                           ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY")})


def test_source_address(t):
    provider = t.provider(no_mail)
    t.configure(provider, source_address="127.0.0.3")
    t.fetch("office")
    assert provider.turns()[0].line.peer[0] == "127.0.0.3"


def test_ipv6(t):
    if not os.path.exists("/proc/net/if_inet6"):
        raise Skip("this host has no IPv6")
    provider = t.provider(one_message(TEXT), tls="starttls", host="::1")
    t.configure(provider, ip_version="6")
    t.fetch("office")
    t.assert_mail("user@example.org", TEXT)
    [trace] = mail.split_top(t.mail("user@example.org")[0])[0][-1:]
    assert b"[IPv6:::1]" in trace, trace


# Calling again

def test_drain(t):
    """Some providers send one message a call."""
    texts = [mail.message("number %d" % n) for n in range(4)]
    provider = t.provider(*[one_message(x) for x in texts])
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 4 messages")
    t.assert_mail("user@example.org", *texts)
    assert t.status()["calls"] == 5 and t.status()["more"] is False


def test_drain_after_a_refused_size(t):
    """A 552 to MAIL is a final answer, too: the next call brings the next."""
    def too_big(line):
        hello(line)
        line.command("MAIL FROM:<s@remote.example> SIZE=2000", "552")
        line.close()

    provider = t.provider(too_big, one_message(TEXT))
    t.configure(provider, top={"max_message_size": 1000})
    t.expect(t.fetch("office"), 0, "office: 1 message, .*1 refused")
    assert len(provider.turns()) == 2
    t.assert_mail("user@example.org", TEXT)


def test_no_drain(t):
    provider = t.provider(one_message(TEXT), one_message(TEXT))
    t.configure(provider, drain=False)
    t.expect(t.fetch("office"), 0, "office: 1 message")
    assert len(provider.sessions) == 1


def test_no_drain_after_a_drop(t):
    """Exim drops the line after its one message; that is no QUIT."""
    def drop(line):
        hello(line)
        deliver(line, TEXT)
        line.close()

    second = mail.message("second")
    provider = t.provider(drop, one_message(second), one_message(TEXT))
    t.configure(provider, drain=False)
    t.fetch("office")
    assert len(provider.sessions) == 2
    t.assert_mail("user@example.org", TEXT, second)


@rows(("450", b"450 4.7.1 Too often"), ("451", b"451 4.3.0 Later"),
      ("421", b"421 4.3.2 Closing"), ("502", b"502 5.5.1 No"), ("eof", b""))
def test_second_call_is_no_failure(t, answer):
    provider = t.provider(one_message(TEXT), replies={"ATRN": [None, answer]})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 1 message")
    assert t.status()["result"] == "mail"
    assert len(provider.sessions) == 2


def test_deferrals_only(t):
    """Up to five calls in a row that bring nothing but deferrals. The message is
    received in the first only."""
    def known(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>", 250)
        line.command("RCPT TO:<user@example.org>", "451 4.2.2")
        goodbye(line)

    provider = t.provider(one_message(TEXT, expect="4"), *[known] * 8)
    local = t.local(answers={"END": {"user@example.org": "452 4.2.2 Full"}})
    t.configure(provider, {"lmtp": local.address})
    run = t.fetch("office", status=75)
    assert "deferred" in run.line, run
    assert len(provider.turns()) == 5, len(provider.turns())


def test_other_mail_comes_behind_what_is_deferred(t):
    """One message a call, always in the same order, and seven full mailboxes."""
    full = ["full%d@example.org" % n for n in range(7)]
    provider = t.provider(*[one_message(mail.message(rcpt), rcpt, expect="4")
                            for rcpt in full], one_message(TEXT))
    local = t.local(answers={"END": {rcpt: "452 4.2.2 Full" for rcpt in full}})
    t.configure(provider, {"lmtp": local.address})
    t.expect(t.fetch("office", status=75), 75, "office: 1 message, 7 deferred")
    assert [m[1] for m in local.messages if m[1]] == [["user@example.org"]]


def cut(line):
    line.close()


def fetch_from(t, provider, *scripts, **options):
    """A fetch whose calls are served by these; what was learned of the provider
    holds, as it is the same one."""
    provider.source.left.extend(scripts)
    return t.fetch("office", **options)


def test_early_end_is_no_mail(t):
    """A connection that ends before the first MAIL, however often; but it is no
    success, so that a network which cuts each of them is noticed."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider)
    t.fetch("office")
    good = ago(0.5)
    t.change_status(last_success=good)
    for number in range(1, 8):
        t.expect(fetch_from(t, provider, cut), 0, "office: no mail", "warning")
        assert t.status()["untidy_in_a_row"] == number, t.status()
    assert t.status()["last_success"] == good, t.status()
    t.change_status(last_success=ago(3), untidy_since=ago(2.9))
    t.expect(fetch_from(t, provider, cut, status=75), 75, "before the first message",
             "alarm: since .* the provider has ended each connection")
    assert t.run("status").status == 75
    fetch_from(t, provider, no_mail)
    assert t.status()["untidy_in_a_row"] == 0
    assert t.run("status").status == 0


def test_early_end_that_mail_followed(t):
    """Exim does so with nothing to send, and is known to do so then."""
    provider = t.provider(one_message(TEXT))
    t.configure(provider)
    t.fetch("office")
    fetch_from(t, provider, cut)
    t.change_status(untidy_since=ago(0.5))
    fetch_from(t, provider, one_message(mail.message("then")))
    t.change_status(last_success=ago(0.7))
    run = fetch_from(t, provider, cut)
    assert "warning" not in run.err, run
    assert t.status()["last_success"] > ago(0.1), t.status()


def test_break_behind_each_last_dot(t):
    """The message is given once, in a few calls, and what waits behind it
    comes as well."""
    text, behind = mail.message("breaks"), mail.message("behind it")
    waiting = [behind]

    def script(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>", 250)
        if line.command("RCPT TO:<user@example.org>", "2", "4").code == 250:
            line.command("DATA", 354)
            line.send(dotted(text))
            line.delivered()
            line.close()
            return
        line.command("RSET", 250)
        if waiting:
            deliver(line, waiting.pop(), sender="other@remote.example")
        goodbye(line)

    provider = t.provider(*[script] * 50)
    t.configure(provider)
    run = t.run("fetch", "office")
    t.check_provider()
    assert run.status in (0, 75), run
    t.assert_mail("user@example.org", text, behind)
    assert len(provider.turns()) < 12, len(provider.turns())


def test_no_mail_just_behind_a_drop(t):
    """Exim has not let go of its lock yet: it is asked once more."""
    second = mail.message("second")

    def drop(line):
        hello(line)
        deliver(line, TEXT)
        line.close()

    provider = t.provider(drop, one_message(second),
                          replies={"ATRN": [None, b"453 You have no mail"]})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 2 messages")
    t.assert_mail("user@example.org", TEXT, second)
    assert len(provider.sessions) == 4, len(provider.sessions)


@rows(("drop-drop", False, False), ("drop-QUIT", False, True),
      ("QUIT-drop", True, False), ("QUIT-QUIT", True, True))
def test_turned_for_nothing_just_behind_mail(t, first, second):
    """Exim still has its locks: it turns, finds no message that it may touch,
    and ends. It is asked once more."""
    later = mail.message("later")

    def end(line, polite):
        if polite:
            goodbye(line)
        else:
            line.close()

    def some(line):
        hello(line)
        deliver(line, TEXT)
        end(line, first)

    def nothing(line):
        line.expect(220)
        end(line, second)

    provider = t.provider(some, nothing, one_message(later), nothing, nothing)
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 2 messages")
    t.assert_mail("user@example.org", TEXT, later)
    assert len(provider.turns()) == 5, provider.turns()


def test_silence_between_two_recipients(t):
    """Both sides wait: the next call begins anew, and is less patient."""
    def silent(line):
        hello(line)
        line.command("MAIL FROM:<sender@remote.example>", 250)
        line.command("RCPT TO:<user@example.org>", 250)
        line.expect(421)
        line.wait_end()

    provider = t.provider(silent, one_message(TEXT))
    t.configure(provider, provider_timeout=t.seconds(2))
    t.expect(t.fetch("office"), 0, "office: 1 message")
    t.assert_mail("user@example.org", TEXT)
    assert t.status()["asking"]["patience"] == 150, t.status()


# Which domains are asked for

LISTS = ["%s.%s.example.org" % (("x" * 60 + ".") * 3 + letter, letter)
         for letter in "abcdefg"]


def test_later_list_after_an_early_end(t):
    """The next session begins where this one stopped."""
    provider = t.provider(replies={"ATRN": [b"453 None", b"421 4.3.2 Enough"]})
    t.configure(provider, domains=LISTS)
    t.run("fetch", "office")
    first, second = [s.commands[-1] for s in provider.sessions]
    provider.replies["ATRN"] = [b"453 None"]
    t.run("fetch", "office")
    third = [c for c in provider.sessions[2].commands if c.startswith("ATRN")]
    assert first != second and third[0] == second, (first, second, third)


@rows(("user", False), ("provider", True))
def test_refusal_of_another_login(t, elsewhere):
    """A domain that was refused for a month is asked for at once where the
    account logs in as somebody else, or somewhere else."""
    def other(**options):
        return t.provider(no_mail, no_mail, **options)
    domains = ["example.org", "example.com"]
    provider = other(users={"office": (PASSWORD, ["example.org"]),
                            "branch": (PASSWORD, None)})
    t.configure(provider, domains=domains)
    t.fetch("office")
    t.fetch("office")
    [refused] = t.status()["refused_domains"]
    t.change_status(refused_domains=[dict(refused, since="2026-01-01T00:00:00Z")])
    asked = len(provider.sessions)
    t.fetch()
    assert [s.atrn for s in provider.sessions[asked:]] == ["example.org"]

    if elsewhere:
        provider = other(users={"office": (PASSWORD, None)})
        t.configure(provider, domains=domains)
    else:
        t.configure(provider, domains=domains, user="branch")
    asked = len(provider.sessions)
    t.fetch()
    assert [s.atrn for s in provider.sessions[asked:]] == [",".join(domains)]
    assert t.status()["refused_domains"] == []


def test_calls_are_spaced(t):
    """A provider that refuses a second call within a minute: no domain counts
    as refused, and `fetch` leaves it alone for a while."""
    answered = []

    def atrn(session, argument):
        soon = bool(answered) and time.monotonic() - answered[-1] < 60
        answered.append(time.monotonic())
        return b"450 4.7.1 Too often" if soon else b"250 Turning"

    provider = t.provider(one_message(TEXT), replies={"ATRN": atrn})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 1 message")
    assert len(provider.sessions) == 2
    t.expect(t.fetch(), 0, "office: not asked before")
    assert len(provider.sessions) == 2
    assert t.status()["refused_domains"] == [], t.status()


def test_list_refused_for_good(t):
    """As IndiMail answers; each domain by itself is fine."""
    def atrn(session, argument):
        return b"553 5.5.4 One domain" if "," in argument else None

    provider = t.provider(one_message(TEXT), replies={"ATRN": atrn})
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "office: 1 message")
    t.assert_mail("user@example.org", TEXT)


@rows(("502", b"502 5.5.1 Not implemented", 69),
      ("503", b"503 5.5.1 Not now", 69), ("521", b"521 5.3.2 Not here", 69),
      ("530", b"530 5.7.0 Log in first", 77))
def test_refusal_of_the_command_is_none_of_a_domain(t, reply, status):
    """As for some days after an upgrade: it says nothing of any domain, and they are
    not noted as refused one by one, to be left alone for a day later."""
    provider = t.provider(one_message(TEXT), replies={"ATRN": [reply]})
    t.configure(provider)
    run = t.fetch("office", status=status)
    assert len(provider.sessions) == 1 and "office: domain" not in run.err, run
    assert not t.status()["refused_domains"] and t.status()["hold_until"]
    t.expect(t.fetch("office"), 0, "office: 1 message")
    assert provider.sessions[1].atrn == "example.org,example.com"


@rows(("451", b"451 4.3.0 Unable to process now"), ("cut", b""))
def test_domain_without_an_answer_keeps_no_other_away(t, reply):
    """One that was refused is tried before all others; where the provider now says
    neither yes nor no to it, the mail of the others comes all the same."""
    provider = t.provider(one_message(TEXT))
    provider.replies["ATRN"] = (
        lambda _session, domains: reply if domains == "example.com" else None)
    t.configure(provider)
    t.fetch("office")
    t.change_status(last_call=None, refused_domains=[{
        "domain": "example.com", "since": ago(3), "asked": ago(2),
        "reply": "450 4.7.1 No right"}])
    provider.source = Scripts(one_message(TEXT))
    t.fetch(status=75)
    t.expect(t.fetch(), 0, "office: 1 message")
    assert [s.atrn for s in provider.sessions[-2:]] == ["example.org"] * 2


def test_list_of_exim_is_not_divided(t):
    """Exim drops recipients outside the domains that were asked for: with a
    lapsed domain in the list no part of it may be asked for."""
    asked = []

    def atrn(session, argument):
        asked.append(argument)
        return b"450 Administrative prohibition"

    provider = t.provider(one_message(TEXT), replies={
        "GREETING": b"220 mx.example.net ESMTP Exim 4.99 Wed, 25 Nov 2026",
        "ATRN": atrn})
    t.configure(provider)
    t.expect(t.fetch("office", status=77), 77, "no longer yours")
    t.expect(t.fetch("office", status=77), 77)
    assert set(asked) == {"example.org,example.com"}, asked


def test_reset_before_our_221(t):
    def script(line):
        hello(line)
        deliver(line, TEXT)
        line.send(b"QUIT\r\n")
        line.reset()

    provider = t.provider(script)
    t.configure(provider)
    t.expect(t.fetch("office"), 0, "1 message")
    t.assert_mail("user@example.org", TEXT)


def test_221_arrives(t):
    """The provider that pipelines past QUIT still gets our 221."""
    def script(line):
        hello(line)
        line.send(b"QUIT\r\n" + b"NOOP\r\n" * 2000)
        line.expect(221)
        line.wait_end()

    provider = t.provider(script)
    t.configure(provider)
    t.fetch("office")


def test_session_line(t):
    provider = t.provider(source=t.folder_source(
        ("a@b.example", ["u@example.org"], mail.message("1", b"x" * 2000 + b"\r\n")),
        ("a@b.example", ["u@example.com"], mail.message("2"))))
    t.configure(provider)
    run = t.fetch("office")
    assert re.fullmatch(r"office: 2 messages, \d+(\.\d+)? (B|kB), \d+\.\d s",
                        run.line), run.line

# SPDX-License-Identifier: ISC
"""
How customers log in to odmr-provider: by its own file of users, by certificate,
and by what a real Dovecot knows.
"""
import base64
import os
import shutil

import dovecot_config
from provider_host import ProviderHost
from servers import Process, Skip, listens, until
from stage import rows


def fetches_by(t, host, mechanism, **keys):
    """The agent logs in by this mechanism, and is told that there is no mail."""
    t.configure(accounts={"office": host.account(**keys)})
    t.expect(t.fetch("office", "--trace"), 0, "AUTH " + mechanism, "no mail")


def test_ways_to_log_in(t):
    """The agent's, each against the file of users; the best by itself."""
    host = ProviderHost(t, hold="0s", settle="1s")
    mechanisms = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
    customer = host.customer()
    lines = customer.start_tls()
    assert "250-AUTH " + " ".join(mechanisms) in lines, lines
    customer.close()
    fetches_by(t, host, mechanisms[0])
    for mechanism in mechanisms[1:]:
        fetches_by(t, host, mechanism, auth=mechanism)
    account = host.account()
    account.update(provider="127.0.0.1:%d" % host.tls_port, tls="implicit")
    t.configure(accounts={"office": account})
    t.expect(t.fetch("office"), 0, "no mail")


@rows(("alone", None), ("named", "office"))
def test_certificate(t, user):
    """EXTERNAL for whoever has the key, with no password anywhere; nobody else
    is offered it, nor lets him in what another one shows."""
    host = ProviderHost(t, hold="0s", settle="1s", start=False)
    made = t.certificates
    host.config["accounts"]["office"]["tls_pins"] = [made.client.pin()]
    host.write_config()
    host.run("passwd", "--delete", "office")
    host.run("check")
    host.start()
    account = host.account(auth="EXTERNAL", password=None,
                           tls_cert_file=made.client.cert,
                           tls_key_file=made.client.key)
    if user is None:
        del account["user"]
    t.configure(accounts={"office": account})
    t.expect(t.fetch("office", "--trace"), 0, "AUTH EXTERNAL", "no mail")
    for other in (made.office, None):
        customer = host.customer()
        lines = customer.start_tls(other)
        assert not any("EXTERNAL" in line for line in lines), lines
        customer.ask("AUTH EXTERNAL =", 504)
        customer.close()


AUTH_USERS = "office:{PLAIN}geheim-7Kq/wort\nguest:{PLAIN}x\n"


def test_dovecot_knows_the_passwords(t):
    """Each mechanism through Dovecot's auth service, and its restart; a customer
    whom Dovecot suspends, with the password as it was."""
    binary = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
    if not binary:
        raise Skip("dovecot is not installed")
    folder = t.sub("auth")
    path = os.path.join(folder, "client")
    host = ProviderHost(t, hold="0s", settle="1s", users_file=None, dovecot_auth=path,
                        start=False)
    t.write("auth/users", AUTH_USERS, 0o644)
    config = t.write("auth/dovecot.conf",
                     dovecot_config.auth(binary, folder=folder))

    def start():
        server = Process([binary, "-F", "-c", config], t.path("auth", "out"))
        until(lambda: listens(path), what="Dovecot's auth service")
        return server
    dovecot = start()
    t.at_end(lambda: dovecot.end())
    host.start()
    assert "Dovecot offers: " in host.run("check").out
    fetches_by(t, host, "SCRAM-SHA-256")
    for mechanism in ("PLAIN", "LOGIN"):
        fetches_by(t, host, mechanism, auth=mechanism)
    guest = host.customer()
    guest.start_tls()
    guest.ask("AUTH PLAIN " + base64.b64encode(b"\0guest\0x").decode(), 535)
    guest.ask("AUTH PLAIN " + base64.b64encode(b"\0office\0x").decode(), 535)
    guest.close()
    dovecot.end()
    until(lambda: not listens(path), what="the end of Dovecot's auth service")
    away = host.customer()
    away.reply()
    away.ask("EHLO office.example", 250)
    away.ask("STARTTLS", 220)
    away.secure()
    assert away.reply()[-1].startswith("421"), "nobody can log in now"
    if os.path.exists(path):
        os.unlink(path)
    dovecot = start()
    t.expect(t.fetch("office"), 0, "no mail")
    t.write("auth/users", AUTH_USERS.replace("wort\n", "wort::::::nologin=y\n"), 0o644)
    t.expect(t.fetch("office", status=77), 77, "535 5.7.8")

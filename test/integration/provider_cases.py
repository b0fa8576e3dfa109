# SPDX-License-Identifier: ISC
"""
odmr-provider beside a real Postfix, called by the agent, and by customers who
are none.
"""
import os
import re
import socket

import mail
from provider_host import Customer, ProviderHost
from service import Service
from stage import rows, until

USER = "user@example.org"


def listening(t, host, **keys):
    """An office whose agent listens."""
    t.configure(accounts={"office": host.account(every="1s", **keys)},
                top={"log_level": "debug"})
    service = Service(t)
    host.held()
    return service


def test_mail_that_waits(t):
    """Held by Postfix while the office was off; one fetch has it all."""
    host = ProviderHost(t, hold="0s")
    texts = [mail.message("waiting %d" % n) for n in range(5)]
    for text in texts:
        host.send([USER], text)
    host.postfix.keeps(5)
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "5 messages")
    t.assert_mail(USER, *texts)
    host.postfix.emptied()


def test_main_cf_of_one_who_sends_through_a_relay_host(t):
    """TLS from the first octet and a login, as port 465 of a relay host wants them,
    are nothing for customers."""
    host = ProviderHost(t, hold="0s", main_cf="""
        smtp_tls_security_level = encrypt
        smtp_tls_wrappermode = yes
        smtp_sasl_auth_enable = yes
        smtp_sasl_password_maps = static:relay:password
        """.replace("        ", ""))
    text = mail.message("past the relay host")
    host.send([USER], text)
    host.postfix.keeps(1)
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "1 message")
    t.assert_mail(USER, text)
    host.postfix.emptied()


def test_no_mail(t):
    """453 once Postfix has had its time."""
    host = ProviderHost(t, hold="0s")
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "no mail")


def test_push(t):
    """A held customer has new mail at once, again and again."""
    host = ProviderHost(t)
    service = listening(t, host)
    held = host.held()
    for n in range(4):
        text = mail.message("pushed %d" % n)
        host.send([USER], text)
        until(lambda: len(t.mail(USER)) == n + 1, what="message %d" % n)
        held = host.held(after=held)
    service.stop()


def test_one_of_two_recipients_is_refused(t):
    """The sender gets one bounce, with our words; the other has the mail."""
    host = ProviderHost(t, accounts={"office": ["example.org"],
                                     "sender": ["remote.example"]})
    local = t.local(answers={
        "RCPT": {"nobody@example.org": "550 5.1.1 No such user"}})
    t.configure(deliver={"lmtp": local.address}, accounts={
        "office": host.account(every="1s"),
        "sender": host.account("sender", every="1s")})
    service = Service(t)
    host.held("office")
    host.held("sender")
    host.send([USER, "nobody@example.org"], mail.message("for two"))
    until(lambda: any(m[0] == "" for m in local.messages), 60, "the bounce")
    bounces = [m for m in local.messages if m[0] == ""]
    assert len(bounces) == 1 and b"5.1.1" in bounces[0][2], bounces
    assert [m[1] for m in local.messages if m[0] != ""] == [[USER]]
    service.stop()


def test_two_accounts_at_once(t):
    host = ProviderHost(t, accounts={"office": ["example.org"],
                                     "shop": ["shop.example"]})
    t.configure(accounts={"office": host.account(every="1s"),
                          "shop": host.account("shop", every="1s")})
    service = Service(t)
    host.held("office")
    host.held("shop")
    for n in range(10):
        host.send([USER, "user@shop.example"], mail.message("both %d" % n))
    until(lambda: len(t.mail(USER)) == 10 and len(t.mail("user@shop.example")) == 10,
          60, "all the mail")
    service.stop()


def test_newest_call_wins(t):
    """At once where the old one is only held."""
    host = ProviderHost(t)
    old, new = host.customer(), host.customer()
    old.login()
    old.say("ATRN")
    host.held()
    new.login()
    new.say("ATRN")
    assert old.reply()[-1].startswith("421"), "the old call is told"
    text = mail.message("for the newer one")
    host.send([USER], text)
    assert new.reply()[-1].startswith("250")
    old.close()
    new.close()


def test_strangers(t):
    """What nobody but a customer may do, and what no customer may."""
    host = ProviderHost(t, accounts={"office": ["example.org"],
                                     "shop": ["shop.example"]})
    one = host.customer()
    assert one.reply()[0].startswith("220 mx.example.net")
    assert not any("AUTH" in line for line in one.ask("EHLO x.example", 250))
    one.ask("AUTH PLAIN AG9mZmljZQBnZWhlaW0=", 538)
    one.ask("ATRN example.org", 530)
    one.ask("MAIL FROM:<a@example.org>", 502)
    one.close()
    two = host.customer()
    two.start_tls()
    two.ask("ATRN example.org", 530)
    two.close()
    three = host.customer()
    three.login()
    three.ask("ATRN shop.example", 450)
    three.ask("ATRN example.org,shop.example", 450)
    three.ask("MAIL FROM:<a@example.org>", 502)
    three.ask("QUIT", 221)


def stranger(host, number):
    """Connects from 127.0.0.NUMBER, and says nothing."""
    sock = socket.create_connection(("127.0.0.1", host.port), 20,
                                    ("127.0.0.%d" % number, 0))
    sock.settimeout(60)
    return sock


def test_strangers_who_stay_keep_no_customer_out(t):
    """All places are those of people who say nothing. A customer comes in, and one
    of the address that has most of them has to leave; not he who waits after a
    wrong password."""
    host = ProviderHost(t, max_connections=4, max_per_address=3, hold="0s", settle="1s")
    patient = [stranger(host, 7), stranger(host, 8)]
    many = [stranger(host, 9), stranger(host, 9)]
    for sock in patient + many:
        assert sock.recv(100).startswith(b"220"), "a greeting"
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "no mail")
    assert many[0].recv(100) == b"", "the oldest of the same address is still there"
    host.logged("crowded", "from 127.0.0.1 took the place of an older one")
    for sock in patient + many[1:]:
        sock.sendall(b"NOOP\r\n")
        assert sock.recv(100).startswith(b"250"), "one too many had to leave"
        sock.close()
    assert "died" not in host.log(), host.log()


def test_wrong_password(t):
    """Three tries, and one line each for fail2ban."""
    host = ProviderHost(t)
    one = host.customer()
    one.start_tls()
    for _ in range(3):
        one.ask("AUTH PLAIN AG9mZmljZQB3cm9uZw==", 535)
    assert one.reply() == [], "the connection ends"
    assert len(host.logged("login-failed", "user=office",
                           "address=127.0.0.1")) == 3
    two = host.customer()
    two.start_tls()
    two.ask("AUTH PLAIN AG5vYm9keQB3cm9uZw==", 535)
    two.close()


@rows(("changed", "passwd office", "another one\n"),
      ("removed", "passwd --delete office", ""))
def test_password_of_one_who_is_logged_in(t, words, stdin):
    """Whoever has the old one gets nothing more by it: neither mail that comes
    while he is held, nor by asking again."""
    host = ProviderHost(t)
    held, idle = host.customer(), host.customer()
    idle.login()
    held.login()
    held.say("ATRN")
    host.held()
    host.run(*words.split(), stdin=stdin)
    host.send([USER], mail.message("not for the thief"))
    assert held.reply()[-1].startswith("421 4.7.0"), "he is sent away"
    idle.ask("ATRN", 421)
    host.logged("login-over", "the password was changed")
    held.close()
    idle.close()
    host.set_passwords()
    host.postfix.keeps()
    t.configure(accounts={"office": host.account(drain=False)})
    t.fetch("office")
    t.assert_mail(USER, mail.message("not for the thief"))


def test_domain_that_postfix_does_not_know_yet(t):
    """New in the configuration, and not in the table: the mail of the other
    domains comes, and nobody hears "no mail" for it."""
    host = ProviderHost(t, accounts={"office": ["example.org"]}, hold="0s")
    host.reload({"office": ["new.example", "example.org"]})
    host.send([USER], mail.message("for the domain of before"))
    host.postfix.keeps()
    office = host.customer()
    office.login()
    office.say("ATRN")
    assert office.reply()[-1].startswith("250"), "there is mail"
    host.logged("error office: flush", "new.example")
    office.close()
    other = host.customer()
    other.login()
    other.ask("ATRN new.example", 451)
    other.close()


def test_account_is_removed(t):
    """A reload sends its customers away, turned or not, and whoever reads the log
    or the reply learns that it is not the program that ends."""
    host = ProviderHost(t, accounts={"office": ["example.org"],
                                     "shop": ["shop.example"],
                                     "branch": ["branch.example"]})
    office, shop, branch = host.customer(), host.customer(), host.customer()
    office.login()
    office.say("ATRN")
    shop.login("shop")
    shop.say("ATRN")
    branch.login("branch")
    host.held()
    host.held("shop")
    host.send([USER], mail.message("for the account that goes"))
    assert office.reply()[-1].startswith("250"), "the connection is turned"
    host.reload({"branch": ["branch.example"]})
    host.logged("office: turn-end", "the account was removed")
    assert re.match("421 4.3.2 .*no account of this name", shop.reply()[-1])
    assert re.match("421 4.3.2 .*new configuration", branch.reply()[-1])
    assert "being stopped" not in host.log(), host.log()
    for customer in (office, shop, branch):
        customer.close()
    host.postfix.keeps()


def test_table_of_before(t):
    """Postfix' table has a domain for the customer who had it before: he gets
    nothing, the log says what to do, and that is enough."""
    host = ProviderHost(t, accounts={"office": ["example.com", "example.org"],
                                     "shop": ["shop.example"]})
    host.reload({"office": ["example.com"], "shop": ["shop.example", "example.org"]})
    office, shop = host.customer(), host.customer()
    office.login()
    office.say("ATRN")
    host.held()
    host.send([USER], mail.message("for the new customer"))

    def refused():
        assert host.is_held(), "nothing is passed on"
        return "table of domains is not" in str(host.postfix.queue())
    until(refused, 60, "the refusal")
    host.postfix.keeps()
    host.logged("error office: table", "example.org", "setup postfix --apply")
    host.run("setup", "postfix", "--apply")
    shop.login("shop")
    shop.say("ATRN example.org")
    assert shop.reply()[-1].startswith("250"), "the owner has his mail"
    office.close()
    shop.close()


def test_inner_port_is_for_postfix(t):
    """A process of another user gets nothing there, not even a word."""
    host = ProviderHost(t)
    table = os.path.join(host.postfix.folder, "odmr_domains")
    with open(table, encoding="ascii") as file:
        address = file.read().split("odmr:[")[1].split("]")[0]
    stranger = Customer.__new__(Customer)
    import socket
    stranger.socket = socket.create_connection((address, host.inner_port), 20)
    stranger.buffer = b""
    assert stranger.reply() == []
    host.logged("inner", "uid 0")


def test_customer_is_away(t):
    """Postfix keeps the mail: it is told 421, and asked again at the call."""
    host = ProviderHost(t, hold="0s")
    host.send([USER], mail.message("kept"))
    host.postfix.keeps()
    host.postfix.logged(r"421 4\.3\.2")
    t.configure(accounts={"office": host.account()})
    t.expect(t.fetch("office"), 0, "1 message")


def test_provider_is_killed(t):
    """Nothing is lost, and nothing comes twice."""
    host = ProviderHost(t)
    service = listening(t, host)
    host.kill()
    text = mail.message("while it was away")
    host.send([USER], text)
    host.start()
    until(lambda: t.mail(USER), 60, "the message")
    service.stop()
    t.assert_mail(USER, text)


def test_postfix_is_stopped(t):
    """451: the customer tries again, and does not hear "no mail"."""
    host = ProviderHost(t)
    host.postfix.end()
    one = host.customer()
    one.login()
    one.ask("ATRN", 451)
    one.close()


def test_setup_and_check(t):
    """What setup makes is what check wants; it says what is missing."""
    host = ProviderHost(t, start=False)
    host.run("check")
    host.postconf("maximal_queue_lifetime=5d")
    assert "maximal_queue_lifetime" in host.run("check").out
    host.postconf("odmr_destination_concurrency_limit=20")
    assert "refused" in host.run("check", status=78).out
    host.run("setup", "postfix", "--apply")
    host.run("check")
    before = open(os.path.join(host.postfix.folder, "main.cf"),
                  encoding="ascii").read()
    host.run("setup", "postfix", "--apply")
    after = open(os.path.join(host.postfix.folder, "main.cf"),
                 encoding="ascii").read()
    assert before == after, "a second run changes nothing"

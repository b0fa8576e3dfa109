# SPDX-License-Identifier: ISC
"""
odmr-provider over days: mail that is tried again and again, and what an
administrator does to the server meanwhile.
"""
import os
import subprocess
import sys
import time

import mail
from doubles import DIE, Local, Transactions
from provider_cases import USER
from provider_host import ProviderHost
from provider_stop_cases import Office, queue_up
from servers import Skip, until
from stage import PASSWORD, rows

POISON = "poison@example.org"
MULTIPART = (b"MIME-Version: 1.0\r\n"
             b"Content-Type: multipart/mixed; boundary=part\r\n")
FORWARDED = (b"--part\r\nContent-Type: message/rfc822\r\n\r\n"
             + mail.message("forwarded") + b"--part--\r\n")


def test_a_message_at_which_the_customer_always_breaks_off(t):
    """It keeps none behind it away: whatever stands before or after it is delivered in
    a call or two more. Without that each call begins with the same message."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = []
    for n in range(12):
        text = mail.message("number %d" % n)
        bad = n in (2, 6)
        host.send([POISON if bad else USER], text)
        if not bad:
            texts.append(text)
    host.postfix.keeps(12)
    office = Office(t, host, answers={"RCPT": {POISON: DIE}})
    until(lambda: len(office.messages) == len(texts), 120, "all other mail")
    calls = len(office.ends)
    office.over = True
    assert mail.same(office.came(), texts) is None
    assert calls < 10, (calls, host.log())
    host.stop()  # one of them may be the first of the next call: it is sent away
    host.postfix.keeps(2)


class Caller(Office):
    """Who calls when the test says so, by session()."""

    def call(self):
        pass


def all_active(host, count):
    """For an answer: Postfix sends so many messages now, or has them next."""
    def answer(_server, _argument):
        until(lambda: str(host.postfix.queue()).count('"active"') == count, 60,
              "%d messages that Postfix sends" % count)
    return answer


def test_deferred_mail_of_a_customer_whose_calls_begin_with_other_mail(t):
    """A connection of Postfix waited for his call, as it does for each call of a busy
    customer: what he has deferred in the call before comes in this one as well."""
    host = ProviderHost(t)
    texts = queue_up(host, 4)
    caller = Caller(t, host, answers={"GREETING": [all_active(host, 4)] * 2,
                                      "RCPT": ["450 4.2.1 Later", DIE]})
    caller.session()
    host.logged("info", "office", "more-mail")
    assert caller.messages == []
    until(lambda: '"deferred"' in str(host.postfix.queue()), what="a deferred message")
    caller.session()
    assert len(caller.ends) == 2
    assert mail.same(caller.came(), texts) is None


# The options of the service in master.cf that the first odmr-provider has set; others
# came later.
FIRST_OPTIONS = {"smtp_tls_security_level", "smtp_sasl_auth_enable", "smtp_fallback_relay",
                 "smtp_bind_address", "smtp_generic_maps",
                 "smtp_connection_cache_destinations", "smtp_connection_cache_on_demand"}


def as_set_up_at_first(host):
    command = ["/usr/sbin/postconf", "-c", host.postfix.folder]
    found = subprocess.run(command + ["-P", "odmr/unix/*"], check=True,
                           stdout=subprocess.PIPE).stdout.decode()
    options = [line.split(" ")[0] for line in found.splitlines()]
    later = [o for o in options if o.split("/")[-1] not in FIRST_OPTIONS]
    assert len(options) - len(later) == len(FIRST_OPTIONS) and later, found
    subprocess.run(command + ["-PX"] + later, check=True)
    host.postfix.reload()


def test_a_postfix_that_an_older_version_has_set_up(t):
    """Mail comes to who calls and to who is held until the administrator does what
    `check` says, also where Postfix gives up before the customer's next call."""
    host = ProviderHost(t, main_cf="smtp_helo_timeout = %s\n" % t.seconds(3, most=60))
    as_set_up_at_first(host)
    said = host.run("check", status=78).out
    assert "setup postfix --apply` makes all of this" in said, said
    texts = queue_up(host, 4)
    caller = Caller(t, host, answers={"GREETING": [all_active(host, 4)],
                                      "RCPT": ["450 4.2.1 Later", DIE]})
    caller.session()
    host.logged("info", "office", "more-mail")
    until(lambda: "timed out while receiving the initial server greeting" in
          str(host.postfix.queue()), 60, "Postfix to give up")
    caller.session()
    office = Office(t, host)
    until(lambda: len(caller.messages) + len(office.messages) == 4, 60, "all the mail")
    texts.append(mail.message("for one who is held"))
    host.send([USER], texts[-1])
    until(lambda: len(caller.messages) + len(office.messages) == 5, 60, "new mail")
    host.run("setup", "postfix", "--apply")
    assert "0 errors" in host.run("check").out
    texts.append(mail.message("by the new settings"))
    host.send([USER], texts[-1])
    until(lambda: len(caller.messages) + len(office.messages) == 6, 60, "mail after it")
    office.over = True
    assert mail.same(caller.came() + office.came(), texts) is None


def test_settings_for_outgoing_mail_are_not_for_customers(t):
    """What an administrator sets for the mail that he sends to the world neither keeps
    customers' mail away nor changes it."""
    host = ProviderHost(t)
    office = Office(t, host)
    texts = []
    for settings in (["smtp_tls_security_level=encrypt", "smtp_tls_policy_maps=static:encrypt"],
                     ["smtp_tls_policy_maps=socketmap:inet:127.0.0.1:1:policy"],
                     ["smtp_header_checks=static:IGNORE", "smtp_body_checks=static:IGNORE"],
                     ["smtp_mime_header_checks=static:IGNORE"],
                     ["smtp_nested_header_checks=static:IGNORE"],
                     ["smtp_fallback_relay=[127.0.0.1]:1", "relayhost=[127.0.0.1]:1"],
                     ["smtp_sasl_auth_enable=yes", "smtp_sasl_password_maps=static:a:b"],
                     ["smtp_bind_address=192.0.2.1"],
                     ["inet_protocols=ipv6", "inet_interfaces=all"]):
        host.postconf(*settings)
        texts.append(mail.message("with " + settings[0], FORWARDED, headers=MULTIPART))
        host.send([USER], texts[-1])
        until(lambda: len(office.messages) == len(texts), 60, settings)
    office.over = True
    assert mail.same(office.came(), texts) is None


@rows(("recipients", "default_destination_recipient_limit=1"),
      ("pauses for a destination", "default_destination_rate_delay=1h"),
      ("pauses for a transport", "default_transport_rate_delay=1h"),
      ("a login for each sender", "smtp_sender_dependent_authentication=yes\n"
       "smtp_sasl_password_maps=static:a:b"))
def test_limits_for_the_world_split_no_call(t, setting):
    """One call has all mail that waits, and a message for two comes once, whatever
    main.cf has for other destinations."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60), main_cf=setting + "\n")
    texts = [mail.message("number %d" % n) for n in range(3)]
    for n, text in enumerate(texts):
        host.send([USER, "anna@example.org"], text, "sender%d@remote.example" % n)
    host.postfix.keeps(3)
    caller = Caller(t, host)
    caller.session()
    assert mail.same(caller.came(), texts) is None
    assert all(len(rcpts) == 2 for _, rcpts, _ in caller.messages), caller.messages
    host.postfix.emptied()


@rows(("messages", "smtp_connection_reuse_count_limit = 2"),
      ("time", "smtp_connection_reuse_time_limit = 1s"))
def test_a_connection_that_waited_brings_all_mail(t, setting):
    """However long it waited for the customer's call, and whatever main.cf has for
    connections to the world."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60), main_cf=setting + "\n")
    queue_up(host, 6)
    caller = Caller(t, host, answers={"RCPT": [DIE]})
    caller.session()
    host.logged("info", "office", "more-mail")
    time.sleep(2)  # what it waits for is no more than time
    caller.session()
    assert len(caller.messages) >= 5, (len(caller.messages), host.log())


def test_more_mail_of_one_customer_than_postfix_has_under_way(t):
    """While it waits for his next call, another customer's mail is sent all the same."""
    host = ProviderHost(t, {"office": ["example.org"], "shop": ["shop.example"]},
                        main_cf="qmgr_message_active_limit = 10\n")
    queue_up(host, 20)
    caller = Caller(t, host, answers={"RCPT": [DIE]})
    caller.session()
    host.logged("info", "office", "more-mail")
    shop = host.customer()
    shop.login("shop")
    shop.say("ATRN")
    host.held("shop")
    host.send(["anna@shop.example"], mail.message("for another one"))
    assert shop.reply()[-1].startswith("250"), "he has mail"
    shop.close()
    assert "qmgr_message_recipient_limit" not in host.postfix.log(), "it warns of none"


def test_rules_for_refusals_of_the_world_bounce_no_customers_mail(t):
    """A rule that gives up where others would try again: the mail of a customer who is
    off, or who defers it, waits for him."""
    host = ProviderHost(t)
    rule = "regexp:" + t.write("gives-up", "/^4(.*)/ 5$1\n")
    host.postconf("smtp_delivery_status_filter=" + rule)
    texts = [mail.message("for one who is off"), mail.message("for one who defers")]
    host.send([USER], texts[0])
    host.postfix.keeps(1)
    host.postconf("smtp_delivery_status_filter=", "smtp_reply_filter=" + rule)
    host.send([USER], texts[1])
    host.postfix.keeps(2)
    office = Office(t, host, answers={"RCPT": [{USER: "450 4.2.0 Later"}] * 2})
    until(lambda: len(office.messages) == 2, 120, "both messages")
    office.over = True
    assert mail.same(office.came(), texts) is None


def restarted(host):
    host.postfix.end()
    host.postfix.start()


@rows(("reloaded", lambda host: host.postfix.reload()), ("restarted", restarted))
def test_a_postfix_that_is(t, done):
    """While it waits for a customer's next call, of which its old processes may know and
    its new ones do not: all mail comes, each message once."""
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 6)
    caller = Caller(t, host, answers={"RCPT": [None, DIE]})
    caller.session()
    host.logged("info", "office", "more-mail")
    done(host)
    texts.append(mail.message("after it"))
    host.send([USER], texts[-1])
    until(lambda: len(host.postfix.queue()) == 6, 60, "the new message in the queue")
    office = Office(t, host)
    until(lambda: len(caller.messages) + len(office.messages) == len(texts), 120,
          "all the mail: " + host.log())
    host.postfix.emptied(120)
    office.over = True
    assert mail.same(caller.came() + office.came(), texts) is None


def test_mail_for_the_last_of_hundreds_of_domains(t):
    """Before mail of the first one is passed on, not all can be asked for; then the
    next call has it."""
    domains = ["example.org"] + ["d%d.example" % n for n in range(200)]
    host = ProviderHost(t, {"office": domains}, hold="0s", settle=t.seconds(2, most=60))
    texts = queue_up(host, 1) + [mail.message("for the last")]
    host.send(["anna@" + domains[-1]], texts[-1])
    host.postfix.keeps(2)
    caller = Caller(t, host)
    caller.session()
    if len(caller.messages) < 2:
        caller.session()
    assert mail.same(caller.came(), texts) is None


def test_mail_that_waits_goes_where_its_domain_goes(t):
    """To the account that has the domain now, and to one that has another name."""
    host = ProviderHost(t, {"office": ["example.org"], "shop": ["shop.example"]})
    texts = queue_up(host, 1) + [mail.message("for the shop")]
    host.send(["anna@shop.example"], texts[-1])
    host.postfix.keeps(2)
    host.reload({"office": ["shop.example"], "bureau": ["example.org"]})
    host.run("passwd", "bureau", stdin=PASSWORD + "\n")
    host.run("setup", "postfix", "--apply")
    for name, text in (("office", texts[1]), ("bureau", texts[0])):
        customer = host.customer()
        customer.login(name)
        customer.ask("ATRN", 250)
        local = Local(lmtp=False)
        t.at_end(local.close)
        Transactions(local, customer.socket).run()
        customer.close()
        assert mail.same([mail.stored(m[2]) for m in local.messages], [text]) is None
    host.postfix.emptied()


# Starts a program that gets no socket of AF_NETLINK (socket(2) fails), as where the
# kernel has no sock_diag: seccomp(2), by hand.
DENIES_NETLINK = """\
import ctypes, os, struct, sys
def step(code, jt, jf, k):
    return struct.pack("HBBI", code, jt, jf, k)
steps = [step(0x20, 0, 0, 0), step(0x15, 0, 3, %d),
         step(0x20, 0, 0, 16), step(0x15, 0, 1, 16),
         step(0x06, 0, 0, 0x50061), step(0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(steps))
program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
prctl = ctypes.CDLL(None).prctl
ok = prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, program) == 0
os.execv(sys.argv[1], sys.argv[1:]) if ok else sys.exit(99)
"""
SOCKET = {"x86_64": 41, "aarch64": 198}  # its number


def without_netlink(t):
    """The words before a command."""
    number = SOCKET.get(os.uname().machine)
    if number is None:
        raise Skip("the number of socket(2) on %s" % os.uname().machine)
    words = [sys.executable, t.write("denies.py", DENIES_NETLINK % number)]
    if subprocess.run(words + ["/bin/true"], check=False).returncode == 99:
        raise Skip("seccomp filters are not permitted here")
    return words


def test_a_kernel_that_does_not_say_who_connects(t):
    """`check` finds it before anybody's mail waits, and so does the log: a whole
    sentence with what to do, not the number of a user that there is not."""
    host = ProviderHost(t, start=False)
    denied = without_netlink(t)
    assert "tcp_diag" not in host.run("check").out
    said = subprocess.run(denied + [host.program, "-c", host.config_file, "check"],
                          check=False, stdout=subprocess.PIPE).stdout.decode()
    assert "error: the kernel does not say" in said and "modprobe tcp_diag" in said, said
    host.start(*denied)
    assert len(host.logged("error inner", "modprobe tcp_diag")) == 1
    office = Office(t, host)
    until(host.is_held, what="the customer to be held")
    text = mail.message("waits for the module")
    host.send([USER], text)
    host.postfix.keeps(1)
    assert len(host.logged("error inner", "modprobe tcp_diag")) >= 2
    assert "uid -1" not in host.log()
    host.stop()
    host.start()
    until(lambda: office.messages, 60, "the message")


def shown(host):
    """The certificate that the next customer sees."""
    one = host.customer()
    one.start_tls()
    certificate = one.socket.getpeercert(binary_form=True)
    one.close()
    return certificate


def test_certificate_that_is_renewed(t):
    """It is shown to whoever calls next, without a reload, which somebody may forget;
    those who are held stay. What is of no use is told, and changes nothing."""
    host = ProviderHost(t)
    held = host.customer()
    held.login()
    held.say("ATRN")
    until(host.is_held, what="the customer to be held")
    before = shown(host)
    cert, key = (os.path.join(host.folder, name) for name in ("cert.pem", "key.pem"))
    for name in (cert, key):
        os.rename(name, name + ".old")
    host.run("setup", "tls")
    until(lambda: shown(host) != before, 60, "the new certificate")
    new = shown(host)
    os.replace(cert + ".old", cert)  # another key's
    until(lambda: shown(host) == new and "error reload: the key or" in host.log(), 60,
          "an error in the log")
    os.replace(key + ".old", key)
    until(lambda: shown(host) == before, 60, "the one that fits")
    assert host.is_held(), "whoever was held still is"
    host.send([USER], mail.message("for the one who was held"))
    assert held.reply()[-1].startswith("250"), "and has his mail"
    held.close()

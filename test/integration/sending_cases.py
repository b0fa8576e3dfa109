# SPDX-License-Identifier: ISC
"""
The guides of doc/sending.md, followed line by line: an office's host, a mail
server or none on it, and the provider of the README with its submission service.
"""
import os
import re
import shutil
import smtplib
import ssl

import mail
from certificate import self_signed
from office_host import OFFICE, Guide, Office, Server
from provider_cases import USER
from servers import POSTFIX_FOLDERS, TOP, answers, until
from stage import PASSWORD, yaml

PAGE = "doc/sending.md"
FRIEND = "friend@remote.example"
# As a package sets up what a guide takes for granted; names come from /etc/hosts
# in place of the DNS, which a chroot does not have.
POSTFIX = """set -e
    mkdir -p /etc/postfix /var/lib/postfix /var/spool/postfix
    : >/etc/aliases
    printf '%s\\n' 'compatibility_level = 3.6' 'myhostname = mail.example.org' \
        'mydestination = $myhostname, localhost' 'maillog_file = /var/log/postfix.log' \
        'alias_maps =' 'smtp_host_lookup = native' >/etc/postfix/main.cf
    """ + POSTFIX_FOLDERS + """
    postconf -F '*/*/chroot = n'
    """
EXIM_CONF = """\
dc_other_hostnames='mail.example.org'
dc_local_interfaces='127.0.0.1 ; ::1'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
EXIM = """set -e
    mkdir -p /var/spool/exim4/input /var/spool/exim4/msglog /var/spool/exim4/db \
        /var/log/exim4 /var/lib/exim4
    chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4
    : >/etc/aliases
    """


def write_mail(office, subject):
    office.shell("sendmail -i -f anna@example.org %s" % FRIEND,
                 stdin=b"From: anna@example.org\nTo: %s\nSubject: %s\n\nhello\n" % (
                     FRIEND.encode(), subject.encode()))


def assert_sent(server, office, subject):
    """It reached the friend, by TLS and the office's login."""
    try:
        text = server.arrived(FRIEND)[0]
    except AssertionError as why:
        raise AssertionError("%s; the server: %s; the office: %s" % (
            why, server.postfix.log()[-1500:], office.logs())) from None
    assert b"Subject: " + subject.encode() in text, text
    server.postfix.logged(r"sasl_method=\S+, sasl_username=office")
    assert PASSWORD.encode() not in text


def impostor(t, office):
    """From now on the office knows another certificate by the server's name."""
    other = self_signed(t.sub("impostor"), "impostor", "mx.example.net",
                        alternatives="DNS:mx.example.net")
    shutil.copy(other.cert, office.path("/etc/ssl/provider.pem"))


def until_called(server):
    """Until the office has called and gone; others have, too, to see whether the
    server is there."""
    server.postfix.logged(r"disconnect from \S*\[%s\]" % re.escape(OFFICE))


def assert_kept(server):
    """The password was not said, and nothing arrived."""
    log = server.postfix.log()
    assert "sasl_username" not in log and "authentication failed" not in log, log
    assert not server.postfix.mail(FRIEND)


# Always on

def postfix_office(t, server):
    office = Office(t)
    office.log_files = ["/var/log/postfix.log"]
    office.trust(server)
    office.shell(POSTFIX)
    guide = Guide(PAGE, "Postfix")
    office.follow(guide, "/etc/postfix/relay_password", 0o600)
    office.follow(guide, "/etc/postfix/main.cf", append=True)
    return office


def test_postfix(t):
    server = Server(t, FRIEND)
    office = postfix_office(t, server)
    office.shell("postfix start")
    write_mail(office, "by Postfix")
    assert_sent(server, office, "by Postfix")


def test_postfix_and_an_impostor(t):
    server = Server(t, FRIEND)
    office = postfix_office(t, server)
    impostor(t, office)
    office.shell("postfix start")
    write_mail(office, "for nobody else")
    until(lambda: '"deferred"' in office.shell("postqueue -j"), what="the refusal")
    assert_kept(server)
    assert "certificate" in office.shell("postqueue -j"), office.shell("postqueue -j")


def exim_office(t, server):
    office = Office(t, "exim4")
    office.log_files = ["/var/log/exim4/mainlog", "/var/log/exim4/paniclog"]
    office.trust(server)
    office.write("/etc/exim4/update-exim4.conf.conf", EXIM_CONF)
    office.shell(EXIM)
    guide = Guide(PAGE, "Exim")
    office.follow(guide, "/etc/exim4/update-exim4.conf.conf", append=True)
    office.follow(guide, "/etc/exim4/exim4.conf.localmacros")
    office.follow(guide, "/etc/exim4/passwd.client", 0o640)
    office.shell("chgrp Debian-exim /etc/exim4/passwd.client")
    return office


def test_exim(t):
    server = Server(t, FRIEND)
    office = exim_office(t, server)
    office.shell("update-exim4.conf")
    write_mail(office, "by Exim")
    assert_sent(server, office, "by Exim")


def test_exim_and_an_impostor(t):
    server = Server(t, FRIEND)
    office = exim_office(t, server)
    impostor(t, office)
    office.shell("update-exim4.conf")
    write_mail(office, "for nobody else")
    until(lambda: "certificate" in office.logs(), what="the refusal")
    assert_kept(server)
    assert office.shell("exim4 -bpc").strip() == "1"


def opensmtpd_office(t, server):
    office = Office(t, "opensmtpd")
    office.log_files = ["/var/log/smtpd"]
    office.trust(server)
    guide = Guide(PAGE, "OpenSMTPD")
    for number, name in ((610, "opensmtpd"), (611, "opensmtpq")):
        office.user(name, number)
    office.write("/etc/aliases", "")
    office.follow(guide, "/etc/opensmtpd.secrets", 0o640)
    office.shell("""set -e
        chgrp opensmtpd /etc/opensmtpd.secrets
        mkdir -p /var/lib/opensmtpd/empty /etc/ssl/certs
        cp /usr/sbin/smtpctl /root
        chgrp opensmtpq /root/smtpctl
        chmod 2755 /root/smtpctl
        mount --bind /root/smtpctl /usr/sbin/smtpctl""")
    office.follow(guide, "/etc/smtpd.conf")
    # What update-ca-certificates does with it; /usr cannot be written here.
    assert "update-ca-certificates" in guide.block("certificate goes to them")
    office.shell("cat /etc/ssl/provider.pem >>/etc/ssl/certs/ca-certificates.crt")
    return office


def start_opensmtpd(office):
    office.start("sh", "-c", "exec smtpd -d -v 2>/var/log/smtpd")
    until(lambda: "SMTP running" in office.shell("smtpctl show status", status=None),
          what="OpenSMTPD")


def test_opensmtpd(t):
    server = Server(t, FRIEND)
    office = opensmtpd_office(t, server)
    start_opensmtpd(office)
    write_mail(office, "by OpenSMTPD")
    assert_sent(server, office, "by OpenSMTPD")


def test_opensmtpd_and_an_impostor(t):
    server = Server(t, FRIEND)
    office = opensmtpd_office(t, server)
    office.write("/etc/ssl/certs/ca-certificates.crt", "")
    impostor(t, office)
    office.shell("cat /etc/ssl/provider.pem >/etc/ssl/certs/ca-certificates.crt")
    start_opensmtpd(office)
    write_mail(office, "for nobody else")
    until_called(server)
    assert_kept(server)


# Dial-up, or metered

def fetch_both_ways(t, server, office, subject, online):
    """Nothing is sent before the agent has reached the provider; then mail goes
    both ways in one call."""
    shutil.copy(t.binary, office.path("/root/odmr-agent"))
    account = dict(server.host.account(), provider="mx.example.net",
                   domains=["example.org", "example.com"])
    config = {"hostname": "mail.example.org", "state_dir": "/var/lib/odmr-agent",
              "accounts": {"office": account},
              "deliveries": {"files": {"maildir": "/srv/mail/{domain}/{user}",
                                       "create": True}}}
    office.write("/srv/mail/.odmr-agent", "")
    office.write("/etc/odmr-agent.yaml", yaml(config).replace(
        "        user:", "        %s\n        user:" % online.strip()), 0o600)
    os.makedirs(office.path("/var/lib/odmr-agent"))
    text = mail.message("hello from the world")
    server.host.send([USER], text)
    server.host.postfix.keeps()
    assert_kept(server)
    out = office.shell("/root/odmr-agent -c /etc/odmr-agent.yaml fetch office")
    assert "1 message" in out, out
    assert mail.same(mail.maildir(office.path(
        "/srv/mail/example.org/user")), [text]) is None
    assert_sent(server, office, subject)


def test_postfix_at_a_dial_up_host(t):
    server = Server(t, FRIEND)
    office = postfix_office(t, server)
    guide = Guide(PAGE, "Postfix, at a dial-up host")
    office.follow(guide, "/etc/postfix/main.cf", append=True)
    office.shell("postfix start")
    write_mail(office, "while offline")
    until(lambda: '"deferred"' in office.shell("postqueue -j"), what="the deferral")
    fetch_both_ways(t, server, office, "while offline", guide.block("cron or pppd"))


def test_exim_at_a_dial_up_host(t):
    server = Server(t, FRIEND)
    office = exim_office(t, server)
    guide = Guide(PAGE, "Exim, at a dial-up host")
    office.follow(guide, "/etc/exim4/exim4.conf.localmacros", append=True)
    office.shell("update-exim4.conf")
    write_mail(office, "while offline")
    assert office.shell("exim4 -bpc").strip() == "1"
    fetch_both_ways(t, server, office, "while offline", guide.block("cron or pppd"))


# No mail server

def nullmailer_office(t, server):
    office = Office(t, "nullmailer")
    office.log_files = ["/var/log/nullmailer"]
    office.trust(server)
    guide = Guide(PAGE, "nullmailer, for what a NAS or a router writes itself")
    office.follow(guide, "/etc/nullmailer/remotes", 0o600)
    office.shell("""chown mail /etc/nullmailer/remotes
        mkdir -p /var/spool/nullmailer/queue /var/spool/nullmailer/tmp \
            /var/spool/nullmailer/failed
        echo mail.example.org >/etc/nullmailer/me
        rm -f /var/spool/nullmailer/trigger
        mkfifo /var/spool/nullmailer/trigger
        chown -R mail:mail /var/spool/nullmailer""")
    return office


def start_nullmailer(office):
    office.start("sh", "-c", "exec nullmailer-send >>/var/log/nullmailer 2>&1")


def test_nullmailer(t):
    server = Server(t, FRIEND)
    office = nullmailer_office(t, server)
    start_nullmailer(office)
    write_mail(office, "by nullmailer")
    assert_sent(server, office, "by nullmailer")


def test_nullmailer_and_an_impostor(t):
    server = Server(t, FRIEND)
    office = nullmailer_office(t, server)
    impostor(t, office)
    start_nullmailer(office)
    write_mail(office, "for nobody else")
    until_called(server)
    assert_kept(server)


DOVECOT = """\
base_dir = /run/dovecot
state_dir = /var/lib/dovecot
log_path = /var/log/dovecot
ssl = required
ssl_cert = </etc/ssl/mail.pem
ssl_key = </etc/ssl/mail.key
mail_location = maildir:/var/mail/%u
first_valid_uid = 1
passdb {
  driver = static
  args = password=annas-own
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/var/mail/%u
}
!include local.conf
"""


def dovecot_office(t, server):
    office = Office(t)
    office.log_files = ["/var/log/dovecot"]
    office.trust(server)
    own = t.certificates.good
    shutil.copy(own.cert, office.path("/etc/ssl/mail.pem"))
    shutil.copy(own.key, office.path("/etc/ssl/mail.key"))
    office.shell("chmod 1777 /var/mail; mkdir -p /var/lib/dovecot")
    office.write("/etc/dovecot/dovecot.conf", DOVECOT)
    guide = Guide(PAGE, "Dovecot, for people's mail programs")
    office.follow(guide, "/etc/dovecot/local.conf", 0o600)
    return office


def start_dovecot(office):
    office.start("dovecot", "-F")
    until(lambda: answers((OFFICE, 587)), what="Dovecot's submission service")


def submit(subject):
    """As a mail program in the office."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with smtplib.SMTP(OFFICE, 587, timeout=60) as program:
        program.starttls(context=context)
        program.login("anna@example.org", "annas-own")
        program.sendmail("anna@example.org", [FRIEND],
                         b"Subject: %s\r\n\r\nhello\r\n" % subject.encode())


def test_dovecot(t):
    server = Server(t, FRIEND)
    office = dovecot_office(t, server)
    start_dovecot(office)
    submit("by a mail program")
    assert_sent(server, office, "by a mail program")


def test_dovecot_and_an_impostor(t):
    server = Server(t, FRIEND)
    office = dovecot_office(t, server)
    impostor(t, office)
    start_dovecot(office)
    try:
        submit("for nobody else")
        raise AssertionError("it was sent")
    except (smtplib.SMTPException, OSError):
        pass
    assert_kept(server)


def test_the_page_has_only_what_is_tried(_t):
    """Each of its sections has a case here."""
    with open(os.path.join(TOP, PAGE), encoding="utf-8") as file:
        sections = re.findall(r"^### (\w+)", file.read(), re.MULTILINE)
    assert [s.lower() for s in sections] == [
        "postfix", "exim", "opensmtpd", "postfix", "exim", "nullmailer", "dovecot"]

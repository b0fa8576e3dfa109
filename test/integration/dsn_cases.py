# SPDX-License-Identifier: ISC
"""
Delivery status notifications (RFC 3461), with real servers on both sides: who
writes the report that a sender asked for, and that it is one.
"""
import mail
from office_host import Server
from sending_cases import opensmtpd_office, start_opensmtpd
from stage import goodbye, hello, rows, until

SENDER = "sender@example.com"  # a mailbox of the local side: its reports arrive
RCPT = "user@example.org"
DSN = ("PIPELINING", "8BITMIME", "DSN")


def asks(provider, *options):
    """Mail by sendmail(1) of this provider asks for this from now on."""
    provider.sendmail += options


def fetch_all(t, provider):
    until(lambda: t.run("fetch", "office") and not provider.queue(), 60,
          "the provider's queue to be empty")


def is_report(text):
    return b"multipart/report" in text


def test_postfix_to_postfix_reports_success(t):
    join = t.join()
    provider = t.postfix(relay=join.port)
    local = t.postfix(RCPT, SENDER, name="local")
    asks(provider, "-N", "success,delay", "-V", "order=17+4", "-R", "hdrs")
    t.configure(t.provider(source=join), {"smtp": "127.0.0.1:%d" % local.port})
    provider.send(SENDER, [RCPT], mail.message())
    fetch_all(t, provider)
    report, = local.arrived(SENDER)
    assert is_report(report), report
    for field in (b"Original-Envelope-Id: order=17+4", b"Action: delivered",
                  b"Original-Recipient: rfc822;" + RCPT.encode(),
                  b"Reporting-MTA: dns; postfix.example"):
        assert field in report, (field, report)
    assert b"A line." not in report, "RET=HDRS is lost"
    wrong = mail.same(local.arrived(RCPT), [mail.message()])
    assert wrong is None, wrong


@rows(("never", "never"), ("failure", "failure"))
def test_local_server_bounces(t, notify):
    """It accepts everybody, and finds only later that there is no mailbox."""
    join = t.join()
    provider = t.postfix(relay=join.port)
    local = t.postfix(RCPT, SENDER, name="local",
                      extra="smtpd_reject_unlisted_recipient = no\n")
    asks(provider, "-N", notify)
    t.configure(t.provider(source=join), {"smtp": "127.0.0.1:%d" % local.port})
    provider.send(SENDER, ["nobody@example.org"], mail.message())
    fetch_all(t, provider)
    until(lambda: "status=bounced" in local.log() and not local.queue(),
          what="the local server to bounce the message")
    reports = local.mail(SENDER)
    assert len(reports) == (notify == "failure"), reports
    assert all(is_report(report) for report in reports), reports


@rows(("by-lmtp", "lmtp"), ("maildir", "maildir"))
def test_provider_reports_where_dsn_is_not_offered(t, kind):
    dovecot = t.dovecot(RCPT, SENDER) if kind == "lmtp" else None
    join = t.join()
    provider = t.postfix(relay=join.port)
    asks(provider, "-N", "success")
    t.configure(t.provider(source=join),
                {"lmtp": dovecot.socket} if dovecot else t.maildir())
    provider.send(SENDER, [RCPT], mail.message())
    arrived = dovecot.mail if dovecot else t.mail
    until(lambda: t.run("fetch", "office") and arrived(SENDER), 60,
          "the provider's report")
    report, = arrived(SENDER)
    assert is_report(report) and b"Action: relayed" in report, report
    assert len(arrived(RCPT)) == 1


@rows(("the other wants failures", "NEVER", "FAILURE", "FAILURE"),
      ("the first does", "FAILURE", "NEVER", "FAILURE"),
      ("success, and what is usual", "SUCCESS", None, "SUCCESS,FAILURE,DELAY"),
      ("nobody", "NEVER", "NEVER", "NEVER"))
def test_a_mailbox_that_is_named_twice(t, one, other, both):
    """It has the mail once, and who wants a report of it is heard."""
    def script(line):
        hello(line)
        line.send("".join(
            ["MAIL FROM:<%s>\r\n" % SENDER] +
            ["RCPT TO:<%s>%s\r\n" % (RCPT, " NOTIFY=" + n if n else "")
             for n in (one, other)] + ["DATA\r\n"]).encode())
        for expected in (250, 250, 250, 354):
            line.expect(expected)
        line.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        line.expect(250)
        goodbye(line)
    local = t.local(keywords=DSN)
    t.configure(t.provider(script), {"lmtp": local.address})
    t.expect(t.fetch("office"), 0)
    asked = [c for c in local.commands if c.startswith("RCPT")]
    assert asked == ["RCPT TO:<%s> NOTIFY=%s" % (RCPT, both)], asked


def test_orcpt_that_is_malformed_bounces_nothing(t):
    """Postfix writes ORCPT for everybody, of the address before an alias. RFC
    3461 4.2 has no way to write this one."""
    join = t.join()
    provider = t.postfix(relay=join.port, extra=(
        "smtputf8_enable = no\nvirtual_alias_domains = alias.example\n"
        "virtual_alias_maps = inline:{ {müller@alias.example = %s} }\n" % RCPT))
    local = t.postfix(RCPT, name="local")
    t.configure(t.provider(source=join), {"smtp": "127.0.0.1:%d" % local.port})
    provider.send(SENDER, ["müller@alias.example"], mail.message())
    said = t.fetch("office", "--trace")
    assert "ORCPT=rfc822;m+C3+BCller@alias.example" in said.err, said.err
    provider.emptied()
    assert len(local.arrived(RCPT)) == 1
    assert "status=bounced" not in provider.log(), provider.log()


def offers(line):
    line.expect(220)
    return "DSN" in line.command("EHLO provider.example", 250).lines


def test_values_are_handed_on_as_they_came(t):
    def script(line):
        assert offers(line)
        line.command("MAIL FROM:<%s> RET=hdrs ENVID=QQ+3D1" % SENDER, 250)
        line.command("RCPT TO:<%s> NOTIFY=Success,delay ORCPT=rfc822;a+2Bb@x" %
                     RCPT, 250)
        line.command("RCPT TO:<other@example.org> NOTIFY=NEVER,DELAY", "501 5.5.4")
        line.command("DATA", 354)
        line.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        line.expect(250)
        line.command("QUIT", 221)

    local = t.local(keywords=DSN)
    t.configure(t.provider(script), {"lmtp": local.address}, drain=False)
    t.expect(t.fetch("office"), 0, "1 message")
    assert "MAIL FROM:<%s> RET=hdrs ENVID=QQ+3D1" % SENDER in local.commands
    assert "RCPT TO:<%s> NOTIFY=Success,delay ORCPT=rfc822;a+2Bb@x" % RCPT in \
        local.commands, local.commands


def test_each_delivery_of_the_routes_has_to_list_dsn(t):
    listed = []

    def script(line):
        listed.append(offers(line))
        line.command("QUIT", 221)

    one = t.local("one.sock", keywords=DSN)
    other = t.local("other.sock", keywords=DSN)
    for second in {"lmtp": other.address}, t.maildir():
        t.configure(t.provider(script), top={
            "deliveries": {"one": {"lmtp": one.address}, "other": second},
            "routes": [{"recipients": ["a@*"], "deliver": "one"},
                       {"deliver": "other"}]}, drain=False)
        t.fetch("office")
    assert listed == [True, False], listed


def test_local_server_that_stops_listing_dsn(t):
    """Who was promised a report of success waits for a provider that writes it;
    the others lose nothing but their wishes."""
    listed = []

    def first(line):
        listed.append(offers(line))
        line.command("MAIL FROM:<%s> ENVID=1" % SENDER, 250)
        line.command("RCPT TO:<a@example.org> NOTIFY=SUCCESS", "451 4.3.3")
        line.command("RCPT TO:<%s> NOTIFY=NEVER" % RCPT, 250)
        line.command("DATA", 354)
        line.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        line.expect(250)
        line.command("QUIT", 221)

    def second(line):
        listed.append(offers(line))
        line.command("QUIT", 221)

    # The probe finds DSN; then the connection ends, and the next has none.
    hello = "250-local.example\r\n250-PIPELINING\r\n250 8BITMIME"
    local = t.local(keywords=DSN, answers={"LHLO": [None, hello],
                                           "MAIL": ["421 4.3.2 restarted"]})
    t.configure(t.provider(first, second), {"lmtp": local.address})
    said = t.fetch("office", status=75)
    assert listed == [True, False], listed
    assert "cause=dsn" in said.err, said.err
    assert local.commands.count("RCPT TO:<%s>" % RCPT) == 1, local.commands


def test_exim_reports_success(t):
    """An Exim that lists DSN, as dsn_advertise_hosts says."""
    join = t.join()
    provider = t.postfix(relay=join.port)
    local = t.exim()
    port = local.listen("dsn_advertise_hosts = *\n")
    asks(provider, "-N", "success", "-V", "order17")
    t.configure(t.provider(source=join), {"smtp": "127.0.0.1:%d" % port})
    provider.send(SENDER, [RCPT], mail.message())
    fetch_all(t, provider)

    def reports():
        local.run_queue()  # the message, then the report of it
        return [text for text in local.mail() if is_report(text)]

    until(reports, what="the report of Exim")
    report, = reports()
    for field in (b"Original-Envelope-ID: order17", b"Action: delivered",
                  b"Original-Recipient: rfc822;" + RCPT.encode()):
        assert field in report, (field, report)


# One line of SMTP at a time: OpenSMTPD has no PIPELINING.
SAY = """exec 3<>/dev/tcp/localhost/25
hear() {
    while IFS= read -r line <&3; do
        printf '%%s\\n' "$line"
        case $line in ???-*) ;; *) return ;; esac
    done
}
hear
for line in 'EHLO a' 'MAIL FROM:<s@remote.example> RET=HDRS ENVID=a+2Bb' \\
    'RCPT TO:<root@mail.example.org> %s' QUIT; do
    printf '%%s\\r\\n' "$line" >&3
    hear
done
"""


def test_what_opensmtpd_accepts(t):
    """Why no other type of ORCPT goes to a server without SMTPUTF8."""
    office = opensmtpd_office(t, Server(t))
    start_opensmtpd(office)
    until(lambda: ":25" in office.shell("ss -ltn"), what="the port of OpenSMTPD")
    for said, reply in (("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@x.example", "250 "),
                        ("NOTIFY=NEVER", "250 "),
                        ("ORCPT=utf-8;gr\\x{FC}n@x.example", "553 ORCPT")):
        lines = office.shell(SAY % said).splitlines()
        assert "250-DSN" in "\n".join(lines) and "SMTPUTF8" not in str(lines), lines
        assert lines[-2].startswith(reply), (said, lines)

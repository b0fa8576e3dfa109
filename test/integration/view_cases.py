# SPDX-License-Identifier: ISC
"""
What the administrator sees without reading a log: the last days on a terminal and
as JSON, and the page of all accounts.
"""
import fcntl
import json
import os
import pty
import re
import stat
import struct
import termios
import time
import xml.etree.ElementTree as ElementTree

import mail
from browser import contrast, look_at
from servers import terminal_output
from stage import one_message, rows

TEXT = mail.message("a message")
BAR = "\u2588"


def on_terminal(t, columns, locale, *args):
    """What a command writes to a terminal, whose lines end with CR LF."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = t.environment({"LC_ALL": locale, "TERM": "dumb"})
        os.execve(t.binary, t.command(*args), env)
    seen = terminal_output(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, (status, seen)
    return seen.decode().replace("\r\n", "\n")


@rows(("wide", 100, "C.UTF-8", True), ("narrow", 80, "C.UTF-8", False),
      ("of unknown width", 0, "C.UTF-8", False), ("without UTF-8", 100, "C", False),
      ("of no known locale", 100, "xx_XX.UTF-8", False))
def test_plot_on_a_terminal(t, columns, locale, shown):
    """Shown where it has room and can be read; nothing else changes."""
    t.configure(t.provider(one_message(TEXT)))
    t.fetch("office")
    seen = on_terminal(t, columns, locale, "status")
    assert (BAR in seen) == shown and ("14 DAYS" in seen) == shown, seen
    plain = t.run("status", env={"LC_ALL": locale}).out
    assert plain.isascii(), plain
    # A second may have passed between the two.
    seen, plain = (re.sub(r"\d+ s ago *", "", text) for text in (seen, plain))
    for with_plot, without in zip(seen.splitlines(), plain.splitlines()):
        assert with_plot.startswith(without), (with_plot, without)
        assert len(with_plot) <= max(columns, 80), with_plot


def test_days_in_json(t):
    """Each session counts for its day, and a file from before it had days keeps
    the messages of its day."""
    t.configure(t.provider(one_message(TEXT), one_message(TEXT)))
    t.fetch("office")
    [day] = json.loads(t.run("status", "--json").out)["days"]
    assert (day["sessions"], day["failed"], day["messages"], day["bytes"]) == (
        1, 0, 2, 2 * len(TEXT)), day
    status = t.status()
    del status["days"]
    t.write("state/status/office.json", json.dumps(status), mode=0o640)
    t.fetch("office")
    days = json.loads(t.run("status", "--json").out)["days"]
    assert sum(each["messages"] for each in days) == 2, days
    assert sum(each["sessions"] for each in days) == 2, days
    assert t.status()["total"]["messages"] == 2


# The page

EVIL = ("535 5.7.8 <script>window.ran=1</script><img src=/leak onerror=ran=1>"
        "</title></style>\"' & <b>")
FRAMES = [["phone", 360, ""], ["tablet", 768, ""], ["wall", 1600, ""],
          ["dark", 768, "dark"], ["paper", 700, "print"]]


def words(element):
    return " ".join(" ".join(element.itertext()).split())


def sections(page):
    """The accounts of a page by their names; it must be well-formed."""
    root = ElementTree.fromstring(page)
    return {words(section.find("h2")): section for section in root.iter("section")}


def days_ago(count, form="%Y-%m-%d"):
    return time.strftime(form, time.localtime(time.time() - count * 86400))


def with_past(t, account, **keys):
    """An account of which the last month is known."""
    days = [{"date": days_ago(n), "sessions": 9, "failed": 9 if n < 3 else 0,
             "messages": n % 7} for n in range(34, 0, -1)]
    status = dict(t.status(account), days=days, **keys)
    t.write("state/status/%s.json" % account, json.dumps(status), mode=0o640)


def several_accounts(t):
    """One that is well, one that is on hold, one whose session failed, and one
    that is disabled; the path of their page."""
    path = os.path.join(t.sub("www"), "mail.html")
    t.configure(accounts={
        "office": t.account(t.provider(one_message(TEXT))),
        "branch": t.account(t.provider(replies={"AUTH": EVIL.encode()}),
                            domains=["b.example"]),
        "shop": t.account(t.provider(replies={"ATRN": b"451 4.3.0 Later"}),
                          domains=["c.example"]),
        "new": t.account(t.provider(), domains=["d.example"], enabled=False)},
                top={"status_page": path})
    t.run("fetch")
    return path


def test_page(t):
    """Written when the sessions have ended, whole, for a web server to read."""
    path = several_accounts(t)
    with open(path, encoding="utf-8") as file:
        page = file.read()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert os.listdir(os.path.dirname(path)) == ["mail.html"]
    found = sections(page)
    assert list(found) == ["office", "branch", "shop", "new"], page
    for name, grade, sentence in (
            ("office", "good", "OK Mail is fetched."),
            ("branch", "act", "Act On hold: no mail is fetched until "),
            ("shop", "watch", "Watch The last session failed; it is tried again."),
            ("new", "off", "Off The account is disabled: no mail is fetched.")):
        assert found[name].get("class") == grade, name
        assert words(found[name].find("p")).startswith(sentence), words(found[name])
    for name, text in (("office", "1 message, "), ("office", "Today 1 message "),
                       ("branch", EVIL), ("branch", "Correct user and password"),
                       ("shop", "4.3.0 Later"), ("shop", "check --connect"),
                       ("branch", "No message since %s. A cross: " % days_ago(29))):
        assert text in words(found[name]), (text, words(found[name]))
    for name, text, times in ("branch", EVIL, 1), ("new", "Messages of each day", 0):
        assert words(found[name]).count(text) == times, words(found[name])
    titles = [words(e) for e in found["office"].iter("title")]
    assert titles == [days_ago(0) + ": 1 message, 1 session, 0 failed"], titles


def test_page_by_command(t):
    """The same on standard output, of the accounts that are named; nothing is
    written."""
    path = several_accounts(t)
    os.unlink(path)
    shown = t.run("status", "--html", "branch", "office")
    # That of the hold, as without --html.
    assert shown.status == 77 and list(sections(shown.out)) == ["branch", "office"]
    assert not os.path.exists(path)
    for wrong in (["status", "--html", "--json"], ["fetch", "--html"]):
        run = t.run(*wrong)
        assert run.status == 64 and "--html" in run.err, run


def test_page_folder_missing(t):
    """The session is what it was, and the log says whose folder is missing."""
    t.configure(t.provider(one_message(TEXT)),
                top={"status_page": t.path("none/mail.html")})
    t.expect(t.run("fetch"), 0, "warning status-page: .*" + t.path("none"))


def test_page_of_a_status_file_that_lies(t):
    """Whatever its texts are, the page is well-formed, and they are text."""
    several_accounts(t)
    evil = "\u202e\u009b\x1b[31m\x01\ufffe</section><svg onload='x'>&#60;"
    with_past(t, "branch", hold_reason=evil, last_error=evil, error=evil,
              refused_domains=[{"domain": evil, "asked": days_ago(1) + "T00:00:00Z",
                                "since": days_ago(2) + "T00:00:00Z", "reply": evil}])
    page = t.run("status", "--html").out
    assert words(sections(page)["branch"]).count("</section><svg onload='x'>&#60;") == 5
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ufffe]", page), page


def test_page_in_a_browser(t):
    """At the widths of a phone, a tablet and a wall, in the dark and on paper:
    all of it is seen, in colours that can be read, and words say the same."""
    several_accounts(t)
    with_past(t, "office")
    with_past(t, "shop")
    seen, asked, complaints = look_at(t, t.run("status", "--html").out, FRAMES)
    assert not complaints and not asked, (complaints, asked)
    for name, columns in (("phone", 1), ("tablet", 2), ("wall", 3), ("paper", 1)):
        assert seen[name]["columns"] == columns, (name, seen[name])
    for name, view in seen.items():
        assert view["scroll"] <= view["width"] and not view["wide"], (name, view)
        assert view["title"] == "Mail of mail.example.org", view
        assert not view["scripts"], name
        assert [state.split()[0] for state in view["states"]] == [
            "OK", "Act", "Watch", "Off"], view
        assert len(set(view["borders"])) == 4, view["borders"]
        # Where no message came there is no room for bars, and without any
        # session no picture.
        heights = [h for w, h in view["plots"] if w > 200]
        assert len(heights) == 3 and heights[1] < 25, view["plots"]
        assert min(heights[0], heights[2]) > 30, view["plots"]
        roles, names = zip(*view["bars"])
        assert set(roles) <= {"image", "img"}, roles
        assert days_ago(3) + ": 3 messages, 9 sessions, 0 failed" in names, names
        for pair in view["colours"]:
            assert contrast(pair) >= 4.5, (name, pair)
    behind = {name: view["colours"][0][1] for name, view in seen.items()}
    assert behind["dark"] != behind["tablet"]
    assert behind["paper"] == "rgb(255, 255, 255)"


def test_policy_of_the_page(t):
    """What got into it against all care does not run, is not fetched and has no
    style: a browser keeps to the policy."""
    several_accounts(t)
    page = t.run("status", "--html").out.replace("</main>", (
        "<p id='odd' style='color:#123456'>x</p><script>window.ran=1</script>"
        "<style>#odd{color:#123456!important}</style><img src='/leak'/>"
        "<img src='x' onerror='window.ran=1'/><iframe src='/leak'></iframe></main>"))
    seen, asked, complaints = look_at(t, page, [["tablet", 768, ""]])
    assert seen["tablet"]["scripts"] is False and not asked, (seen, asked)
    assert seen["tablet"]["odd"] != "rgb(18, 52, 86)", seen
    assert complaints

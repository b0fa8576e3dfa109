# SPDX-License-Identifier: ISC
"""What lies in contrib/: completion, plug-in, hooks, cron."""
import json
import os
import re
import shutil

from servers import Skip, until

PROGRAM = "/usr/local/sbin/odmr-agent"
COMPLETION = "/usr/local/share/bash-completion/completions/odmr-"
CONTRIB = "/usr/local/share/doc/odmr-agent/contrib/"


def executable(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


# Completion


def complete(place, *words, half="agent"):
    """What a TAB behind the last word offers."""
    script = """
        PATH=$1:$PATH; source "$2"; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        "_odmr_${COMP_WORDS[0]#odmr-}" "${COMP_WORDS[0]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    out = place.run("bash", "-c", script, "bash", place.installed + "/usr/local/sbin",
                    place.installed + COMPLETION + half, "odmr-" + half, *words)
    return sorted(set(out.split()))


def table(place):
    """The program's table of commands: name -> words of its usage line."""
    with open(os.path.join(place.top, "src/command/main.c"), encoding="utf-8") as file:
        text = file.read()
    text = text[text.index("commands[] = {"):text.index("enum { COMMANDS")]
    rows = re.findall(r'^ *\{"([a-z]+)",\s*((?:"[^"]*"\s*)+),', text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^ *\{", text, re.MULTILINE)), text
    return {name: "".join(re.findall('"([^"]*)"', words)) for name, words in rows}


def test_completion_knows_each_command(place):
    commands = table(place)
    assert "fetch" in commands and "run" in commands
    assert complete(place, "") == sorted(commands)
    assert complete(place, "help", "") == sorted(commands)
    assert complete(place, "-q", "fet") == ["fetch"]


def test_completion_knows_each_option(place):
    common = complete(place, "-")
    for option in ("-c", "--config", "-v", "--verbose", "-q", "--quiet", "--trace",
                   "--help", "--version"):
        assert option in common, common
    for name, words in table(place).items():
        own = re.findall(r"--[a-z-]+", words)
        assert complete(place, name, "--") == sorted(
            set(o for o in common if o.startswith("--")) | set(own)), name


def configuration(place, folder):
    path = os.path.join(folder, "odmr-agent.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("hostname: mail.example.org\nstate_dir: %s/state\naccounts:\n" % folder)
        for name in ("office", "branch.2"):
            file.write("  %s: {provider: odmr.example.net, user: u, password: p, "
                       "domains: %s.example.org}\n" % (name, name))
        file.write("deliveries:\n  local: {lmtp: /run/dovecot/lmtp}\n")
    os.chmod(path, 0o600)
    os.mkdir(os.path.join(folder, "state"))
    return path


def test_completion_knows_the_accounts(place):
    path = configuration(place, place.sub("completion"))
    assert complete(place, "-c", path, "fetch", "") == ["branch.2", "office"]
    assert complete(place, "-c", path, "run", "") == []
    assert complete(place, "-c", path[:-6]) == [path]


def test_completion_of_the_provider(place):
    assert complete(place, "", half="provider") == [
        "check", "passwd", "run", "setup", "status"]
    for option in ("-c", "--config", "-v", "--verbose", "-q", "--help", "--version"):
        assert option in complete(place, "-", half="provider"), option
    assert complete(place, "setup", "", half="provider") == [
        "--apply", "postfix", "tls"]
    assert complete(place, "status", "", half="provider") == ["--json"]
    folder = place.sub("completion-provider")
    path = folder + "/odmr-provider.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write("hostname: mx.example.net\ntls_cert_file: /c\ntls_key_file: /k\n"
                   "users_file: /u\naccounts:\n  branch.2: {domains: example.org}\n")
    assert complete(place, "-c", path, "passwd", "", half="provider") == [
        "--delete", "branch.2"]


def test_fail2ban_filter(place):
    """It finds the address, and nothing that the caller said is taken for one."""
    program = shutil.which("fail2ban-regex")
    if not program:
        raise Skip("fail2ban is not installed")
    log = os.path.join(place.sub("fail2ban"), "log")
    lines = [
        "2026-11-25T22:46:24Z warning login-failed user=office address=192.0.2.1",
        "2026-11-25T22:46:24Z warning login-failed address=2001:db8::1",
        '2026-11-25T22:46:25Z warning login-failed user="x address=192.0.2.9" '
        "address=192.0.2.2",
        "Nov 25 22:46:25 mx odmr-provider[77]: login-failed user=office "
        "address=192.0.2.3",
        "2026-11-25T22:46:26Z info office: login user=office address=192.0.2.4",
        "2026-11-25T22:46:27Z error login-unavailable: no file: user=office "
        "address=192.0.2.5",
        '2026-11-25T22:46:28Z info office: domain: "login-failed address=192.0.2.6"',
    ]
    with open(log, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    out = place.run(program, "-o", "ip", log,
                    place.installed + CONTRIB + "fail2ban-filter.conf")
    assert out.split() == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"], out


# The monitoring plug-in


def account(**keys):
    return dict({"version": 1, "account": "office", "failures_in_a_row": 0,
                 "result": "mail", "exit_status": 0, "enabled": True, "alarm": None,
                 "last_success": "2026-11-23T10:00:00Z", "last_error": None,
                 "hold_until": None, "hold_reason": None, "refused_domains": [],
                 "total": {"messages": 7}}, **keys)


def check(place, folder, status, state, *words, lines=(), options=()):
    """Runs the plug-in with a program that says this; its state must be this."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    double = executable(folder + "/double", "#!/bin/sh\ncat <<'END'\n%sEND\nexit %d\n"
                        % (text, status))
    out = place.run(place.installed + CONTRIB + "check_odmr_agent", "-p", double,
                    *options, status=state)
    assert out.count("\n") == 1, out
    for word in words:
        assert word in out, out
    return out


def test_plugin_states(place):
    folder = place.sub("plugin")
    hold = {"hold_until": "2999-01-01T00:00:00Z", "hold_reason": "535 no | such\nuser"}
    check(place, folder, 0, 0, "OK - 1 accounts", "'office_messages'=7c",
          lines=[account()])
    check(place, folder, 0, 0, lines=[account(hold_until="2001-01-01T00:00:00Z")])
    check(place, folder, 0, 1, "WARNING", "on hold: 535 no / such user",
          lines=[account(), account(account="b", **hold)])
    check(place, folder, 0, 0, lines=[account(failures_in_a_row=2)])
    check(place, folder, 0, 1, "3 failures: no line",
          lines=[account(failures_in_a_row=3, last_error="no line")])
    check(place, folder, 0, 1, options=["-w", "1"], lines=[account(failures_in_a_row=1)])
    check(place, folder, 0, 1, "refused: b.example",
          lines=[account(refused_domains=[{"domain": "b.example"}])])
    check(place, folder, 75, 2, "CRITICAL", "last success never",
          lines=[account(last_success=None, alarm="failing")])
    for alarm, words in (("unknown", "unknown to the local side"),
                         ("deferred", "deferred again and again")):
        check(place, folder, 75, 2, "CRITICAL", words, lines=[account(alarm=alarm)])
    check(place, folder, 77, 2, "b: last success never",
          lines=[account(**hold), account(account="b", last_success=None, alarm="failing")])
    check(place, folder, 75, 1, "it has not succeeded yet: no line",
          lines=[account(last_success=None, exit_status=75, last_error="no line")])
    new = {"account": "new", "failures_in_a_row": 0, "enabled": True, "alarm": None,
           "total": {"messages": 0}}
    check(place, folder, 0, 1, "no session yet", lines=[new])
    check(place, folder, 0, 0, lines=[dict(new, enabled=False)])
    check(place, folder, 71, 3, "status 71", lines=[account()])
    check(place, folder, 78, 3, "UNKNOWN", "status 78")
    check(place, folder, 0, 3, "no account")
    check(place, folder, 0, 3, "not understood", lines=[{"account": "office"}])
    check(place, folder, 0, 3, options=["--no-such-option"])


def test_plugin_with_the_program(place):
    path = configuration(place, place.sub("real"))
    out = place.run(place.installed + CONTRIB + "check_odmr_agent", "-c", path, "-p",
                    place.installed + PROGRAM, status=1)
    assert "office: last success never, no session yet" in out and "'branch.2_messages'=0c" in out, out


# Hooks and cron


def hook(place, name, *words, systemd=None, calls=True):
    """Runs a hook with doubles for the programs it may call; returns the call.
    systemd: what the status line of the service says there. calls: one is
    expected, and waited for."""
    folder = place.sub("hook-%s-%d" % (name, len(os.listdir(place.folder))))
    for program in ("systemctl", "odmr-agent"):
        executable("%s/%s" % (folder, program), '''#!/bin/sh
case $1 in
show) echo "%s" ;;
*) echo %s "$@" >>%s/calls ;;
esac
''' % (systemd, program, folder))
    with open(place.installed + CONTRIB + name, encoding="utf-8") as file:
        text = file.read()
    text = re.sub("^PATH=", "PATH=%s:" % folder, text, flags=re.MULTILINE)
    text = text.replace("/run/systemd/system",
                        folder if systemd is not None else folder + "/none")
    changed = executable(folder + "/hook", text)
    place.run(changed, *words)
    try:
        until(lambda: os.path.exists(folder + "/calls") and
              os.path.getsize(folder + "/calls"), 20 if calls else 1, "a call")
    except AssertionError:
        return ""
    with open(folder + "/calls", encoding="utf-8") as file:
        return file.read().strip()


FETCH = "systemctl start --no-block odmr-agent-fetch.service"
ANEW = "systemctl kill --kill-who=main -s USR1 odmr-agent.service"


def test_hooks_fetch(place):
    call = "odmr-agent -q fetch"
    assert hook(place, "ppp-ip-up", "ppp0", "/dev/tty") == call
    assert hook(place, "networkmanager-dispatcher", "eth0", "up") == call
    assert hook(place, "networkmanager-dispatcher", "tun0", "vpn-up") == call
    assert hook(place, "networkmanager-dispatcher", "eth0", "down", calls=False) == ""
    assert hook(place, "networkmanager-dispatcher", "lo", "up", calls=False) == ""
    assert hook(place, "networkmanager-dispatcher", calls=False) == ""


def test_hooks_under_systemd(place):
    """A wait for mail at a dead connection ends; else they fetch."""
    for words in (("ppp-ip-up", "ppp0", "/dev/tty"),
                  ("networkmanager-dispatcher", "eth0", "up")):
        for says, call in (("", FETCH), ("next: office at 01:28", FETCH),
                           ("listening for 1 account; next: shop at 01:28", ANEW)):
            assert hook(place, *words, systemd=says) == call, (words, says)


def test_crontab_line(place):
    with open(place.installed + CONTRIB + "crontab", encoding="utf-8") as file:
        lines = [x for x in file.read().split("\n") if x and not x.startswith("#")]
    job = lines[-1].split(None, 6)
    assert job[5:] == ["odmr-agent", "odmr-agent -q fetch"], lines
    assert all(re.match(r"[A-Z]+=", x) for x in lines[:-1]), lines

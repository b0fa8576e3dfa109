# SPDX-License-Identifier: ISC
"""
The AppArmor profiles of the Debian packages: parsed, and enforced where the kernel
has AppArmor (test/apparmor boots one that has). Enforced, what other cases say of the
services must hold as it does without, and nothing may be forbidden meanwhile.
"""
import re

import online_cases
import provider_cases
import system_cases
from enforced import FOLDER, PROGRAMS, Enforced, parser, profile
from servers import until


def test_profiles_parse(place):
    for program in PROGRAMS:
        place.run(parser(), "--skip-kernel-load", "--skip-cache", FOLDER + program)
        # A missing rule must not keep mail away after an upgrade.
        assert re.search("^profile %s /usr/sbin/%s flags=.*complain" % (program, program),
                         profile(program), re.MULTILINE), program


def test_enforced_profiles_forbid(place):
    """What they do not list; else the cases below would prove nothing."""
    with Enforced(place) as enforced:
        system = place.system()
        for program in PROGRAMS:
            said = system.run(program, "-c", "/etc/shadow", "check", status=78)
            assert b"Permission denied" in said.stdout + said.stderr, said
            until(lambda: any('profile="%s" name="/etc/shadow"' % program in line
                              for line in enforced.forbidden()),  # noqa: B023
                  what="a line of the kernel's log in %s" % enforced.records)


def hold(place, *cases, refused=None):
    """These cases, under the profiles; refused: of what they try in vain."""
    with Enforced(place) as enforced:
        for case in cases:
            try:
                case(place)
            finally:
                print("%s: forbidden: %s" % (case.__name__, enforced.forbidden()),
                      flush=True)
        lines = enforced.forbidden()
        assert [x for x in lines if not refused or refused not in x] == [], lines
        assert lines or not refused, "nothing with " + refused


def test_enforced_agent_serves(place):
    hold(place,
         system_cases.test_service_fetches_in_its_sandbox,
         system_cases.test_service_reloads,
         system_cases.test_service_stops_cleanly,
         system_cases.test_large_message_waits_in_the_state_folder,
         system_cases.test_timer_fetches_and_excludes_the_service)


def test_enforced_agent_starts_programs(place):
    hold(place,
         system_cases.test_maildir_needs_its_path_to_be_named,
         online_cases.test_online_command_sends_from_the_sandbox)


def test_enforced_agent_calls_sendmail(place):
    """With the drop-in; without it sendmail cannot have rights of its own."""
    hold(place, system_cases.test_sendmail_needs_the_drop_in_and_no_more,
         refused='info="no new privs"')


def test_enforced_provider_serves(place):
    """With "setup", "passwd", logins and turned connections."""
    hold(place,
         provider_cases.test_provider_serves_in_its_sandbox,
         provider_cases.test_provider_reloads,
         provider_cases.test_provider_stops_cleanly)


def test_enforced_provider_is_started_by_its_socket(place):
    hold(place,
         provider_cases.test_provider_in_syslog,
         provider_cases.test_provider_is_started_by_its_socket)


def test_enforced_provider_pushes(place):
    """Started by root at the shell, to an agent that stays connected."""
    with Enforced(place) as enforced, provider_cases.Host(place) as host:
        system = host.system
        host.configure("example.org", hold="9m")
        system.run("systemd-run", "--unit=by-hand", "odmr-provider", "run")
        try:
            listen(host)
            for number in range(3):
                until(lambda: "held" in host.shell("odmr-provider status",
                                                   status=None).stdout.decode(),
                      what="the customer to be held; forbidden: %s" %
                      enforced.forbidden())
                host.send("pushed %d" % number)
                until(lambda: len(host.mail()) == number + 1,  # noqa: B023
                      what="the message; forbidden: %s" % enforced.forbidden())
        finally:
            system.systemctl("stop", system_cases.SERVICE, "by-hand", status=None)
        assert enforced.forbidden() == [], enforced.records


def listen(host):
    """The agent as a service, with a Maildir of its sandbox."""
    host.shell("chown odmr-agent /etc/odmr-agent/odmr-agent.yaml; "
               "sed -i 's/^    user:/    every: 1s\\n    jitter: 0s\\n&/' "
               "/etc/odmr-agent/odmr-agent.yaml")
    host.system.write("/run/systemd/system/odmr-agent.service.d/maildir.conf",
                      "[Service]\nReadWritePaths=/srv/mail\n")
    host.system.systemctl("daemon-reload")
    host.system.systemctl("start", system_cases.SERVICE)

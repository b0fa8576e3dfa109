# SPDX-License-Identifier: ISC
"""The systemd units, looked at without starting them."""
import os
import re
import shutil

from servers import Skip

UNITS = ("odmr-agent.service", "odmr-agent-fetch.service", "odmr-agent-fetch.timer")
ONLINE = ("odmr-agent-online.path", "odmr-agent-online.service")
PROVIDER = ("odmr-provider.service", "odmr-provider.socket")
EXPOSURE_MAX = 2.0

# What sets NoNewPrivileges for a service that is not root's (systemd.exec(5)).
IMPLY_NO_NEW_PRIVILEGES = (
    "DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices",
    "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
    "ProtectKernelTunables", "RestrictAddressFamilies", "RestrictNamespaces",
    "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures",
    "SystemCallFilter", "SystemCallLog")


def analyze(place, *words, **options):
    if not shutil.which("systemd-analyze"):
        raise Skip("there is no systemd-analyze")
    if os.geteuid() != 0 and not os.path.isdir("/run/systemd"):
        raise Skip("systemd-analyze wants /run/systemd, and only root can make it")
    return place.run("systemd-analyze", *words, **options)


def unit(place, name):
    return os.path.join(place.installed, "usr/local/lib/systemd/system", name)


def settings(path):
    """Each key of a unit file with its last value."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^([A-Za-z]+)=(.*)$", file.read(), re.MULTILINE))


def runnable(place, folder, drop_in=False):
    """The units as they would be found on a system: their program exists."""
    for name in UNITS + ONLINE + PROVIDER:
        with open(unit(place, name), encoding="utf-8") as file:
            text = file.read().replace("/usr/local/sbin/",
                                       place.installed + "/usr/local/sbin/")
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    if drop_in:
        for name in UNITS[:2]:
            os.mkdir(os.path.join(folder, name + ".d"))
            shutil.copy(place.installed + "/usr/local/share/doc/odmr-agent/sendmail.conf",
                        os.path.join(folder, name + ".d"))
    return [os.path.join(folder, name) for name in UNITS + ONLINE + PROVIDER]


def verify(place, *paths):
    environment = dict(os.environ, MANPATH=place.installed + "/usr/local/share/man")
    options = [] if shutil.which("man") else ["--man=no"]
    out = analyze(place, "verify", *options, *paths, env=environment)
    assert out == "", out


def test_verify(place):
    verify(place, *runnable(place, place.sub("units")))


def test_verify_with_drop_in(place):
    verify(place, *runnable(place, place.sub("dropped"), drop_in=True))


def exposure(place, path):
    out = analyze(place, "security", "--offline=true", path)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", out).group(1))


def test_exposure(place):
    for path in runnable(place, place.sub("exposed")):
        if not path.endswith(".service") or path.endswith(ONLINE[1]):
            continue  # the mail server's own rights, as its package has them
        level = exposure(place, path)
        assert level <= EXPOSURE_MAX, "%s: %s" % (path, level)


def test_the_two_services_share_the_sandbox(place):
    run, fetch = (settings(unit(place, name)) for name in UNITS[:2])
    differing = {k for k in run.keys() | fetch.keys() if run.get(k) != fetch.get(k)}
    assert differing == {
        "Description", "After", "Conflicts", "Type", "ExecStart", "ExecReload",
        "WatchdogSec", "Restart", "RestartSec", "RestartPreventExitStatus",
        "SuccessExitStatus", "WantedBy"}, differing


def test_service_and_timer_exclude_each_other(place):
    assert settings(unit(place, UNITS[0]))["Conflicts"] == UNITS[2]
    assert settings(unit(place, UNITS[2]))["Conflicts"] == UNITS[0]


def test_drop_in_lifts_what_implies_no_new_privileges(place):
    """And whatever of the sandbox implies it is lifted: the two lists agree."""
    sandbox = settings(unit(place, UNITS[0]))
    lifted = settings(place.installed + "/usr/local/share/doc/odmr-agent/sendmail.conf")
    imply = {k for k in IMPLY_NO_NEW_PRIVILEGES if k in sandbox}
    assert imply == set(lifted) - {"NoNewPrivileges", "PrivateUsers", "ReadWritePaths"}
    for key, value in lifted.items():
        assert key == "ReadWritePaths" or value in ("", "no"), "%s=%s" % (key, value)


def test_provider_has_the_sandbox_too(place):
    """What it lifts are a port below 1024, and to see who owns a connection."""
    agent, provider = (settings(unit(place, name))
                       for name in (UNITS[0], PROVIDER[0]))
    hardening = settings(os.path.join(place.top, "systemd/hardening.conf"))
    assert len(hardening) > 15
    differing = {k for k in hardening if agent[k] != provider[k]}
    assert differing == {"SystemCallFilter"}, differing
    assert provider["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert "PrivateUsers" not in provider and agent["PrivateUsers"] == "yes"

# SPDX-License-Identifier: ISC
"""
The metrics as Prometheus reads them: the alerts and the dashboard of
contrib/prometheus, and the list in the manual.
"""
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import mail
from browser import Folder
from servers import free_port
from service import Service
from stage import Skip, one_message, rows, until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CONTRIB = os.path.join(TOP, "contrib", "prometheus")
RULES = os.path.join(CONTRIB, "odmr-agent.rules.yaml")
TEXT = mail.message("a message")


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Skip(name + " is not installed (Debian: prometheus)")
    return path


def test_alert_rules(t):
    """Each alert fires when it should, and only then."""
    for words in (["check", "rules", RULES],
                  ["test", "rules", os.path.join(HERE, "alert_rules.yaml")]):
        done = subprocess.run([tool("promtool")] + words, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()


def dashboard():
    """The queries of the panels by their titles, and that of the variable."""
    with open(os.path.join(CONTRIB, "grafana-dashboard.json"), encoding="utf-8") as file:
        content = json.load(file)
    queries = {}
    for panel in content["panels"]:
        for target in panel["targets"]:
            queries["%s %s" % (panel["title"], target["refId"])] = target["expr"]
    [account] = [v for v in content["templating"]["list"] if v["name"] == "account"]
    return queries, account["query"]["query"]


class Prometheus:
    """Reads one folder each second, by the rules of contrib. It wants text/plain,
    and so a name with .txt."""

    def __init__(self, t, folder):
        port = free_port()
        self.address = "http://127.0.0.1:%d" % port
        host = folder.address.split("/")[2]
        t.write("prometheus.yml", json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [RULES],
            "scrape_configs": [{"job_name": "odmr", "metrics_path": "/odmr.txt",
                                "static_configs": [{"targets": [host]}]}]}))
        log = open(t.path("prometheus.log"), "wb")
        self.process = subprocess.Popen(
            [tool("prometheus"), "--config.file=" + t.path("prometheus.yml"),
             "--storage.tsdb.path=" + t.sub("prometheus"),
             "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)
        log.close()
        t.at_end(self.end)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def get(self, path, **query):
        """The data of an answer, which must be a success; None: there is no
        server yet."""
        url = self.address + path + "?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                return None
            raise AssertionError("%s: %s" % (query, error.read())) from error
        except OSError:
            return None
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression):
        data = self.get("/api/v1/query", query=expression)
        return data["result"] if data is not None else None


def test_dashboard(t):
    """Each query of each panel has an answer of a real Prometheus, and each rule
    can be evaluated there."""
    web = t.sub("www")
    provider = t.provider(*[one_message(TEXT)] * 2, tls="starttls",
                          certificate=t.certificates.soon)
    t.configure(accounts={
        "office": t.account(provider, every="1s", jitter="0s"),
        "branch": t.account(t.provider(replies={"AUTH": b"535 5.7.8 Wrong"}),
                            jitter="0s", domains=["b.example"])},
                top={"metrics_file": os.path.join(web, "odmr.txt")})
    folder = Folder(web)
    t.at_end(folder.close)
    service = Service(t)
    until(lambda: os.path.exists(os.path.join(web, "odmr.txt")), what="metrics")
    prometheus = Prometheus(t, folder)
    until(lambda: len(prometheus.query('odmr_agent_enabled[1m]') or ()) == 2 and
          prometheus.query("odmr_agent_next_session_timestamp_seconds > 0"),
          what="metrics of two accounts")
    queries, variable = dashboard()
    assert len(queries) > 10, queries
    for where, query in queries.items():
        query = query.replace("$account", ".*").replace("$__rate_interval", "1m")
        assert "$" not in query, (where, query)
        until(lambda q=query: prometheus.query(q), what="%s: %s" % (where, query))
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable).groups()
    assert prometheus.get("/api/v1/label/%s/values" % label, **{"match[]": name}) == [
        "branch", "office"]

    def evaluated():
        data = prometheus.get("/api/v1/rules")
        if data is None:
            return False
        rules = [rule for group in data["groups"] for rule in group["rules"]]
        assert len(rules) == 8, rules
        return all(rule["health"] == "ok" for rule in rules) and {
            rule["name"] for rule in rules if rule["alerts"]} == {
                "OdmrNoSuccess", "OdmrHold", "OdmrCertificateEnds"}

    until(evaluated, what="the rules")
    service.stop()


def metric_names(text):
    return set(re.findall(r"^# TYPE odmr_agent_(\w+)", text, re.MULTILINE))


def test_metrics_of_the_manual(t):
    """The manual, the alerts and the dashboard know what there is, and nothing
    else."""
    path = t.path("odmr.prom")
    t.configure(t.provider(one_message(TEXT)), top={"metrics_file": path})
    t.fetch()
    with open(path, encoding="utf-8") as file:
        there = metric_names(file.read())
    with open(os.path.join(TOP, "man", "odmr-agent.8"), encoding="utf-8") as file:
        section = file.read().split(".Sh METRICS\n")[1].split("\n.Sh ")[0]
    items = " ".join(re.findall(r"^\.It Va (\w.*)", section, re.MULTILINE))
    assert set(re.findall(r"[a-z]\w*_\w+|alarm|enabled", items)) == there
    for name in os.listdir(CONTRIB):
        with open(os.path.join(CONTRIB, name), encoding="utf-8") as file:
            used = set(re.findall(r"\bodmr_agent_(\w+)", file.read()))
        assert used and used <= there, (name, used - there)


@rows(("soon", "soon", 6), ("in time", "good", 3000))
def test_certificate_end_in_metrics(t, which, days):
    """Until when the provider's certificate is valid; ours, where there is one;
    none where only a pin decides."""
    path = t.path("odmr.prom")
    certificate = getattr(t.certificates, which)
    provider = t.provider(tls="starttls", certificate=certificate)

    def ends(**keys):
        t.configure(provider, top={"metrics_file": path}, **keys)
        t.fetch()
        with open(path, encoding="utf-8") as file:
            return {kind: (int(end) - time.time()) / 86400 for kind, end in re.findall(
                r'certificate_end_timestamp_seconds\{account="office",'
                r'certificate="(\w+)"\} (\d+)', file.read())}

    found = ends(tls_cert_file=t.certificates.client.cert,
                 tls_key_file=t.certificates.client.key)
    assert set(found) == {"provider", "own"}, found
    assert (found["provider"] < 6) == (days == 6), found
    assert set(ends()) == {"provider"}
    assert not ends(tls_pins=[certificate.pin()])

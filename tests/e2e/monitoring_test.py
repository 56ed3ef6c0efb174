#!/usr/bin/python3
"""What is shipped for monitoring fits what a node says: rules, dashboard, and the metrics that both are made of."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import BASE, ROOT, Node, main, make_csr, openssl

MONITORING = ROOT / "config" / "monitoring"
PROMTOOL = shutil.which("promtool") or shutil.which(ROOT / "build" / "tools" / "usr" / "bin" / "promtool")

CONFIG = BASE.replace('[pipeline.web]\n', '[pipeline.web]\nnotify = ["hook"]\n').replace(
    'subject = "CN=Test Issuing CA"', 'subject = "CN=Test Issuing CA"\nregistrar = "soft:registrar"') + """
[notifier.hook]
plugin = "webhook"
url = "http://127.0.0.1:9/nobody"
secret = {{ file = "webhook-secret" }}
events = ["node.started"]

[pipeline.manual]
authority = "issuing"
profiles = ["web"]
approval = "manual"
validate = ["lint"]

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]
delta = "1h"

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "issuing"]

[protocol.scep]
listener = "plain"
path = "/scep"
pipeline = "web"
"""
BUILT = re.compile(r"_(bucket|sum|count)$")


def metrics_in(text):
    """Names of our metrics in an expression."""
    return set(re.findall(r"\b(?:hanaper|process)_[a-z_]+\b", text))


def expressions(panels):
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", []))
        yield from expressions(panel.get("panels", []))


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(CONFIG)
        cls.node.state.mkdir(mode=0o700)
        secret = cls.node.state / "webhook-secret"
        secret.write_text("0123456789abcdef0123456789abcdef")
        secret.chmod(0o600)
        cls.node.init().start()
        cls.node.out("issue", "--pipeline", "web", "--name", "a.example.test", "--key-out", cls.node.folder / "a.key")

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def known(self):
        text = self.node.get("/metrics")[1]
        return {BUILT.sub("", name) for name in re.findall(r"^([a-z_]+)[{ ]", text, re.M)} | set(re.findall(r"^# TYPE ([a-z_]+) ", text, re.M))

    def metric(self, line, wanted, seconds=20):
        deadline = time.monotonic() + seconds
        while (value := self.node.metric(line)) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        return value

    def seconds(self, text):
        return int(subprocess.run(["date", "-d", text, "+%s"], check=True, capture_output=True, text=True).stdout)

    def test_every_metric_of_the_rules_is_there(self):
        used = metrics_in((MONITORING / "hanaper.rules.yml").read_text())
        self.assertGreater(len(used), 12)
        self.assertEqual({BUILT.sub("", name) for name in used} - self.known(), set())

    def test_every_metric_of_the_dashboard_is_there(self):
        dashboard = json.loads((MONITORING / "hanaper.json").read_text())
        used = set().union(*(metrics_in(expression) for expression in expressions(dashboard["panels"])))
        self.assertGreater(len(used), 25)
        self.assertEqual({BUILT.sub("", name) for name in used} - self.known(), set())
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))

    def test_every_alert_is_in_the_page_and_every_alert_of_the_page_is_there(self):
        alerts = set(re.findall(r"^ +- alert: (\w+)$", (MONITORING / "hanaper.rules.yml").read_text(), re.M))
        page = (ROOT / "examples" / "howto" / "monitoring.md").read_text()
        self.assertEqual(set(re.findall(r"\b(Hanaper[A-Z]\w+)\b", page)), alerts)
        tested = set(re.findall(r"alertname: (\w+)", (ROOT / "tests/data/monitoring/rules_test.yml").read_text()))
        self.assertEqual(tested, alerts)

    @unittest.skipUnless(PROMTOOL, "promtool: it is not there (tests/packages.sh unpacks it): nobody judged the rules")
    def test_promtool_takes_the_rules_and_each_alert_is_raised_when_it_should(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in (MONITORING / "hanaper.rules.yml", ROOT / "tests/data/monitoring/rules_test.yml"):
                shutil.copy(file, folder)
            (pathlib.Path(folder) / "metrics").write_text(self.node.get("/metrics")[1])
            for words in (["check", "rules", "hanaper.rules.yml"], ["test", "rules", "rules_test.yml"]):
                done = subprocess.run([PROMTOOL, *words], cwd=folder, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(PROMTOOL, "promtool: it is not there (tests/packages.sh unpacks it): nobody read the dashboard's expressions")
    def test_promtool_reads_every_expression_of_the_dashboard(self):
        dashboard = json.loads((MONITORING / "hanaper.json").read_text())
        rules = "groups:\n- name: panels\n  rules:\n" + "".join(
            f"  - record: panel:{i}\n    expr: {json.dumps(expression.replace('$node', 'a'))}\n"
            for i, expression in enumerate(expressions(dashboard["panels"])))
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(rules)
            file.flush()
            done = subprocess.run([PROMTOOL, "check", "rules", file.name], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(PROMTOOL, "promtool: it is not there (tests/packages.sh unpacks it): nobody judged the metrics")
    def test_promtool_finds_the_metrics_well_formed(self):
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=self.node.get("/metrics")[1], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_end_of_each_authority_crl_and_listener_is_told(self):
        for name in ("root", "issuing"):
            end = self.seconds(self.node.json("show", "--authority", name)["not_after"])
            self.assertEqual(self.node.metric(f'hanaper_authority_not_after_timestamp_seconds{{authority="{name}"}}'), end)
        self.node.out("crl", "generate", "issuing")
        for row in self.node.items("crl", "list"):
            line = (f'hanaper_crl_next_update_timestamp_seconds{{instance="protocol.crl",authority="{row["authority"]}",'
                    f'shard="{row["shard"]}",kind="{row["kind"]}"}}')
            self.assertEqual(self.node.metric(line), self.seconds(row["next_update"]), line)
        pem = self.node.folder / "tls.pem"
        pem.write_text((self.node.state / "tls" / "public.pem").read_text())
        end = self.seconds(openssl("x509", "-in", pem, "-noout", "-enddate").split("=")[1])
        self.assertEqual(self.node.metric('hanaper_listener_certificate_not_after_timestamp_seconds{listener="public"}'), end)

    def test_requests_that_wait_for_approval_are_counted(self):
        line = 'hanaper_approvals_waiting{pipeline="manual"}'
        self.assertEqual(self.node.metric(line), 0)
        self.assertEqual(self.node.metric('hanaper_approvals_waiting{pipeline="web"}'), 0)
        _, csr = make_csr(self.node.folder, ["waits.example.test"], name="waits")
        self.node.run("issue", "--pipeline", "manual", "--csr", csr, status=None)
        self.assertEqual(self.metric(line, 1), 1)
        self.node.out("requests", "deny", self.node.items("requests", "list")[0]["request"])
        self.assertEqual(self.metric(line, 0), 0)

    def test_the_last_reload_and_its_outcome_are_told(self):
        self.assertEqual(self.node.metric("hanaper_reload_success"), 1)
        good = self.node.config.read_text()
        for broken in ('[nothing.here]\n', '[validator.caa]\nidentities = ["no domain"]\n'):
            before = int(time.time())
            self.node.config.write_text(good + broken)
            self.node.error("reload")
            self.assertEqual(self.node.metric("hanaper_reload_success"), 0)
            self.assertGreaterEqual(self.node.metric("hanaper_reload_timestamp_seconds"), before)
            self.node.config.write_text(good)
            self.node.out("reload")
            self.assertEqual(self.node.metric("hanaper_reload_success"), 1)

    def test_the_last_backup_is_told_also_after_a_restart(self):
        self.assertEqual(self.node.metric("hanaper_backup_timestamp_seconds"), 0)
        before = int(time.time())
        self.node.out("backup", self.node.folder / "one.tar")
        made = self.node.metric("hanaper_backup_timestamp_seconds")
        self.assertTrue(before <= made <= time.time(), made)
        self.node.stop()
        self.node.start()
        self.assertEqual(self.node.metric("hanaper_backup_timestamp_seconds"), made)

    def test_what_the_kernel_knows_of_the_process_is_told(self):
        pid = self.node.process.pid
        resident = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self.assertAlmostEqual(self.node.metric("process_resident_memory_bytes"), resident, delta=resident / 2)
        self.assertAlmostEqual(self.node.metric("process_open_fds"), len(os.listdir(f"/proc/{pid}/fd")), delta=8)
        self.assertGreater(self.node.metric("process_max_fds"), 100)
        self.assertGreater(self.node.metric("process_cpu_seconds_total"), 0.01)
        self.assertAlmostEqual(self.node.metric("process_start_time_seconds"), time.time(), delta=600)

    def test_memory_that_holds_keys_goes_to_no_core_file(self):
        pid = self.node.process.pid
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")


if __name__ == "__main__":
    main()

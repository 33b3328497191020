"""What deploy/cluster/ hands out, held without containers: each file is taken by the program that it is for, and what
one file says of another is so. The program to ask is in WASTEGATE."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "deploy/cluster"
KUBERNETES = CLUSTER / "kubernetes"
WASTEGATE = str(pathlib.Path(os.environ["WASTEGATE"]).resolve())
# The oldest version of Kubernetes that the manifests are for, and the newest one that the package knows.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
# What is left for the end of a process after its drain, s.
MARGIN = 5


def text(path):
    return (CLUSTER / path).read_text()


def documents(path):
    return list(yaml.safe_load_all((KUBERNETES / path).read_text()))


def manifests():
    """Every object that `kubectl apply -k` makes, by kind and name."""
    listed = yaml.safe_load(text("kubernetes/kustomization.yaml"))["resources"]
    objects = [document for path in listed for document in documents(path)]
    return {(it["kind"], it["metadata"]["name"]): it for it in objects}


def sample_secrets():
    return {it["metadata"]["name"]: it["stringData"] for it in documents("secret.sample.yaml")}


def run(*command, **more):
    return subprocess.run([str(it) for it in command], capture_output=True, text=True, timeout=120, **more)


def drain_s(settings):
    gateway = tomllib.loads(settings)["gateway"]
    return sum(gateway[key] for key in ("drain_readyz_ms", "drain_spread_ms", "drain_ms")) / 1000


def seconds(span):
    return int(re.fullmatch(r"(\d+)s", span)[1])


class Settings(unittest.TestCase):
    """The gateway takes what it is given."""

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        script = folder / "secrets.sh"
        script.write_text(text("secrets.sh"))
        cls.made = [run("bash", script), run("bash", script)]
        cls.secrets = {it.name: it for it in (folder / "secrets").iterdir()}
        lines = cls.secrets["gateway.env"].read_text().splitlines()
        cls.environment = dict(line.split("=", 1) for line in lines)

    def check(self, settings, environment):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(settings)
            file.flush()
            environment = {"PATH": os.environ["PATH"], **environment}
            return run(WASTEGATE, "config", "check", "--config", file.name, env=environment)

    def assert_taken(self, settings, environment):
        done = self.check(settings, environment)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_secrets_are_made_once_and_are_for_their_owner(self):
        self.assertEqual([it.returncode for it in self.made], [0, 1], self.made)
        self.assertIn("remove it", self.made[1].stderr)
        self.assertEqual(set(self.secrets), {"gateway.env", "users.acl"})
        folder = self.secrets["gateway.env"].parent
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.secrets["gateway.env"].stat().st_mode & 0o777, 0o600)
        password = re.search(r"//wastegate:([0-9a-f]{64})@", self.environment["WASTEGATE_CLUSTER__ENGINE"])[1]
        self.assertNotIn(password, self.secrets["users.acl"].read_text())

    def test_each_gateway_of_the_containers_takes_its_settings(self):
        services = yaml.safe_load(text("compose.yaml"))["services"]
        gateways = {name: it for name, it in services.items() if name.startswith("gateway-")}
        self.assertEqual(len(gateways), 3)
        for name, gateway in gateways.items():
            self.assertEqual(gateway["environment"]["WASTEGATE_CLUSTER__NODE"], name)
            self.assert_taken(text("wastegate.toml"), self.environment | gateway["environment"])

    def test_each_pod_takes_its_settings(self):
        self.assertEqual(set(sample_secrets()["wastegate"]), set(self.environment))
        self.assert_taken(self.pods_settings(), self.environment | self.pods_environment())

    def test_what_a_sample_of_a_secret_has_instead_is_refused(self):
        replaced = [name for name, value in sample_secrets()["wastegate"].items() if value == "replace"]
        self.assertEqual(len(replaced), 2)
        for name in replaced:
            environment = self.environment | self.pods_environment() | {name: "replace"}
            done = self.check(self.pods_settings(), environment)
            self.assertNotEqual(done.returncode, 0, name)
            self.assertIn(name.removeprefix("WASTEGATE_").replace("__", ".").lower(), done.stderr)

    def pods_settings(self):
        return manifests()["ConfigMap", "wastegate"]["data"]["wastegate.toml"]

    def pods_environment(self):
        (container,) = manifests()["Deployment", "gateway"]["spec"]["template"]["spec"]["containers"]
        fields = {"metadata.name": "gateway-7d4f9-x2x9z", "status.podIP": "10.244.0.7"}
        environment = {}
        for it in container["env"]:
            value = it.get("value") or fields[it["valueFrom"]["fieldRef"]["fieldPath"]]
            # As Kubernetes does, by those that come before.
            environment[it["name"]] = re.sub(r"\$\((\w+)\)", lambda name: environment[name[1]], value)
        return environment

    def test_the_users_of_the_sample_are_those_that_the_script_makes(self):
        made = re.sub(r"#[0-9a-f]{64}", "#SHA256", self.secrets["users.acl"].read_text())
        self.assertEqual(sample_secrets()["valkey"]["users.acl"], made)

    def test_the_engines_user_may_do_what_the_ledger_does(self):
        granted = set(re.findall(r"\+(\S+)", self.secrets["users.acl"].read_text().splitlines()[-1]))
        library = (ROOT / "host/cluster/src/redis/library.lua").read_text()
        called = {it.lower() for it in re.findall(r"redis\.call\(['\"](\w+)", library)}
        self.assertGreater(len(called), 10)
        self.assertEqual(called - granted, set())

    def test_every_setting_that_is_named_exists(self):
        table = (ROOT / "docs/configuration.md").read_text()
        known = dict(re.findall(r"^\| `(WASTEGATE_\w+)` \| `([\w.-]+)` \|$", table, re.MULTILINE))
        sections = {key.split(".")[0] for key in known.values()}
        named = {}
        for file in [*CLUSTER.rglob("*"), ROOT / "docs/alerts.md"]:
            if file.is_file() and "secrets" not in file.relative_to(ROOT).parts:
                words = file.read_text()
                named |= {name: file for name in re.findall(r"WASTEGATE_\w+__\w+", words)}
                keys = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)[ `]", words)
                named |= {key: file for key in keys if key.split(".")[0] in sections | {"cluster"}}
        self.assertGreater(len(named), 20)
        keys = set(known) | set(known.values())
        # A section counts too: `limits.traffic`.
        keys |= {".".join(key.split(".")[:-1]) for key in known.values()}
        self.assertEqual({name: str(file) for name, file in named.items() if name not in keys}, {})


class Containers(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load(text("compose.yaml"))
        self.services = self.compose["services"]
        self.gateways = [name for name in self.services if name.startswith("gateway-")]

    def test_the_file_is_one_of_compose(self):
        tool = pathlib.Path(sys.executable).parent / "check-jsonschema"
        done = run(tool, "--builtin-schema", "vendor.compose-spec", CLUSTER / "compose.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_is_mounted_is_there_and_what_is_open_is_open_on_this_machine_only(self):
        mounted = 0
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("./secrets/"):
                    self.assertIn(source.rpartition("/")[2], text("secrets.sh"))
                elif source.startswith("."):
                    self.assertTrue((CLUSTER / source).is_file(), f"{name} mounts {source}")
                else:
                    self.assertIn(source, self.compose["volumes"])
                mounted += 1
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), f"{name}: {port}")
        self.assertGreater(mounted, 8)
        build = self.services["gateway-1"]["build"]
        self.assertTrue((CLUSTER / build["context"] / build["dockerfile"]).is_file())
        other = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())
        of_other = other["services"]["backend"]["build"]
        self.assertEqual(self.services["backend"]["build"], of_other | {"context": "../compose"})

    def test_all_name_the_same_nodes(self):
        servers = dict(re.findall(r"^    server (\S+) (\S+)$", text("haproxy.cfg"), re.MULTILINE))
        self.assertEqual(servers, {name: f"{name}:8080" for name in self.gateways})
        (job,) = yaml.safe_load(text("prometheus.yml"))["scrape_configs"]
        self.assertEqual(job["job_name"], "wastegate")
        self.assertEqual(job["static_configs"], [{"targets": [f"{name}:9090" for name in self.gateways]}])

    def test_the_balancer_is_the_proxy_that_is_trusted(self):
        gateway = tomllib.loads(text("wastegate.toml"))["gateway"]
        address = self.services["balancer"]["networks"]["front"]["ipv4_address"]
        self.assertEqual(gateway["trusted_proxies"], [address])
        self.assertTrue(gateway["proxy_protocol"])
        self.assertIn(" send-proxy-v2 ", text("haproxy.cfg"))

    def test_a_stop_is_seen_in_time_and_has_its_time(self):
        settings = text("wastegate.toml")
        every, failures = re.search(r" inter (\d+)s fall (\d+) ", text("haproxy.cfg")).groups()
        answer = seconds(re.search(r"timeout check (\S+)", text("haproxy.cfg"))[1])
        until_seen = (int(every) + answer) * int(failures)
        self.assertGreaterEqual(tomllib.loads(settings)["gateway"]["drain_readyz_ms"], until_seen * 1000)
        for name in self.gateways:
            grace = seconds(self.services[name]["stop_grace_period"])
            self.assertGreaterEqual(grace, drain_s(settings) + MARGIN)

    def test_haproxy_takes_its_file(self):
        done = run("haproxy", "-c", "-f", CLUSTER / "haproxy.cfg")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_engine_evicts_nothing_and_keeps_a_file(self):
        for line in ("maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"):
            self.assertIn(f"\n{line}\n", text("valkey.conf"))


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.objects = manifests()
        self.deployment = self.objects["Deployment", "gateway"]["spec"]
        self.pod = self.deployment["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def test_every_file_is_listed_but_the_sample_of_secrets(self):
        files = {it.name for it in KUBERNETES.iterdir()} - {"kustomization.yaml"}
        listed = set(yaml.safe_load(text("kubernetes/kustomization.yaml"))["resources"])
        self.assertEqual(files - listed, {"secret.sample.yaml"})

    def test_every_manifest_is_one_of_its_kind(self):
        for document in [*self.objects.values(), *documents("secret.sample.yaml")]:
            for version in VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)
        with self.assertRaises(kubernetes_validate.ValidationError):
            wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}}
            kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)

    def test_a_stop_has_its_time(self):
        settings = self.objects["ConfigMap", "wastegate"]["data"]["wastegate.toml"]
        before = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], before + drain_s(settings) + MARGIN)

    def test_a_rollout_takes_no_node_away_first(self):
        rolling = self.deployment["strategy"]["rollingUpdate"]
        self.assertEqual((rolling["maxUnavailable"], rolling["maxSurge"]), (0, 1))
        budget = self.objects["PodDisruptionBudget", "gateway"]["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertEqual(budget["selector"], self.deployment["selector"])

    def test_probes_ask_what_they_are_about(self):
        paths = {name: self.container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
        self.assertEqual(paths, {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"})

    def test_a_nodes_name_is_its_pods(self):
        (name,) = [it for it in self.container["env"] if it["name"] == "WASTEGATE_CLUSTER__NODE"]
        self.assertEqual(name["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name")

    def test_pods_have_no_rights(self):
        for kind, name in (("Deployment", "gateway"), ("StatefulSet", "valkey")):
            pod = self.objects[kind, name]["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(pod["automountServiceAccountToken"])
            for container in pod["containers"]:
                rights = container["securityContext"]
                self.assertFalse(rights["allowPrivilegeEscalation"])
                self.assertTrue(rights["readOnlyRootFilesystem"])
                self.assertEqual(rights["capabilities"], {"drop": ["ALL"]})

    def test_what_is_named_is_there(self):
        pods = {}
        for kind, name in (("Deployment", "gateway"), ("StatefulSet", "valkey")):
            template = self.objects[kind, name]["spec"]["template"]
            (container,) = template["spec"]["containers"]
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            pods[name] = (template["metadata"]["labels"].items(), ports)
            for volume in template["spec"].get("volumes", []):
                for source in volume.get("projected", {}).get("sources", [volume]):
                    if "configMap" in source:
                        self.assertIn(("ConfigMap", source["configMap"]["name"]), self.objects)
                    if "secret" in source:
                        self.assertIn(source["secret"]["name"], sample_secrets())
        services = [it for (kind, _), it in self.objects.items() if kind == "Service"]
        policies = [it for (kind, _), it in self.objects.items() if kind == "NetworkPolicy"]
        for service in services:
            (ports,) = [ports for labels, ports in pods.values() if service["spec"]["selector"].items() <= labels]
            for port in service["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
        for policy in policies:
            selector = policy["spec"]["podSelector"]["matchLabels"].items()
            (ports,) = [ports for labels, ports in pods.values() if selector <= labels]
            for rule in policy["spec"]["ingress"]:
                for port in rule["ports"]:
                    self.assertIn(port["port"], ports)
        self.assertEqual((len(services), len(policies)), (3, 2))
        (source,) = self.container["envFrom"]
        self.assertIn(source["secretRef"]["name"], sample_secrets())
        engine = sample_secrets()["wastegate"]["WASTEGATE_CLUSTER__ENGINE"]
        host, port = re.search(r"@(\w+):(\d+)$", engine).groups()
        self.assertEqual(int(port), self.objects["Service", host]["spec"]["ports"][0]["port"])

    def test_the_engine_is_set_as_that_of_the_containers(self):
        self.assertEqual(self.objects["ConfigMap", "valkey"]["data"]["valkey.conf"], text("valkey.conf"))


class Alerts(unittest.TestCase):
    def promtool(self, *words):
        done = run("promtool", *words, cwd=CLUSTER)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool_takes_the_rules_their_tests_and_the_settings(self):
        self.promtool("check", "rules", "wastegate-cluster.rules.yml")
        self.promtool("test", "rules", "wastegate-cluster.test.yml")
        self.promtool("check", "config", "--syntax-only", "prometheus.yml")

    def test_each_alert_has_a_test_that_it_fires_one_that_it_is_silent_and_a_section(self):
        (group,) = yaml.safe_load(text("wastegate-cluster.rules.yml"))["groups"]
        tests = [it["alert_rule_test"][0] for it in yaml.safe_load(text("wastegate-cluster.test.yml"))["tests"]]
        sections = re.findall(r"^## (\w+)$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
        for rule in group["rules"]:
            name = rule["alert"]
            of_it = [bool(it["exp_alerts"]) for it in tests if it["alertname"] == name]
            self.assertEqual(set(of_it), {True, False}, name)
            self.assertIn(name, sections)
            page, _, section = rule["annotations"]["runbook_url"].partition("#")
            self.assertTrue(page.endswith("/docs/alerts.md"))
            self.assertEqual(section, name.lower())

    def test_every_metric_that_rules_name_is_documented(self):
        known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
        rules = yaml.safe_load(text("wastegate-cluster.rules.yml"))["groups"][0]["rules"]
        named = {name for rule in rules for name in re.findall(r"wastegate_\w+", rule["expr"])}
        self.assertGreater(len(named), 3)
        self.assertEqual(named - known, set())


if __name__ == "__main__":
    unittest.main()

"""The chart: rendered by the real helm, held to Kubernetes' schemas, and to the code."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from deploy.helm_tools import (
    BROKERS,
    CHART,
    MINIMAL,
    ROOT,
    VERSION,
    environment,
    faults,
    helm,
    needs_helm,
    refusal,
    render,
    settings_of,
    volume,
)
from deploy.prometheus_tools import check

from agents import alerts
from agents.app import create_app
from agents.topics.access import creator_rights, useful_rights, worker_rights
from agents.worker import _GRACE
from streams.settings import Settings
from streams.topics import Topics

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCRAM = {
    **MINIMAL,
    "security": {
        "protocol": "SASL_SSL", "user": "live-audience", "secret": "login",
        "ca": {"secret": "kafka-ca"},
    },
    "topicsJob": {"user": "admin", "secret": "admin-login"},
}  # fmt: skip  # values read best close together
MUTUAL = {
    **MINIMAL,
    "security": {
        "protocol": "SSL", "secret": "cert", "keys": {"keyPassword": "pass"},
        "ca": {"secret": "kafka-ca", "key": "ca.pem"},
    },
}  # fmt: skip  # as above
TOKEN = {
    **MINIMAL,
    "security": {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "secret": "login"},
}
ALL = {
    **MINIMAL,
    "topicPrefix": "Live_1.", "outputPrefix": "out.", "group": "green", "replication": 1,
    "retention": "36h", "rejectedRetention": "90m", "drain": "1500ms",
    "settings": {"AUDIENCE_TOP_BROADCASTS": 1000000, "AUDIENCE_LATENESS": "10m"},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "image": {"digest": f"sha256:{'a' * 64}", "pullSecrets": [{"name": "pull"}]},
    "security": {"protocol": "SASL_SSL"},
    "serviceAccount": {"annotations": {"a": "b"}},
    "podDisruptionBudget": {"maxUnavailable": "30%"},
    "networkPolicy": {
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "kafkaPorts": [9094, 9095],
        "kafkaTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "extraEgress": [{"ports": [{"port": 443}]}],
    },
    "podAnnotations": {"a": "b"}, "podLabels": {"team": "live"},
    "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "live", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}}, "priorityClassName": "high",
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "job": "live"},
    "prometheusRule": {
        "enabled": True, "runbooks": "https://wiki.example/runbooks/",
        "dashboards": "https://grafana.example", "keep": ["region", "namespace", "job"],
        "optional": True, "without": ["AudienceRecord"], "severities": {"WorkerDown": "critical"},
        "alertLabels": {"team": "live"}, "alertAnnotations": {"wiki": "https://wiki.example"},
        "silences": {"youtube": 600},
    },
    "dashboards": {"enabled": True, "annotations": {"folder": "Live"}},
    "keda": {"enabled": True, "prometheus": "http://prometheus.example:9090"},
    "strimzi": {"cluster": "kafka", "topics": {"enabled": True}, "user": {"enabled": True}},
}  # fmt: skip  # as above
STRIMZI_TLS = {
    **MINIMAL,
    "security": {"protocol": "SSL"},
    "strimzi": {
        "cluster": "kafka", "user": {"enabled": True, "authentication": "tls"},
        "topics": {"enabled": True, "events": False},
    },
}  # fmt: skip  # as above
BARE = {
    **MINIMAL,
    **{
        name: {"enabled": False}
        for name in ("topicsJob", "podDisruptionBudget", "topologySpread", "networkPolicy")
    },
    "serviceAccount": {"create": False},
}
VARIANTS = {
    "minimal": MINIMAL, "bare": BARE, "scram": SCRAM, "mutual-tls": MUTUAL, "token": TOKEN,
    "all": ALL, "strimzi-tls": STRIMZI_TLS,
}  # fmt: skip  # as above
each_variant = pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)


def pods(rendered):
    """The pods that are made: of the workers and of the topics' job."""
    return [each["spec"]["template"]["spec"] for each in workers_and_jobs(rendered)]


def workers_and_jobs(rendered):
    return [rendered.one("StatefulSet"), *rendered.of("Job")]


# -- without helm ----------------------------------------------------------------------------------


def test_its_files_are_what_the_code_makes():
    command = [sys.executable, str(ROOT / "deploy" / "helm" / "make.py"), "--check"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dashboards_are_those_of_the_other_folder():
    found, wanted = (
        {path.name: path.read_text() for path in folder.iterdir()}
        for folder in (CHART / "files" / "dashboards", ROOT / "deploy" / "grafana" / "dashboards")
    )
    assert found == wanted


def test_its_version_is_the_projects():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_every_value_is_described_and_no_other_is_taken():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)

    def look(schema, values, path):
        assert schema["description"].endswith("."), path
        if "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, path
        # `global` is Helm's own.
        assert schema["properties"].keys() - {"global"} == values.keys(), path
        for name, each in schema["properties"].items():
            if name in values:
                look(each, values[name], f"{path}.{name}")

    look(SCHEMA, VALUES, "values")


def test_creator_rights_stand_in_the_documentation():
    text = (ROOT / "docs" / "security.md").read_text()
    assert (
        "needs Create and Describe on all the topics, Read and Write on the topic `output-owner`, "
        "and Write on the transactional id `output-owner`" in text
    )
    rights = {(right.operation, right.kind, right.name) for right in creator_rights(Settings())}
    assert {
        ("Read", "topic", "output-owner"),
        ("Write", "topic", "output-owner"),
        ("Write", "transactional-id", "output-owner"),
    } <= rights
    for topic in Topics.of(Settings()):
        for operation in ("Create", "Describe"):
            assert any(
                operation == right.operation and topic.name.startswith(right.name)
                for right in creator_rights(Settings())
            )


def test_the_table_of_sizes_has_the_figures_that_were_measured_and_links_lead_somewhere():
    text = (CHART / "README.md").read_text()
    # The chart's page leads to the table, which is the same for all ways to run it.
    assert "../../../docs/operations.md#size" in text
    sizes = (ROOT / "docs" / "operations.md").read_text()
    # (How many broadcasts a season has stands in the project's own.)
    measured = "".join((ROOT / path).read_text() for path in ("tests/bench/README.md", "README.md"))
    table = re.search(r"\n## Size\n.*?\n\n(\|.*?)\n\n", sizes, re.DOTALL)[1]
    figures = re.findall(r"\d[\d,.]*\d", table)
    assert len(figures) > 15
    assert [each for each in figures if each not in measured] == []
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (CHART / link).exists(), link


def test_the_helm_that_is_built_is_the_one_that_is_looked_for():
    assert re.search(
        rf"^HELM={re.escape(VERSION)}$", (ROOT / "tests" / "run").read_text(), re.MULTILINE
    )


# -- rendered --------------------------------------------------------------------------------------


@needs_helm
def test_helm_finds_nothing_wrong():
    code, out, said = helm("lint", "--strict", CHART, "--kube-version=1.27.0", values=MINIMAL)
    assert code == 0, out + said
    assert "WARNING" not in out + said


@needs_helm
@each_variant
def test_it_is_what_kubernetes_takes(values):
    rendered = render(values)
    assert {name: found for name, each in rendered.all.items() if (found := faults(each))} == {}


@needs_helm
def test_the_schemas_see_mistakes():
    rendered = render(ALL)
    looked_at = 0
    for kind, field in [
        ("StatefulSet", "podmanagementpolicy"), ("NetworkPolicy", "policyType"),
        ("PodMonitor", "podMetricsEndpoint"), ("PrometheusRule", "group"),
        ("ScaledObject", "cooldown"), ("KafkaTopic", "retention"), ("KafkaUser", "acl"),
    ]:  # fmt: skip  # pairs
        for resource in rendered.of(kind):
            assert faults(resource | {"spec": resource["spec"] | {field: "x"}})
            looked_at += 1
    rules = len(list((CHART / "files" / "rules").rglob("*.yml")))
    assert looked_at == 1 + 1 + 1 + rules + 1 + 8 + 2
    user = rendered.of("KafkaUser")[0]
    user["spec"]["authorization"]["acls"][0]["operations"] = ["read"]
    assert faults(user)


@needs_helm
def test_all_extras_are_off_unless_asked_for():
    kinds = {"StatefulSet", "Service", "ServiceAccount", "Job"}
    kinds |= {"PodDisruptionBudget", "NetworkPolicy"}
    assert render(MINIMAL).kinds() == kinds
    assert render(BARE).kinds() == {"StatefulSet", "Service"}
    more = {"PodMonitor", "PrometheusRule", "ConfigMap", "ScaledObject", "KafkaTopic", "KafkaUser"}
    assert render(ALL).kinds() == kinds | more


@needs_helm
@each_variant
def test_the_program_takes_the_settings(values, monkeypatch, tmp_path):
    for number, pod in enumerate(pods(render(values))):
        (tmp_path / str(number)).mkdir()
        with monkeypatch.context() as patch:
            settings = settings_of(pod, patch, tmp_path / str(number))
        assert settings.brokers == tuple(BROKERS.split(","))
        assert settings.group == values.get("group", "prod-live-audience")
        assert settings.log_format == "json"
        if pod["containers"][0]["args"] == ["worker"]:
            assert (settings.http_host, settings.http_port) == ("0.0.0.0", 9630)
    if values is ALL:
        assert settings.top_broadcasts == 1_000_000
        assert settings.topic_prefix == "Live_1."


@needs_helm
@pytest.mark.parametrize("drain", ["0s", "1500ms", "10s", "50s", "10m"])
def test_a_stop_has_the_time_that_it_may_take(drain):
    pod = render({**MINIMAL, "drain": drain, "rebalanceTimeout": "1h"})
    given = pod.one("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    settings = Settings(drain=drain, rebalance_timeout="1h")
    assert 10 < given - (create_app(settings).drain + _GRACE) <= 20


@needs_helm
@each_variant
def test_pods_are_nobodys_and_change_nothing(values):
    for pod in pods(render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["fsGroup"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        (container,) = pod["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        # What is mounted by itself does not follow a Secret that is changed.
        assert not any("subPath" in mount for mount in container["volumeMounts"])
        for each in pod["volumes"]:
            assert each.get("secret", {}).get("defaultMode", 0o440) == 0o440
        # The image's user.
        dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
        user = f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
        assert f"\nUSER {user}\n" in dockerfile


@needs_helm
def test_no_secret_is_in_the_release():
    for values in VARIANTS.values():
        assert "Secret" not in render(values).kinds()
        for pod in pods(render(values)):
            assert not {"AUDIENCE_SECURITY_PASSWORD", "AUDIENCE_SECURITY_KEY_PASSWORD"} & set(
                environment(pod)
            )


@needs_helm
def test_a_worker_has_its_pods_name_in_the_group_and_is_asked_how_it_is():
    rendered = render(MINIMAL)
    spec = rendered.one("StatefulSet")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (instance,) = [each for each in container["env"] if each["name"] == "AUDIENCE_INSTANCE"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    asked = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert {name: each["path"] for name, each in asked.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {each["port"] for each in asked.values()} == {"http"}
    service = rendered.one("Service")
    assert service["metadata"]["name"] == spec["serviceName"]
    assert service["spec"]["clusterIP"] == "None"
    # What deploy/prometheus/scrape/kubernetes.yml looks for.
    assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "live-audience"
    assert container["ports"] == [{"name": "http", "containerPort": 9630}]


@needs_helm
@each_variant
def test_whoever_selects_finds_the_workers_alone(values):
    rendered = render(values)
    job_labels = [each["spec"]["template"]["metadata"]["labels"] for each in rendered.of("Job")]
    labels = rendered.one("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [rendered.one("StatefulSet")["spec"]["selector"]["matchLabels"]]
    selectors.append(rendered.one("Service")["spec"]["selector"])
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selectors += [each["spec"]["selector"]["matchLabels"] for each in rendered.of(kind)]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not any(selector.items() <= each.items() for each in job_labels)
    for policy in rendered.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]["matchLabels"]
        assert all(selector.items() <= each.items() for each in (labels, *job_labels))


@needs_helm
def test_two_releases_in_one_namespace_share_nothing():
    second = {**ALL, "group": "", "topicPrefix": "", "outputPrefix": "second."}
    second["strimzi"] = {**ALL["strimzi"], "topics": {"enabled": True, "events": False}}
    first = {**second, "outputPrefix": "", "strimzi": ALL["strimzi"]}
    blue, green = render(first, "blue"), render(second, "green")
    assert not blue.all.keys() & green.all.keys()
    groups, selectors = [], []
    for rendered in (blue, green):
        groups.append(environment(pods(rendered)[0])["AUDIENCE_GROUP"])
        selectors.append(rendered.one("StatefulSet")["spec"]["selector"]["matchLabels"])
    assert groups == ["blue-live-audience", "green-live-audience"]
    assert selectors[0] != selectors[1]
    topics = [{each["spec"]["topicName"] for each in r.of("KafkaTopic")} for r in (blue, green)]
    assert not topics[0] & topics[1]
    assert "viewer-events" in topics[0]


@needs_helm
def test_topics_are_made_before_the_workers_or_beside_what_strimzi_makes():
    hook = render(MINIMAL).one("Job")
    assert hook["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = hook["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["topics", "create"]
    # The release's own account is not there yet.
    assert "serviceAccountName" not in pod
    plain = render(ALL).one("Job")
    assert "annotations" not in plain["metadata"]
    # It cannot be changed, so what does something else has another name.
    other = render({**ALL, "partitions": 12}).one("Job")
    assert other["metadata"]["name"] != plain["metadata"]["name"]
    # It logs in as somebody who may.
    worker, job = pods(render(SCRAM))
    assert [environment(p)["AUDIENCE_SECURITY_USER"] for p in (worker, job)] == [
        "live-audience",
        "admin",
    ]
    assert [volume(p, "login") for p in (worker, job)] == ["login", "admin-login"]


@needs_helm
@pytest.mark.parametrize(
    "values",
    [
        ALL,
        STRIMZI_TLS,
        {**ALL, "replication": 5, "partitions": 3},
        {**ALL, "settings": {"AUDIENCE_MINUTES": "on", "AUDIENCE_MINUTES_RETENTION": "3d"}},
    ],
)
def test_strimzi_makes_what_the_code_asks_for(values, monkeypatch, tmp_path):
    rendered = render(values)
    settings = settings_of(pods(rendered)[0], monkeypatch, tmp_path)
    topics = {each["spec"].pop("topicName"): each for each in rendered.of("KafkaTopic")}
    wanted = {
        topic.name: {
            "partitions": topic.partitions,
            "replicas": topic.replication,
            "config": dict(topic.config),
        }
        for topic in Topics.of(settings)
    }
    if values is STRIMZI_TLS:
        del wanted[Topics.of(settings).events.name]
    assert {name: topic["spec"] for name, topic in topics.items()} == wanted
    for topic in topics.values():
        assert topic["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}

    rights = {
        worker_or_job["metadata"]["name"]: {
            (acl["resource"]["type"].replace("Id", "-id"), acl["resource"]["name"],
             acl["resource"]["patternType"] == "prefix", operation)
            for acl in worker_or_job["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        }
        for worker_or_job in rendered.of("KafkaUser")
    }  # fmt: skip  # one right is one line
    assert rights == {
        "prod-live-audience": {
            right[:4] for right in (*worker_rights(settings), *useful_rights(settings))
        },
        "prod-live-audience-topics": {right[:4] for right in creator_rights(settings)},
    }
    for each in (*rendered.of("KafkaTopic"), *rendered.of("KafkaUser")):
        assert each["metadata"]["labels"]["strimzi.io/cluster"] == "kafka"


@needs_helm
def test_pods_log_in_with_what_strimzi_makes():
    worker, job = pods(render(ALL))
    for pod, name in ((worker, "prod-live-audience"), (job, "prod-live-audience-topics")):
        assert environment(pod)["AUDIENCE_SECURITY_USER"] == name
        assert volume(pod, "login") == name
        assert volume(pod, "ca") == "kafka-cluster-ca-cert"
    for pod in pods(render(STRIMZI_TLS)):
        assert environment(pod)["AUDIENCE_SECURITY_CERTIFICATE"].endswith("/user.crt")
        assert environment(pod)["AUDIENCE_SECURITY_KEY"].endswith("/user.key")


def rules_of(rendered):
    return {
        each["metadata"]["name"].removeprefix("prod-live-audience-"): each["spec"]
        for each in rendered.of("PrometheusRule")
    }


def rules_by(options):
    return {
        Path(name).stem: yaml.safe_load(text)
        for name, text in alerts.rules(options=options).items()
    }


@needs_helm
def test_rules_are_those_that_the_generator_writes_for_the_release(tmp_path):
    found = rules_of(render(ALL))
    assert found == rules_by(
        alerts.Options(
            selector='namespace="shows", job="live"',
            gateway_selector='namespace="shows", job="live-gateway"',
            keep=("region", "namespace", "job"),
            labels={"team": "live"},
            annotations={"wiki": "https://wiki.example"},
            severities={"WorkerDown": "critical"},
            without=frozenset({"AudienceRecord"}),
            silences={"youtube": 600},
            runbooks="https://wiki.example/runbooks/",
            dashboards="https://grafana.example",
        )
    )
    for name, spec in found.items():
        (tmp_path / name).write_text(yaml.safe_dump(spec))
        check("promtool", "check", "rules", tmp_path / name)


@needs_helm
@pytest.mark.parametrize(
    ("values", "selector", "gateways"),
    [
        ({}, 'job="live-audience"', 'job="live-audience-gateway"'),
        # As the Operator names it where nobody else does.
        (
            {"podMonitor": {"enabled": True, "job": ""}},
            'namespace="shows", job="shows/prod-live-audience"',
            'namespace="shows", job="shows/prod-live-audience-gateway"',
        ),
        (
            {
                "prometheusRule": {
                    "selector": 'cluster="a", job=~".*audience"',
                    "gatewaySelector": 'job=~".*gateway"',
                }
            },
            'cluster="a", job=~".*audience"',
            'job=~".*gateway"',
        ),
    ],
)
def test_rules_look_at_this_release_alone_unless_told(values, selector, gateways):
    values = {**values, "prometheusRule": {"enabled": True, **values.get("prometheusRule", {})}}
    wanted = rules_by(alerts.Options(selector=selector, gateway_selector=gateways))
    del wanted["export-alerts"]
    rendered = render({**MINIMAL, **values})
    assert rules_of(rendered) == wanted
    if values.get("podMonitor"):
        [endpoint] = rendered.of("PodMonitor")[0]["spec"]["podMetricsEndpoints"]
        assert "job" not in [each["targetLabel"] for each in endpoint["relabelings"]]


@needs_helm
def test_dashboards_come_through_unchanged():
    boards = render(ALL).of("ConfigMap")
    assert len(boards) == 4
    for board in boards:
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((name, text),) = board["data"].items()
        path = CHART / "files" / "dashboards" / name.removeprefix("live-audience-")
        assert json.loads(text) == json.loads(path.read_text())


@needs_helm
def test_workers_are_scraped_as_by_the_configuration_of_prometheus():
    (scraped,) = render(ALL).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    path = ROOT / "deploy" / "prometheus" / "scrape" / "kubernetes.yml"
    jobs = yaml.safe_load(path.read_text())["scrape_configs"]
    (wanted,) = (job for job in jobs if job["job_name"] == "live-audience")
    labels = {
        each["target_label"]: each["source_labels"]
        for each in wanted["relabel_configs"]
        if "target_label" in each
    }
    found = {each["targetLabel"]: each.get("sourceLabels") for each in scraped["relabelings"]}
    assert found == {**labels, "job": None}
    assert scraped["interval"] == wanted["scrape_interval"]
    sample_limit = render(ALL).one("PodMonitor")["spec"]["sampleLimit"]
    assert sample_limit == wanted["sample_limit"]


@needs_helm
def test_keda_says_how_many_and_takes_its_time():
    rendered = render(ALL)
    assert "replicas" not in rendered.one("StatefulSet")["spec"]
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"]["name"] == rendered.one("StatefulSet")["metadata"]["name"]
    # More workers than partitions have nothing to do.
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 8)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 1800
    (trigger,) = spec["triggers"]
    lag = 'audience_source_lag_records{namespace="shows", job="live", stage="broadcasts"}'
    assert lag in trigger["metadata"]["query"]
    assert trigger["metadata"]["threshold"] == "100000"


def selector(rendered):
    return rendered.one("StatefulSet")["spec"]["selector"]["matchLabels"]


@needs_helm
def test_who_may_look_is_a_secret_that_is_there():
    values = {**MINIMAL, "http": {"secret": "look", "key": "words", "anonymous": "none"}}
    rendered = render({**values, "podMonitor": {"enabled": True}})
    (pod,) = [found for found in pods(rendered) if "AUDIENCE_HTTP_HOST" in environment(found)]
    given = environment(pod)
    assert given["AUDIENCE_HTTP_ANONYMOUS"] == "none"
    assert given["AUDIENCE_HTTP_TOKEN_FILE"] == "/etc/live-audience/http/words"
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "http"]
    assert mount["mountPath"] == "/etc/live-audience/http"
    (volume,) = [each for each in pod["volumes"] if each["name"] == "http"]
    assert volume["secret"]["secretName"] == "look"
    assert volume["secret"]["items"] == [{"key": "words", "path": "words"}]
    (endpoint,) = rendered.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "look", "key": "words"}
    for resource in rendered.all.values():
        assert faults(resource) == []
    # By default probes and scrapes are answered, and figures told to nobody beyond the pod.
    (pod,) = [
        found for found in pods(render(MINIMAL)) if "AUDIENCE_HTTP_HOST" in environment(found)
    ]
    assert environment(pod)["AUDIENCE_HTTP_ANONYMOUS"] == "metrics"
    assert "AUDIENCE_HTTP_TOKEN_FILE" not in environment(pod)


@needs_helm
def test_the_network_is_what_kafka_and_scrapes_need():
    policy = render(ALL).one("NetworkPolicy")["spec"]
    workers = {"podSelector": {"matchLabels": selector(render(ALL))}}
    assert policy["ingress"] == [
        {"ports": [{"port": "http"}], "from": [*ALL["networkPolicy"]["ingressFrom"], workers]}
    ]
    others, names, brokers, more = policy["egress"]
    assert others == {"ports": [{"port": "http"}], "to": [workers]}
    assert {port["port"] for port in names["ports"]} == {53}
    assert [port["port"] for port in brokers["ports"]] == [9092, 9094, 9095]
    assert brokers["to"] == ALL["networkPolicy"]["kafkaTo"]
    assert more == ALL["networkPolicy"]["extraEgress"][0]


@needs_helm
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "brokers: must be set"),
        ({"brokers": "kafka"}, "does not match pattern"),
        ({**MINIMAL, "replica": 3}, "additional properties 'replica' not allowed"),
        ({**MINIMAL, "drain": "10"}, "does not match pattern"),
        ({**MINIMAL, "settings": {"AUDIENCE_DRAIN": "1s"}}, "settings.AUDIENCE_DRAIN: the chart"),
        ({**MINIMAL, "settings": {"AUDIENCE_SECURITY_PASSWORD": "x"}}, "the chart sets it itself"),
        ({**MINIMAL, "security": {"protocol": "SASL_SSL"}}, "security.secret: SASL_SSL needs"),
        (
            {**MINIMAL, "security": {"protocol": "SASL_SSL", "secret": "s"}},
            "security.user: SCRAM-SHA-512 needs",
        ),
        ({**MINIMAL, "keda": {"enabled": True}}, "keda.prometheus: must be set"),
        (
            {**MINIMAL, "http": {"anonymous": "none"}, "podMonitor": {"enabled": True}},
            "http.secret: must be set",
        ),
        (
            {**MINIMAL, "keda": {"enabled": True, "prometheus": "http://p", "maxReplicas": 9}},
            "keda.maxReplicas: more than partitions",
        ),
        ({**MINIMAL, "strimzi": {"topics": {"enabled": True}}}, "strimzi.cluster: must be set"),
        (
            {**MINIMAL, "strimzi": {"cluster": "k", "user": {"enabled": True}}},
            "security: must be SASL_SSL and SCRAM-SHA-512",
        ),
        (
            {**STRIMZI_TLS, "topicsJob": {"mode": "hook"}},
            "topicsJob.mode: must not be hook",
        ),
    ],
)
def test_what_cannot_work_is_said(values, said):
    assert said in refusal(values)


@needs_helm
def test_what_the_notes_say_is_there(tmp_path):
    """NOTES.txt is not rendered by `helm template`; a copy of it as a template is."""
    chart = tmp_path / "live-audience"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates" / "NOTES.txt").read_text()
    indented = "\n".join(f"    {line}" for line in notes.splitlines())
    text = f"kind: Notes\nmetadata:\n  name: notes\ndata:\n  text: |\n{indented}\n"
    (chart / "templates" / "notes.yaml").write_text(text)
    code, out, said = helm(
        "template", "prod", chart, "--kube-version=1.30.0", "--namespace=shows", values=MINIMAL
    )
    assert code == 0, said
    assert "statefulset/prod-live-audience" in out
    assert "prod-live-audience-0 9630" in out
    assert re.search(r"group prod-live-audience at kafka-1\.example:9092", out)

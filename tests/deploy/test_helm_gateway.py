"""The gateway in the chart: rendered by the real helm, held to schemas and to the code."""

import tomllib

import pytest
import yaml
from deploy.helm_tools import (
    BROKERS,
    CHART,
    MINIMAL,
    environment,
    faults,
    needs_helm,
    refusal,
    render,
    settings_of,
    volume,
)
from deploy.prometheus_tools import DEPLOY

from agents.gateway.access import gateway_creator_rights, gateway_rights
from agents.gateway.config import load
from agents.gateway.topics import GatewayTopics
from agents.topics.access import creator_rights, worker_rights
from agents.worker import _GRACE
from streams.settings import Settings

CONFIG = """
[[endpoint]]
name = "own"
source = "standard-webhooks"
platform = "own"
secrets = [{ file = "/etc/live-audience/secrets/own/secret" }]
[endpoint.mapping]
channel = "channel"
"""
POLL = """
[[poll]]
name = "youtube"
source = "youtube"
secret = { file = "/etc/live-audience/secrets/youtube/key" }
channels = ["dQw4w9WgXcQ"]
"""
GATEWAY = {**MINIMAL, "gateway": {"enabled": True, "config": CONFIG, "secrets": ["own"]}}
ALL = {
    **MINIMAL,
    "drain": "1500ms",
    "security": {"protocol": "SASL_SSL"},
    "networkPolicy": {"ingressFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]},
    "podMonitor": {"enabled": True, "job": "live"},
    "strimzi": {"cluster": "kafka", "topics": {"enabled": True}, "user": {"enabled": True}},
    "gateway": {
        "enabled": True, "replicas": 3, "config": CONFIG + POLL, "secrets": ["own", "youtube"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    },
}  # fmt: skip  # values read best close together
OWN_USER = {
    **GATEWAY,
    "security": {"protocol": "SASL_SSL", "user": "worker", "secret": "login"},
    "gateway": {**GATEWAY["gateway"], "user": "gateway", "secret": "gateway-login"},
}
VARIANTS = {"plain": GATEWAY, "all": ALL, "own-user": OWN_USER}
each_variant = pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
NAME = "prod-live-audience-gateway"


SCRAPES = yaml.safe_load((DEPLOY / "prometheus/scrape/kubernetes.yml").read_text("utf-8"))[
    "scrape_configs"
]


def finds(job, labels, ports):
    """Whether a job of Prometheus scrapes a pod with these labels and ports."""
    (discovery,) = job["kubernetes_sd_configs"]
    (selector,) = discovery["selectors"]
    wanted = dict(each.split("=") for each in selector["label"].split(","))
    (kept,) = (each["regex"] for each in job["relabel_configs"] if each.get("action") == "keep")
    return wanted.items() <= labels.items() and kept in ports


def pod_of(rendered):
    return rendered.one("Deployment")["spec"]["template"]["spec"]


@needs_helm
@each_variant
def test_it_is_what_kubernetes_takes(values):
    rendered = render(values)
    assert {name: found for name, each in rendered.all.items() if (found := faults(each))} == {}
    deployment = rendered.one("Deployment")
    wrong = deployment | {"spec": deployment["spec"] | {"replica": 2}}
    assert faults(wrong)


@needs_helm
@each_variant
def test_its_pods_read_their_settings_and_their_file(values, monkeypatch, tmp_path):
    rendered = render(values)
    pod = pod_of(rendered)
    with monkeypatch.context() as patch:
        settings = settings_of(pod, patch, tmp_path)
    assert settings.brokers == tuple(BROKERS.split(","))
    assert settings.group == "prod-live-audience"  # its names are those of the workers' deployment
    assert str(settings.gateway) == "/etc/live-audience/gateway/gateway.toml"
    (text,) = rendered.all["ConfigMap", NAME]["data"].values()
    assert tomllib.loads(text)
    (tmp_path / "gateway.toml").write_text(text)
    config = load(tmp_path / "gateway.toml")
    (container,) = pod["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"hooks": config.port, "health": config.health_port}
    assert (config.host, config.health_host) == ("0.0.0.0", "0.0.0.0")
    # deploy/prometheus/scrape/kubernetes.yml finds it, as the gateway and not as a worker.
    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert [job["job_name"] for job in SCRAPES if finds(job, labels, ports)] == [
        "live-audience-gateway"
    ]
    # Each secret that the file names is in a folder that is mounted.
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    for place in (
        *(s for e in config.endpoint for s in e.secrets),
        *(p.secret for p in config.poll),
    ):
        folder = str(place.file.parent)
        assert volume(pod, mounted[folder]) == place.file.parent.name


@needs_helm
@each_variant
def test_its_pods_are_nobodys_and_answer_also_without_kafka(values):
    pod = pod_of(render(values))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    assert container["args"] == ["gateway", "run"]
    # /readyz falls with Kafka, and a pod that is not ready is sent no sender.
    for probe in ("startup", "liveness", "readiness"):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    drain = 1.5 if values is ALL else 10
    stops = int(container["lifecycle"]["preStop"]["exec"]["command"][1]) + drain + _GRACE
    assert 10 < pod["terminationGracePeriodSeconds"] - stops <= 20
    for each in pod["volumes"]:
        assert each.get("secret", {}).get("defaultMode", 0o440) == 0o440


@needs_helm
@each_variant
def test_whoever_selects_finds_the_gateways_alone(values):
    rendered = render(values)
    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    others = [rendered.one("StatefulSet"), *rendered.of("Job")]
    others = [each["spec"]["template"]["metadata"]["labels"] for each in others]
    assert len(others) == 3  # the workers, and a job for each one's topics
    selectors = [
        rendered.one("Deployment")["spec"]["selector"]["matchLabels"],
        rendered.all["Service", NAME]["spec"]["selector"],
        rendered.all["PodDisruptionBudget", NAME]["spec"]["selector"]["matchLabels"],
        rendered.all["NetworkPolicy", NAME]["spec"]["podSelector"]["matchLabels"],
    ]
    if values is ALL:
        selectors.append(rendered.all["PodMonitor", NAME]["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not any(selector.items() <= each.items() for each in others)
    for kind in ("StatefulSet", "Service", "PodDisruptionBudget"):
        spec = rendered.all[kind, "prod-live-audience" + "-workers" * (kind == "Service")]["spec"]
        selector = spec["selector"].get("matchLabels", spec["selector"])
        assert not selector.items() <= labels.items(), kind


@needs_helm
def test_senders_reach_the_hooks_and_nothing_else():
    rendered = render(ALL)
    service = rendered.all["Service", NAME]["spec"]
    assert [each["targetPort"] for each in service["ports"]] == ["hooks"]
    policy = rendered.all["NetworkPolicy", NAME]["spec"]
    assert policy["ingress"] == [
        {"ports": [{"port": "hooks"}], "from": ALL["gateway"]["ingressFrom"]},
        {"ports": [{"port": "health"}], "from": ALL["networkPolicy"]["ingressFrom"]},
    ]
    assert policy["egress"] == [{"ports": [{"port": 443}]}]
    # Who polls nothing reaches nothing but Kafka and DNS, which the policy of all pods allows.
    assert render(GATEWAY).all["NetworkPolicy", NAME]["spec"]["egress"] == []
    everyone = rendered.all["NetworkPolicy", "prod-live-audience"]["spec"]["podSelector"]
    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert everyone["matchLabels"].items() <= labels.items()
    (scraped,) = rendered.all["PodMonitor", NAME]["spec"]["podMetricsEndpoints"]
    job = next(each for each in scraped["relabelings"] if each["targetLabel"] == "job")
    assert (scraped["port"], job["replacement"]) == ("health", "live-gateway")
    # Where the Operator names the jobs it calls this one after the monitor: NAME.
    unnamed = {"podMonitor": {"enabled": True, "job": ""}}
    monitor = render({**GATEWAY, **unnamed}).all["PodMonitor", NAME]["spec"]
    (scraped,) = monitor["podMetricsEndpoints"]
    assert "job" not in [each["targetLabel"] for each in scraped["relabelings"]]


@needs_helm
def test_its_topics_are_made_beside_those_of_the_workers():
    jobs = {name: job for (kind, name), job in render(GATEWAY).all.items() if kind == "Job"}
    pods = {name: job["spec"]["template"]["spec"] for name, job in jobs.items()}
    assert {name: pod["containers"][0]["args"] for name, pod in pods.items()} == {
        "prod-live-audience-topics": ["topics", "create"],
        "prod-live-audience-gateway-topics": ["gateway", "topics"],
    }
    for job in jobs.values():
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    plain = {name for kind, name in render(ALL).all if kind == "Job"}
    assert len(plain) == 2
    assert not plain & jobs.keys()


@needs_helm
def test_it_logs_in_as_itself():
    pod = pod_of(render(OWN_USER))
    assert environment(pod)["AUDIENCE_SECURITY_USER"] == "gateway"
    assert volume(pod, "login") == "gateway-login"
    strimzi = pod_of(render(ALL))
    assert environment(strimzi)["AUDIENCE_SECURITY_USER"] == volume(strimzi, "login") == NAME


@needs_helm
def test_strimzi_makes_its_topics_and_its_user(monkeypatch, tmp_path):
    rendered = render(ALL)
    with monkeypatch.context() as patch:
        settings = settings_of(pod_of(rendered), patch, tmp_path)
    topics = {each["spec"].pop("topicName"): each["spec"] for each in rendered.of("KafkaTopic")}
    for topic in GatewayTopics.of(settings).own:
        assert topics[topic.name] == {
            "partitions": topic.partitions,
            "replicas": topic.replication,
            "config": dict(topic.config),
        }
    users = {
        each["metadata"]["name"]: {
            (acl["resource"]["type"].replace("Id", "-id"), acl["resource"]["name"],
             acl["resource"]["patternType"] == "prefix", operation)
            for acl in each["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        }
        for each in rendered.of("KafkaUser")
    }  # fmt: skip  # one right is one line
    assert users[NAME] == {right[:4] for right in gateway_rights(settings)}
    creators = (*creator_rights(settings), *gateway_creator_rights(settings))
    assert users["prod-live-audience-topics"] == {right[:4] for right in creators}
    assert {right[:4] for right in worker_rights(settings)} <= users["prod-live-audience"]


def test_who_makes_its_topics_may_make_all_of_them():
    settings = Settings(topic_prefix="a.", output_prefix="b.")
    rights = [*creator_rights(settings), *gateway_creator_rights(settings)]
    for topic in GatewayTopics.of(settings).own:
        for operation in ("Create", "Describe"):
            assert any(
                right.operation == operation
                and (
                    topic.name.startswith(right.name)
                    if right.prefixed
                    else topic.name == right.name
                )
                for right in rights
            ), (topic.name, operation)


@needs_helm
@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        ({}, "gateway.config: must be set"),
        ({"config": f"port = 1{CONFIG}"}, "gateway.config: must not set host, port"),
        ({"config": f'a = 1\n  health_host="::"\n{CONFIG}'}, "gateway.config: must not set host"),
        ({"config": CONFIG, "secret": "A_B"}, "does not match pattern"),
        ({"config": CONFIG, "services": {}}, "additional properties 'services' not allowed"),
    ],
)
def test_what_cannot_work_is_said(gateway, said):
    assert said in refusal({**MINIMAL, "gateway": {"enabled": True, **gateway}})


def test_it_is_off_unless_asked_for():
    assert "enabled: false" in (CHART / "values.yaml").read_text().partition("\ngateway:\n")[2][:40]

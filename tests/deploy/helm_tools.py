"""The real helm, and the schemas of what it renders: Kubernetes' own and those of the CRDs."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate.utils
import pytest
import yaml

from streams.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "live-audience"
BROKERS = "kafka-1.example:9092,kafka-2.example:9094"
MINIMAL = {"brokers": BROKERS}
#: tests/run puts this one there: fetched, or built where there is a Go.
VERSION = "v4.3.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "live-audience"
#: The oldest that the chart allows, and the newest of which there are schemas.
KUBERNETES = ("1.27.0", kubernetes_validate.utils.latest_version())

_CRDS = {
    (crd["apiVersion"], crd["kind"]): crd
    for crd in map(
        json.loads,
        (path.read_text() for path in (Path(__file__).parent / "data" / "crds").glob("*.json")),
    )
}

# It reads and parses its definitions, some megabytes, for each resource.
kubernetes_validate.utils.schema_contents = functools.cache(
    kubernetes_validate.utils.schema_contents
)


def helm_program():
    """The path of a helm, or None: TEST_HELM, that of tests/run, or the one on the PATH."""
    if given := os.environ.get("TEST_HELM"):
        return given
    built = CACHE / f"helm-{VERSION}" / "helm"
    return str(built) if built.is_file() else shutil.which("helm")


def needs_helm(test):
    """Say what is left out without a helm."""
    # Helm is no package for Python: where it can be neither fetched nor built, the rest is tested.
    return pytest.mark.skipif(
        helm_program() is None,
        reason="left out: nothing was rendered, for there is no helm; tests/run fetches one for "
        "Linux on x86-64, and builds one where there is a Go; else put one on the PATH",
    )(test)


class Rendered:
    """What helm makes of values: the resources, by kind and name."""

    def __init__(self, text):
        documents = [each for each in yaml.safe_load_all(text) if each]
        self.all = {(each["kind"], each["metadata"]["name"]): each for each in documents}
        assert len(self.all) == len(documents), "two resources of one name"

    def kinds(self):
        return {kind for kind, _ in self.all}

    def of(self, kind):
        return [each for (found, _), each in self.all.items() if found == kind]

    def one(self, kind):
        (found,) = self.of(kind)
        return found


def helm(*arguments, values=None):
    """Run it; returns exit code, stdout and stderr."""
    ended = subprocess.run(
        [helm_program(), *map(str, arguments), *(["--values", "-"] if values is not None else [])],
        input=None if values is None else json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@functools.cache
def _rendered(release, values):
    code, out, said = helm(
        "template", release, CHART, "--namespace=shows", f"--kube-version={KUBERNETES[1]}",
        values=json.loads(values),
    )  # fmt: skip  # a command reads best as it is typed
    return code, out, said


def render(values, release="prod"):
    """What becomes of these values."""
    code, out, said = _rendered(release, json.dumps(values))
    assert code == 0, said
    return Rendered(out)


def refusal(values):
    """What helm says of values that it does not take."""
    code, _, said = _rendered("prod", json.dumps(values))
    assert code != 0
    return said


def faults(resource):
    """What of a resource is against its schemas, strictly: a field that is unknown, too."""
    crd = _CRDS.get((resource["apiVersion"], resource["kind"]))
    if crd is not None:
        checker = jsonschema.Draft202012Validator(strict(crd["schema"]))
        return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(resource)]
    found = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {error.json_path}: {error.message}")
    return found


def strict(schema):
    """A CRD's schema as JSON Schema, which takes no field that is not named.

    What a CRD says in CEL (`x-kubernetes-validations`) is not looked at.
    """
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {
        key: {name: strict(each) for name, each in value.items()}
        if key == "properties"
        else strict(value)
        for key, value in schema.items()
        if not key.startswith("x-")
    }
    if (
        "properties" in schema
        and "additionalProperties" not in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        made["additionalProperties"] = False
    if "properties" in schema and schema["properties"].get("metadata") == {"type": "object"}:
        made["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return made


def environment(pod):
    """Its settings, those by value alone."""
    found = pod["containers"][0]["env"]
    names = [each["name"] for each in found]
    assert len(set(names)) == len(names)
    return {each["name"]: each["value"] for each in found if "value" in each}


def settings_of(pod, monkeypatch, tmp_path):
    """The settings that the program itself makes of a pod, with its Secrets' files in a folder."""
    files = {}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in pod["containers"][0]["volumeMounts"]:
        for item in volumes[mount["name"]].get("secret", {}).get("items", []):
            assert mount["readOnly"]
            path = tmp_path / mount["name"] / item["path"]
            path.parent.mkdir(exist_ok=True)
            path.write_text("something")
            files[f"{mount['mountPath']}/{item['path']}"] = str(path)
    used = set()
    for name, value in environment(pod).items():
        if name.startswith(PREFIX):
            used |= {value} & files.keys()
            monkeypatch.setenv(name, files.get(value, value))
    assert used == files.keys(), "what is mounted is used, and the other way round"
    return Settings()


def volume(pod, name):
    (found,) = [each for each in pod["volumes"] if each["name"] == name]
    return found["secret"]["secretName"]

"""The files that start a cluster: their fields are those of the published schemas."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import cli
from app.settings import APP_VERSION
from tests.conftest import ROOT

FOLDER = ROOT / "app" / "scale"
# Fields of KubeRay's API ray.io/v1, by its reference; True where one must be given.
POD = {"containers": (list, True), "nodeSelector": (dict, False), "tolerations": (list, False)}
TEMPLATE = {"metadata": (dict, False), "spec": (POD, True)}
CONTAINER = {
    "name": (str, True), "image": (str, True), "env": (list, False), "envFrom": (list, False),
    "resources": (dict, True), "volumeMounts": (list, False), "command": (list, False),
}  # fmt: skip
HEAD = {
    "template": (TEMPLATE, True), "rayStartParams": (dict, False), "serviceType": (str, False),
    "enableIngress": (bool, False), "headService": (dict, False),
}  # fmt: skip
WORKERS = {
    "groupName": (str, True), "replicas": (int, False), "minReplicas": (int, True),
    "maxReplicas": (int, True), "idleTimeoutSeconds": (int, False), "numOfHosts": (int, False),
    "rayStartParams": (dict, False), "scaleStrategy": (dict, False), "suspend": (bool, False),
    "template": (TEMPLATE, True),
}  # fmt: skip
CLUSTER = {
    "headGroupSpec": (HEAD, True), "workerGroupSpecs": (list, False), "rayVersion": (str, False),
    "enableInTreeAutoscaling": (bool, False), "autoscalerOptions": (dict, False),
    "suspend": (bool, False), "headServiceAnnotations": (dict, False),
    "gcsFaultToleranceOptions": (dict, False), "managedBy": (str, False),
}  # fmt: skip
JOB = {
    "activeDeadlineSeconds": (int, False), "backoffLimit": (int, False),
    "rayClusterSpec": (CLUSTER, True), "submitterPodTemplate": (dict, False),
    "metadata": (dict, False), "clusterSelector": (dict, False), "submitterConfig": (dict, False),
    "managedBy": (str, False), "deletionStrategy": (dict, False), "entrypoint": (str, True),
    "runtimeEnvYAML": (str, False), "jobId": (str, False), "submissionMode": (str, False),
    "entrypointResources": (str, False), "entrypointNumCpus": (float, False),
    "entrypointNumGpus": (float, False), "ttlSecondsAfterFinished": (int, False),
    "shutdownAfterJobFinishes": (bool, False), "suspend": (bool, False),
}  # fmt: skip
RAY_JOB = {
    "apiVersion": (str, True), "kind": (str, True), "metadata": (dict, True), "spec": (JOB, True),
}  # fmt: skip


def mistakes(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """Return what a mapping has that a schema forbids, and what it lacks."""
    found = [f"{where}{name} is unknown" for name in value if name not in schema]
    found += [
        f"{where}{n} is missing" for n, (_, must) in schema.items() if must and n not in value
    ]
    for name in value:
        kind = schema.get(name, (object, False))[0]
        if isinstance(kind, dict):
            found += mistakes(value[name], kind, f"{where}{name}.")
        elif not isinstance(value[name], kind):
            found.append(f"{where}{name} is no {kind.__name__}")
    return found


def load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def parts_of(job: Any) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (head, worker groups, all containers)."""
    cluster = job["spec"]["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    return head, workers, [c for p in (head, *workers) for c in p["template"]["spec"]["containers"]]


def test_the_job_has_the_fields_of_kuberay() -> None:
    job = load("rayjob.yaml")
    head, workers, containers = parts_of(job)
    found = mistakes(job, RAY_JOB)
    found += [m for group in workers for m in mistakes(group, WORKERS, "workers.")]
    found += [m for container in containers for m in mistakes(container, CONTAINER, "container.")]
    assert not found
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    for part in (head, *workers):  # values of rayStartParams are texts
        assert all(isinstance(value, str) for value in part["rayStartParams"].values())
    for group in workers:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for container in containers:
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["image"].endswith(f":{APP_VERSION}")


def test_a_misspelt_field_of_a_job_is_found() -> None:
    job = load("rayjob.yaml")
    job["spec"]["entryPoint"] = job["spec"].pop("entrypoint")
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"] = "one"
    assert mistakes(job, RAY_JOB) == [
        "spec.entryPoint is unknown",
        "spec.entrypoint is missing",
        "spec.rayClusterSpec.headGroupSpec.template.spec.containers is no list",
    ]


def test_the_command_of_the_job_parses() -> None:
    words = load("rayjob.yaml")["spec"]["entrypoint"].split()
    assert words[:3] == ["python", "-m", "app"]
    assert cli.build_parser().parse_args(words[3:]).resume


def test_a_model_fits_a_worker_of_the_job() -> None:
    from longt5.evaluation.ray_session import CORES_PER_WORKER, cluster_layout

    head, (group,), _ = parts_of(load("rayjob.yaml"))
    cpus = float(group["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    nodes = [{"CPU": cpus}] * group["replicas"] + [
        {"CPU": float(head["rayStartParams"]["num-cpus"])}
    ]
    layout = cluster_layout(None, nodes)
    assert (layout.workers, layout.cpus) == (group["replicas"], CORES_PER_WORKER)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray has no wheel for this platform")
def test_the_cluster_file_fits_the_schema_that_ray_ships() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    spec = find_spec("ray")
    assert spec is not None and spec.origin is not None
    schema = Path(spec.origin).with_name("autoscaler") / "ray-schema.json"
    cluster = load("cluster.yaml")
    jsonschema.validate(cluster, json.loads(schema.read_text(encoding="utf-8")))
    assert cluster["provider"]["type"] == "local" and cluster["provider"]["worker_ips"]
    for name in ("head_start_ray_commands", "worker_start_ray_commands"):
        (start,) = [line for line in cluster[name] if re.search(r"\bray start\b", line)]
        assert start.startswith("RAY_USAGE_STATS_ENABLED=0")

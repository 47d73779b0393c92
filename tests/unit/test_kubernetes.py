"""What deploy/kubernetes promises: valid manifests, no secret in them, nothing open to outside."""

from __future__ import annotations

import importlib

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
RESOURCES = [
    resource
    for name in KUSTOMIZATION["resources"]
    for resource in yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
]
RUN = [resource for resource in RESOURCES if resource["kind"] in ("Deployment", "StatefulSet")]


def named(resource):
    return f"{resource['kind']}/{resource['metadata']['name']}"


def pod(resource):
    return resource["spec"]["template"]["spec"]


def container(resource):
    (only,) = pod(resource)["containers"]
    return only


@pytest.mark.parametrize("resource", RESOURCES, ids=named)
@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_manifest_is_one_that_kubernetes_takes(resource, version):
    kubernetes_validate.validate(resource, version, strict=True)


def test_validator_finds_a_wrong_field():
    wrong = {**RESOURCES[0], "metadata": {"nmae": "tuner"}}

    with pytest.raises(kubernetes_validate.ValidationError, match="nmae"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_every_file_is_applied():
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert files == {*KUSTOMIZATION["resources"]}


def test_nothing_is_reachable_from_outside_the_cluster():
    kinds = {resource["kind"] for resource in RESOURCES}
    services = [resource for resource in RESOURCES if resource["kind"] == "Service"]

    assert not kinds & {"Ingress", "HTTPRoute", "Gateway"}
    assert {named(service) for service in services} == {"Service/database", "Service/dashboard"}
    for service in services:
        assert service["spec"]["type"] == "ClusterIP"
        assert "externalIPs" not in service["spec"]
    for resource in RUN:
        assert "hostNetwork" not in pod(resource)
        assert not any("hostPort" in port for port in container(resource)["ports"])


def test_services_and_policies_choose_pods_that_there_are():
    labels = [resource["spec"]["template"]["metadata"]["labels"] for resource in RUN]
    chosen = [r["spec"]["selector"] for r in RESOURCES if r["kind"] == "Service"]
    chosen += [
        r["spec"]["podSelector"]["matchLabels"] for r in RESOURCES if r["kind"] == "NetworkPolicy"
    ]

    assert len(chosen) == 5
    for selector in chosen:
        assert sum(selector.items() <= label.items() for label in labels) == 1


def test_secrets_come_from_files_outside_the_repository():
    secrets = {secret["name"]: secret["files"] for secret in KUSTOMIZATION["secretGenerator"]}
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    asked = [
        entry["valueFrom"]["secretKeyRef"]
        for resource in RUN
        for entry in container(resource)["env"]
        if "valueFrom" in entry
    ]
    mounted = [
        volume["secret"]["secretName"]
        for resource in RUN
        for volume in pod(resource)["volumes"]
        if "secret" in volume
    ]

    assert not any(resource["kind"] == "Secret" for resource in RESOURCES)
    assert "/deploy/kubernetes/secrets/" in ignored
    for files in secrets.values():
        assert all(file.split("=")[1].startswith("secrets/") for file in files)
    assert {*mounted, *(reference["name"] for reference in asked)} == {*secrets}
    for reference in asked:
        assert any(file.startswith(f"{reference['key']}=") for file in secrets[reference["name"]])
    for resource in RUN:
        for entry in container(resource)["env"]:
            if "PASSWORD" in entry["name"] and not entry["name"].endswith("_FILE"):
                assert "value" not in entry


@pytest.mark.parametrize("resource", RUN, ids=named)
def test_container_is_nobody_in_particular_and_bounded(resource):
    security = pod(resource)["securityContext"]

    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert pod(resource)["automountServiceAccountToken"] is False
    assert container(resource)["securityContext"]["allowPrivilegeEscalation"] is False
    assert container(resource)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container(resource)["resources"]["limits"]
    assert "livenessProbe" in container(resource)


def test_database_keeps_its_data():
    (database,) = [resource for resource in RUN if resource["kind"] == "StatefulSet"]
    (claim,) = database["spec"]["volumeClaimTemplates"]
    mounts = {m["name"]: m["mountPath"] for m in container(database)["volumeMounts"]}

    assert mounts[claim["metadata"]["name"]] == "/var/lib/postgresql"


@pytest.mark.parametrize("name", ["worker", "dashboard"])
def test_arguments_are_ones_that_tuner_understands(name, tmp_path):
    (resource,) = [resource for resource in RUN if resource["metadata"]["name"] == name]
    first, *arguments = container(resource)["args"]

    assert first == name
    command = getattr(importlib.import_module(f"tuner.cli.{name}"), name)
    context = command.make_context(first, arguments, resilient_parsing=False)
    (port,) = container(resource)["ports"]
    assert port["containerPort"] in (
        context.params.get("metrics_port"),
        context.params.get("port"),
    )
    assert container(resource)["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_image_is_the_one_of_the_compose_file():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    built = {service["image"] for service in compose["services"].values()}

    assert {container(resource)["image"] for resource in RUN} == built

"""What the API server says of a spec."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client
from kubernetes.config import new_client_from_config

from harness.cluster import KubernetesApi
from support import crd as crds

Answer = Callable[[Any], str | None]


@contextmanager
def asking(apiserver: KubernetesApi) -> Iterator[Answer]:
    """Asks the API server, by a dry run with strict field validation; answers its refusal, or None."""
    crds.install(apiserver)
    with new_client_from_config(str(apiserver.kubeconfig)) as connection:
        resources = client.CustomObjectsApi(connection)

        def ask(spec: Any) -> str | None:
            body = {
                "apiVersion": "gov.polytraders.io/v1",
                "kind": "HealthHeartbeat",
                "metadata": {"name": "a"},
                "spec": spec,
            }
            try:
                resources.create_namespaced_custom_object(
                    "gov.polytraders.io",
                    "v1",
                    "default",
                    "healthheartbeats",
                    body,
                    dry_run="All",
                    field_validation="Strict",
                )
            except client.ApiException as error:
                if error.status not in {400, 422}:
                    raise
                return str(json.loads(error.body or "{}")["message"])
            return None

        yield ask

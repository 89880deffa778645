"""Values that the chart is tried with: as it comes, with all there is, with the least there can be."""

from typing import Any

EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "sre"},
    "image": {"repository": "registry.example/healthheartbeat", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "watchNamespaces": ["chart-a", "chart-b"],
    "killSwitch": {"configMapNames": ["*"]},
    "alertmanager": {"urls": ["http://one:9093", "http://two:9093"]},
    "notify": {"urls": ["json://people.example/"], "reminderSeconds": 60},
    "runbookUrl": "https://wiki.example/runbook.md",
    "operator": {
        "replicas": 3,
        "antiAffinity": "required",
        "heartbeat": {"url": "https://ping.example/operator"},
        "podLabels": {"a": "b"},
        "podAnnotations": {"a": "b"},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "extraArgs": ["--notify-reminder=5"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "podSecurityContext": {"runAsUser": 1000},
        "serviceAnnotations": {"a": "b"},
        "serviceAccount": {"annotations": {"a": "b"}},
    },
    "watchdog": {
        "secret": {"value": "0123456789abcdef"},
        "alertmanager": {"existingSecret": "elsewhere"},
        "notify": {"urls": ["json://others.example/"]},
        "heartbeat": {"url": "https://ping.example/watchdog"},
        "persistence": {"enabled": True, "storageClassName": "fast"},
        "antiAffinity": "required",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    },
    "statusPage": {"enabled": True, "bind": "0.0.0.0"},
    "cronRunner": {"timeZone": "Etc/UTC"},
    "networkPolicy": {
        "operatorFrom": [{"namespaceSelector": {}}],
        "statusPageFrom": [{"namespaceSelector": {}}],
        "operatorEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        "watchdogEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "fence": {"enabled": True},
    "dashboards": {"enabled": True, "annotations": {"folder": "Governance"}},
}
LEAST: dict[str, Any] = {
    "crds": {"enabled": False},
    "rbac": {"create": False, "aggregate": False},
    "killSwitch": {"configMapNames": []},
    "operator": {"replicas": 1, "antiAffinity": "none", "tolerations": [], "topologySpreadConstraints": []},
    "watchdog": {"enabled": False},
    "cronRunner": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "admission": {"warnings": False, "confineCronRunner": False},
    "tests": {"enabled": False},
}
ALL_NAMESPACES: dict[str, Any] = {"allNamespaces": True, "watchdog": {"readResources": False}}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "least": LEAST,
    "all namespaces": ALL_NAMESPACES,
}

"""Where the KillSwitch bot publishes its state: one key of a ConfigMap (decision 24)."""

from typing import Final

from healthheartbeat.adapters.kube.client import KubeClient
from healthheartbeat.adapters.kube.errors import ApiError
from healthheartbeat.adapters.kube.json_access import mapping
from healthheartbeat.adapters.kube.kinds import CONFIG_MAPS
from healthheartbeat.api.spec import ConfigMapKey
from healthheartbeat.api.text import clip

STATES: Final = {"true": True, "false": False}
MAX_SHOWN: Final = 40


async def read_kill_switch(
    client: KubeClient, namespace: str, ref: ConfigMapKey, *, timeout_s: float | None = None
) -> tuple[bool | None, str]:
    """Whether the kill switch is on, and in words why that is not known (None). Never raises ApiError."""
    try:
        config_map = await client.get(CONFIG_MAPS, namespace, ref.name, timeout_s=timeout_s)
    except ApiError as error:
        return None, f"the kill switch cannot be read: {error}"
    value = mapping(config_map.get("data")).get(ref.key)
    where = f"key {ref.key} of ConfigMap {namespace}/{ref.name}"
    if not isinstance(value, str):
        return None, f"the kill switch cannot be read: there is no {where}"
    state = STATES.get(value.strip().lower())
    if state is None:
        return None, f"the kill switch cannot be read: {where} is {clip(repr(value), MAX_SHOWN)}, not true or false"
    return state, ""

"""Renewals of a Lease go over kept connections, as long as those carry them."""

from typing import Any

import pytest

from healthheartbeat.adapters.kube.errors import ApiUnavailable
from healthheartbeat.adapters.kube.lease import LeaseStore
from healthheartbeat.core.lease import Held, Timing
from support.fake_api import FakeApi, cut, reply

NAME, OURS = "healthheartbeat-hh", Held(holder="us", version="1", duration_ms=15_000)


def lease(version: int) -> dict[str, Any]:
    return {
        "metadata": {"name": NAME, "resourceVersion": str(version)},
        "spec": {"holderIdentity": "us", "leaseDurationSeconds": 15},
    }


async def test_a_renewal_after_one_that_failed_has_a_connection_of_its_own(api: FakeApi) -> None:
    async with api.client() as client:
        store = LeaseStore(client, "ns", "hh")

        async def renew() -> Held:
            return await store.write("us", over=OURS, timing=Timing(), wall_ms=0)

        api.will(reply(200, lease(2)), reply(200, lease(3)), cut)
        await renew()
        await renew()
        with pytest.raises(ApiUnavailable):
            await renew()
        api.will(reply(200, lease(4)), reply(200, lease(5)), reply(200, lease(6)))
        assert (await renew()).version == "4"
        await renew()
        await renew()
    assert [request.method for request in api.requests] == ["PUT"] * 6
    kept, _, cut_off, fresh, kept_anew, last = [request.connection for request in api.requests]
    assert cut_off == kept
    assert len({kept, fresh, kept_anew}) == 3
    assert last == kept_anew

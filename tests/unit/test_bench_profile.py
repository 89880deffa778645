"""Where the CPU goes: each look at the operator goes to the innermost part of it, and waiting to none."""

import pytest

from bench.bench_profile import NOBODY, shares

HEAD = "Runner.run (/lib/asyncio/runners.py:1);operator (/x/healthheartbeat/cli/operator.py:2)"


def test_a_look_goes_to_the_innermost_part_and_a_librarys_frame_to_whoever_called_it() -> None:
    probing = f"{HEAD};run (/x/healthheartbeat/runtime/polling.py:3);probe (/x/healthheartbeat/adapters/probe.py:4)"
    folded = f"{probing};close (/lib/socket.py:5) 3\n{HEAD};update (/x/healthheartbeat/core/ledger.py:1) 1\n"
    assert shares(folded) == {"probes: sockets, answers, verdicts": 75, "deciding: ledger, budget, breaker": 25}


def test_calls_to_the_api_server_belong_to_whoever_makes_them() -> None:
    writing = f"{HEAD};write_status (/x/healthheartbeat/adapters/kube/status.py:3)"
    calling = "put (/x/healthheartbeat/adapters/kube/client.py:4)"
    assert shares(f"{writing};{calling};request (/x/aiohttp/client.py:6) 5\n") == {"status: made and written": 100}


@pytest.mark.parametrize(
    ("frame", "part"),
    [
        ("watch (/x/kopf/_cogs/clients/watching.py:1)", "kopf: watching the resource"),
        ("data_received (/x/aiohttp/client_proto.py:1)", "aiohttp: bytes to and from the API server"),
        ("run (/lib/threading.py:1)", NOBODY),
    ],
)
def test_what_is_not_ours_has_a_name_too(frame: str, part: str) -> None:
    assert shares(f"{HEAD};{frame} 5\n") == {part: 100}


@pytest.mark.parametrize("frame", ["Condition.wait (/lib/threading.py:1)", "Runner.run (/lib/asyncio/runners.py:1)"])
def test_who_waits_is_left_out(frame: str) -> None:
    own = f"{HEAD};say (/x/healthheartbeat/runtime/pager.py:1)"
    assert shares(f"{HEAD};{frame} 99\n{own} 1\n") == {"metrics, pages, status page": 100}

"""A poll that these bots were too slow for is told apart from one that they answered badly."""

import asyncio
import socket
import struct

import pytest

from chaos.bots import Mode, Pod
from chaos.record import Poll

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


@pytest.mark.parametrize("reset", [True, False])
async def test_who_leaves_before_a_bot_comes_to_look_is_noted(*, reset: bool) -> None:
    """As the prober leaves at its deadline, by a reset, and as the kernel does for a process that died."""
    noted: list[Poll] = []
    pod = Pod(slug="a", mode=Mode.DEAD, noted=noted.append)
    await pod.open("127.0.0.1")
    with socket.create_connection(("127.0.0.1", pod.ports["http"])) as asking:
        asking.sendall(REQUEST)
        if reset:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    await asyncio.sleep(0.05)
    pod.close()
    assert [poll.came_too_late for poll in noted] == [True]


async def test_who_waits_is_not() -> None:
    noted: list[Poll] = []
    pod = Pod(slug="a", mode=Mode.DEAD, noted=noted.append)
    await pod.open("127.0.0.1")
    with socket.create_connection(("127.0.0.1", pod.ports["http"])) as asking:
        asking.sendall(REQUEST)
        await asyncio.sleep(0.05)
    pod.close()
    assert [poll.outcome for poll in noted] == ["reset"]


async def test_a_dead_ones_answer_has_left_when_it_is_noted() -> None:
    """What is noted first, and done in a later turn of a loop that is short of time, the prober may never see."""
    came: list[bytes] = []
    asking = socket.socket()
    asking.settimeout(0.5)
    pod = Pod(slug="a", mode=Mode.DEAD, noted=lambda _poll: came.append(asking.recv(1)))
    await pod.open("127.0.0.1")
    asking.connect(("127.0.0.1", pod.ports["http"]))
    asking.sendall(REQUEST)
    await asyncio.sleep(0.05)
    pod.close()
    asking.close()
    assert came == [b""]

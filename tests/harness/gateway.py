"""The node's door to the host: a listening socket made outside, whose connections are passed on inside.

A socket belongs to the network namespace it was made in, so this program can live in the node's and still be reached
at the host's loopback. Usage: gateway.py FD HOST PORT
"""

import asyncio
import socket
import sys
from contextlib import suppress

_PIECE = 65536


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def serve(listener: socket.socket, host: str, port: int) -> None:
    """Pass every connection on to host:port; one that is refused there is reset here, as it would be there."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(passed_on, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))

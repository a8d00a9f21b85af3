"""A server far away: what goes through here takes its time, however much it is.

usage: python -m bench.latency PORT MILLISECONDS
   PORT is the server's on loopback; prints the port to use instead, and ends with its stdin.

Every byte arrives half of MILLISECONDS later, in both directions, and a new connection costs one
round trip more, as its handshake would.  Bandwidth is not bounded, beyond what this program can do.
"""

import asyncio
import os
import sys

CHUNK_BYTES = 256 * 1024
MOST_CHUNKS_ON_THE_WAY = 64


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, extra: float
) -> None:
    """Pass bytes on, each after its delay; the first ones after a little more."""
    loop = asyncio.get_running_loop()
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_CHUNKS_ON_THE_WAY)

    async def take() -> None:
        opened = loop.time() + extra
        while chunk := await reader.read(CHUNK_BYTES):
            await way.put((max(loop.time(), opened) + delay, chunk))
        await way.put((loop.time() + delay, b""))

    async def give() -> None:
        while True:
            due, chunk = await way.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()

    try:
        await asyncio.gather(take(), give())
    except OSError:
        pass  # whoever went away is not there any more
    finally:
        writer.close()


async def serve(port: int, delay: float) -> None:
    """Serve until stdin ends."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            pump(reader, far_writer, delay, 2 * delay), pump(far_reader, writer, delay, 0)
        )

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Connections that are still open end with it, and nothing has to be said of them.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 2000))

"""python-hl7's asyncio server: acknowledges every message and records the raw bytes of both ways."""

import asyncio
import pathlib
import sys

from hl7.mllp import start_hl7_server

PORT, FOLDER = int(sys.argv[1]), pathlib.Path(sys.argv[2])
START, END = b"\x0b", b"\x1c\r"


async def serve(reader, writer):
    with open(FOLDER / "server-received.bin", "ab", buffering=0) as received, open(
        FOLDER / "server-sent.bin", "ab", buffering=0
    ) as sent:
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            received.write(START + str(message).encode() + END)
            ack = message.create_ack()
            sent.write(START + str(ack).encode() + END)
            writer.writemessage(ack)
            await writer.drain()
    writer.close()


async def main():
    async with await start_hl7_server(serve, host="127.0.0.1", port=PORT) as server:
        (FOLDER / "listening").touch()
        await server.serve_forever()


asyncio.run(main())

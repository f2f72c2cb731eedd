"""Load for a service on loopback: concurrent clients, each asks for one picture at a time.

Bare HTTP/1.1 on asyncio streams, so that the client costs the machine little.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

Answers = list[tuple[str, float, float]]
"""Name of the picture, the score it got, seconds it took."""


async def ask(port: int, folder: Path, clients: int, seconds: float) -> Answers:
    """What `clients` of them were answered in so many seconds; anything but a score raises."""
    requests = {path.name: _request(path) for path in sorted(folder.iterdir())}
    names = list(requests)
    end = time.perf_counter() + seconds
    answers: Answers = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number * 31
        while time.perf_counter() < end:
            name = names[turn % len(names)]
            turn += 1
            begin = time.perf_counter()
            writer.write(requests[name])
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields[b"content-length"]))
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{name}: {head!r} {body!r}")
            [row] = json.loads(body)["pictures"]
            answers.append((name, row["score"], time.perf_counter() - begin))
        writer.close()

    await asyncio.gather(*map(client, range(clients)))
    return answers


def _request(path: Path) -> bytes:
    body = path.read_bytes()
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    port, folder, clients, seconds = sys.argv[1:]
    begin = time.perf_counter()
    answers = asyncio.run(ask(int(port), Path(folder), int(clients), float(seconds)))
    json.dump({"seconds": time.perf_counter() - begin, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()

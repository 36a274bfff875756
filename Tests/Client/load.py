"""Many clients at once, for minutes: every accepted request completes with what it gets alone, and memory stays.

    python load.py URL [--clients 256] [--seconds 120] [--pid PID]
"""

import argparse
import asyncio
import json
import pathlib
import time
from urllib.parse import urlparse

KINDS = 16


def body(kind: int) -> bytes:
    return json.dumps({
        "prompt": f"Item {kind}:", "max_tokens": 16 + 4 * kind, "seed": kind, "temperature": 0.9, "ignore_eos": True,
        "stream": True}).encode()


async def ask(host: str, port: int, kind: int) -> tuple[int, str]:
    """The status and the text of one streamed answer; an error of a stream that is not whole."""
    reader, writer = await asyncio.open_connection(host, port)
    data = body(kind)
    writer.write(
        f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
    answer = await reader.read(-1)
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    if status != 200:
        return status, ""
    if b"data: [DONE]" not in answer:
        raise RuntimeError(f"a stream ended early: {answer[-200:]!r}")
    events = [line[6:] for line in answer.splitlines() if line.startswith(b"data: {")]
    return status, "".join(choice["text"] for event in events for choice in json.loads(event)["choices"])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pid", type=int, help="the server's process, to watch its memory")
    options = parser.parse_args()
    url = urlparse(options.url)
    host, port = url.hostname, url.port

    def megabytes() -> float:
        if options.pid is None:
            return 0
        return int(pathlib.Path(f"/proc/{options.pid}/statm").read_text().split()[1]) * 4096 / 1e6

    alone = [(await ask(host, port, kind))[1] for kind in range(KINDS)]
    counts: dict[int, int] = {}
    differences = 0
    memory: list[tuple[float, float]] = []
    start = time.monotonic()

    async def client(number: int) -> None:
        nonlocal differences
        kind = number
        while time.monotonic() - start < options.seconds:
            status, text = await ask(host, port, kind % KINDS)
            counts[status] = counts.get(status, 0) + 1
            if status == 200:
                differences += text != alone[kind % KINDS]
            else:
                await asyncio.sleep(0.5)
            kind += 7

    async def watch() -> None:
        while time.monotonic() - start < options.seconds:
            memory.append((time.monotonic() - start, megabytes()))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *(client(number) for number in range(options.clients)))
    seconds = time.monotonic() - start
    early = max(value for at, value in memory if at <= options.seconds / 2)
    late = max(value for at, value in memory if at > options.seconds / 2)
    print(json.dumps({
        "clients": options.clients, "seconds": round(seconds, 1), "responses": counts,
        "answers_that_differ": differences, "requests_per_second": round(counts.get(200, 0) / seconds, 2),
        "resident_megabytes_first_half": round(early, 1), "resident_megabytes_second_half": round(late, 1)}, indent=2))
    raise SystemExit(differences > 0 or set(counts) - {200, 429} != set() or late > early * 1.05 + 5)


if __name__ == "__main__":
    asyncio.run(main())

"""Watch the memory of a server over a long time, under the mixed requests that many people make.

Usage: python benchmarks/server_memory.py MODEL [--minutes 25] [--every 30] [--pause 0.3] [--clients 2] [--seed 0]
A server is started as a process of its own, as `atrous serve` does. Pictures have sizes of 200 to 1600 pixels,
nearly every one another, and are PNGs or JPEGs; all kinds of answers are asked for; one request in ten is a damaged
picture, one in ten is broken off. Every `--every` seconds the clients pause for a moment, and the memory that the
server then holds is printed; at the end, how it went from the end of the first quarter on. An answer that is
neither right in form nor an honest refusal, or a server that is gone, ends it with exit code 1.
"""

import argparse
import asyncio
import io
import random
import time
from collections import Counter
from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image
from server_load import HONEST, memory, rude_clients, served

SIZES = (200, 1600)
ANSWERS = ("mask", "overlay", "areas", "polygons", "probabilities", "areas,mask", "areas,polygons,overlay")
SHARE_DAMAGED = 0.1
SHARE_BROKEN_OFF = 0.1
MOMENT = 2
"""Seconds that the server is left alone before its memory is read."""
BLOBS = 24
"""Pixels of noise that a picture is enlarged from, so that it has areas and compresses as photographs do."""


class Reading(NamedTuple):
    """The memory at a moment."""

    minutes: float
    megabytes: float


def picture(chance: random.Random) -> bytes:
    """A picture of some size, as PNG or JPEG."""
    width, height = (chance.randint(*SIZES) for _ in range(2))
    noise = np.random.default_rng(chance.getrandbits(32)).integers(0, 256, (BLOBS, BLOBS, 3), np.uint8)
    file = io.BytesIO()
    enlarged = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    enlarged.save(file, chance.choice(("PNG", "JPEG")))
    return file.getvalue()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The picture without its end, or with some of its bytes changed."""
    if chance.random() < 0.5:
        return content[: chance.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(20):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


async def one_client(
    address: str, until: float, pause: float, chance: random.Random, counts: Counter[str | int], gate: asyncio.Semaphore
) -> None:
    """One request after the other, with pauses."""
    kept = httpx.Limits(keepalive_expiry=2)  # less than the server keeps them, so that none is closed under a request
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=kept) as client:
        while time.monotonic() < until:
            await asyncio.sleep(pause)
            async with gate:
                await one_request(address, client, chance, counts)


async def one_request(
    address: str, client: httpx.AsyncClient, chance: random.Random, counts: Counter[str | int]
) -> None:
    """Any of the requests that people make."""
    kind = chance.random()
    if kind < SHARE_BROKEN_OFF:
        await rude_clients(address, 1)
        counts["broken off"] += 1
        return
    content = await asyncio.to_thread(picture, chance)
    if kind < SHARE_BROKEN_OFF + SHARE_DAMAGED:
        content = damaged(content, chance)
    answer = await client.post(
        "/v1/segment",
        params={"answer": chance.choice(ANSWERS)},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    if answer.status_code != 200 and answer.status_code not in HONEST:
        raise SystemExit(f"status {answer.status_code}: {answer.text}")
    counts[answer.status_code] += 1


async def watch(
    address: str, until: float, every: float, counts: Counter[str | int], gate: asyncio.Semaphore, clients: int
) -> list[Reading]:
    """Read the memory until the end, at moments without a request, and say it."""
    began, readings = time.monotonic(), list[Reading]()
    while time.monotonic() < until:
        await asyncio.sleep(every)
        for _ in range(clients):
            await gate.acquire()
        await until_at_rest(address)
        megabytes = await asyncio.to_thread(memory, address)
        for _ in range(clients):
            gate.release()
        readings.append(Reading((time.monotonic() - began) / 60, megabytes))
        print(f"{readings[-1].minutes:5.1f} min  {megabytes:6.0f} MB  {sum(counts.values()):5d} requests", flush=True)
    return readings


async def until_at_rest(address: str) -> None:
    """Wait until all is computed, what nobody waits for any more, too: the answer to a last small picture says so."""
    small = io.BytesIO()
    Image.new("RGB", (64, 64)).save(small, "PNG")
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        while (await client.post("/v1/segment", content=small.getvalue())).status_code != 200:
            await asyncio.sleep(MOMENT)
    await asyncio.sleep(MOMENT)


async def load(address: str, arguments: argparse.Namespace) -> tuple[list[Reading], Counter[str | int]]:
    """Clients and a watch beside each other."""
    until, counts = time.monotonic() + 60 * arguments.minutes, Counter[str | int]()
    gate = asyncio.Semaphore(arguments.clients)
    readings, *_ = await asyncio.gather(
        watch(address, until, arguments.every, counts, gate, arguments.clients),
        *(
            one_client(address, until, arguments.pause, random.Random(arguments.seed + number), counts, gate)
            for number in range(arguments.clients)
        ),
    )
    return readings, counts


def main() -> None:
    """Run the load and say how the memory went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("--pause", type=float, default=0.3)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=8798)
    arguments = parser.parse_args()
    with served(arguments.model, arguments.port, None) as address:
        print(f"  0.0 min  {memory(address):6.0f} MB", flush=True)
        readings, counts = asyncio.run(load(address, arguments))
    later = readings[len(readings) // 4 :]
    slope = np.polyfit([reading.minutes for reading in later], [reading.megabytes for reading in later], 1)[0]
    print(f"answers: {dict(counts)}")
    print(f"after the first quarter: {slope:+.1f} MB a minute, at most {max(r.megabytes for r in later):.0f} MB")


if __name__ == "__main__":
    main()

"""Put a server under load and under attack on loopback, and see that every answer is right or an honest refusal.

Usage: python benchmarks/server_load.py [--clients 64] [--seconds 60] [--malformed 10000] [--seed 0] [--batch 8]
A server is started as a process of its own, as `atrous serve` does, with a small network. Prints what was answered, and
how its memory went; an answer that is wrong, a request that is lost, or a server that is gone ends it with exit code 1.
"""

import argparse
import asyncio
import io
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from atrous.inference.predictor import load
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.server.serving import encoded
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise
from tests.weights.fuzzing import mutants

HONEST = (400, 401, 403, 404, 405, 406, 408, 413, 415, 422, 429, 503)
SIZES = ((48, 64), (96, 128), (120, 90), (200, 300))
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
HEAD = b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 500000\r\n\r\n"


class Known(NamedTuple):
    """A picture and the mask that the network gives it."""

    picture: bytes
    mask: np.ndarray


def small_checkpoint(folder: Path) -> Path:
    """A small network whose classes differ."""
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], LABELS.num_classes)
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    path = folder / "small.safetensors"
    save_checkpoint(path, network, CheckpointInfo(name="small", network=SMALL_NETWORKS[0], labels=LABELS))
    return path


@contextmanager
def served(checkpoint: Path | str, port: int, batch: int | None) -> Iterator[str]:
    """A server as a process; yields its address."""
    command = [sys.executable, "-m", "atrous", "serve", str(checkpoint), "--port", str(port), "--quiet"]
    command += ["--max-batch", str(batch)] if batch else []
    process = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"{address}/healthz")
                break
            if process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.2)
        yield address
        if process.poll() is not None:
            raise SystemExit(f"the server is gone, exit code {process.returncode}")
    finally:
        process.terminate()
        if process.wait(90) != 0:
            raise SystemExit(f"the server ended with exit code {process.returncode}")


def counted(address: str, name: str) -> float:
    """A number of the server's own."""
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def memory(address: str) -> float:
    """Megabytes that the server holds."""
    return counted(address, "process_resident_memory_bytes") / 1e6


def pictures_of_a_batch(address: str) -> float:
    """How many went through the network together, on average."""
    return counted(address, "atrous_batch_pictures_sum") / max(1, counted(address, "atrous_batch_pictures_count"))


async def one_client(address: str, known: list[Known], until: float, seed: int, counts: Counter[str]) -> None:
    """Send one picture after the other; wait where the server says so, though never longer than two seconds."""
    chance = random.Random(seed)
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        while time.monotonic() < until:
            picture, mask = chance.choice(known)
            answer = await client.post("/v1/segment", content=picture, headers={"Content-Type": "image/png"})
            if answer.status_code == 429:
                counts["429"] += 1
                await asyncio.sleep(min(float(answer.headers["retry-after"]), 2))
            elif answer.status_code == 200:
                right = np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), mask)
                counts["right" if right else "wrong"] += 1
            else:
                counts[f"status {answer.status_code}"] += 1


async def crowd(address: str, known: list[Known], clients: int, seconds: float) -> Counter[str]:
    """Many clients at once; whatever a client cannot send or read is a lost request."""
    counts, until = Counter[str](), time.monotonic() + seconds
    ends = await asyncio.gather(
        *(one_client(address, known, until, seed, counts) for seed in range(clients)), return_exceptions=True
    )
    counts["lost"] = sum(end is not None for end in ends)
    return counts


async def rude_clients(address: str, count: int) -> None:
    """Uploads that are cut off, heads that never end, answers that nobody reads."""
    host, port = address.removeprefix("http://").split(":")
    for number in range(count):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write((HEAD + b"abc", HEAD[:40], HEAD + noise((8, 8), 0).tobytes())[number % 3])
        await writer.drain()
        if number % 2:
            writer.transport.abort()
        else:
            writer.close()
        del reader


def malformed(address: str, count: int, seed: int) -> tuple[Counter[int], float]:
    """Send damaged pictures of all formats; return how each was answered, and the slowest answer in seconds."""
    seeds = [encoded(noise((24, 32), 1), picture_format) for picture_format in FORMATS]
    answers, slowest = Counter[int](), 0.0
    with httpx.Client(base_url=address, timeout=120) as client:
        for content in mutants(seeds, count, seed):
            began = time.perf_counter()
            answer = client.post("/v1/segment", content=content, headers={"Content-Type": "image/png"})
            slowest = max(slowest, time.perf_counter() - began)
            answers[answer.status_code] += 1
            if answer.status_code != 200 and answer.status_code not in HONEST:
                raise SystemExit(f"status {answer.status_code}: {answer.text}")
    return answers, slowest


def known_pictures(checkpoint: Path) -> list[Known]:
    """Pictures of several sizes, with the masks that Python gets."""
    predictor = load(checkpoint)
    images = [noise(size, seed) for seed, size in enumerate(SIZES)]
    return [Known(encoded(image, "PNG"), predictor(image).mask) for image in images]


def main() -> None:
    """Run the load, then the attacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--malformed", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=8799)
    parser.add_argument("--batch", type=int, help="pictures that are computed together; by default as many as pay")
    arguments = parser.parse_args()
    checkpoint = small_checkpoint(Path(tempfile.mkdtemp()))
    known = known_pictures(checkpoint)
    with served(checkpoint, arguments.port, arguments.batch) as address:
        asyncio.run(crowd(address, known, arguments.clients, 5))
        before = memory(address)
        began = time.monotonic()
        counts = asyncio.run(crowd(address, known, arguments.clients, arguments.seconds))
        lasted = time.monotonic() - began
        print(
            f"{arguments.clients} clients, {lasted:.0f} s: {dict(counts)}, {counts['right'] / lasted:.1f} pictures/s; "
            f"{pictures_of_a_batch(address):.1f} at a time; memory {before:.0f} -> {memory(address):.0f} MB",
            flush=True,
        )
        asyncio.run(rude_clients(address, 300))
        print(f"300 rude clients: memory {memory(address):.0f} MB", flush=True)
        answers, slowest = malformed(address, arguments.malformed, arguments.seed)
        print(
            f"{arguments.malformed:,} damaged pictures: {dict(answers)}; slowest {slowest:.2f} s; "
            f"memory {memory(address):.0f} MB",
            flush=True,
        )
        after = asyncio.run(crowd(address, known, 4, 3))
    bad = {word: count for word, count in (counts + after).items() if word not in ("right", "429")}
    if bad or not after["right"]:
        raise SystemExit(f"not every answer was right or an honest 429: {bad}")


if __name__ == "__main__":
    main()

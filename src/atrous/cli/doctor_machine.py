"""What `atrous doctor` finds out about the machine: processor, threads, memory, GPU, folders, display."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from atrous.cli.doctor_packages import Finding
from atrous.threads import processors

GIGABYTE = 2**30
LITTLE_MEMORY = 2.0
"""GiB; torch with the smallest network takes one."""
LITTLE_SPACE = 1.0
LITTLE_SHARED = 0.5
"""GiB of /dev/shm, through which loading processes hand over their batches; containers have 0.06."""


def look_at_machine() -> Iterator[Finding]:
    """What this machine offers to prediction and training."""
    yield _processor()
    yield _threads()
    yield from _memory()
    yield from _gpu()
    yield _compiled_loops()
    yield _models()
    yield _display()


def _processor() -> Finding:
    from atrous.inference.processor import has_bfloat16

    capability = ""
    if (torch := sys.modules.get("torch")) is not None:
        capability = f", {torch.backends.cpu.get_cpu_capability()} as torch sees it"
    gain = "bfloat16 is fast (--precision auto)" if has_bfloat16() else "float32 is fastest, as it has no bfloat16"
    return Finding("processor", "ok", f"{processors()} cores{capability}; {gain}")


def _threads() -> Finding:
    """More threads than cores wait for each other at every layer."""
    cores, given = min(processors(), _quota() or processors()), os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdecimal() and int(given) else processors()
    fact = f"{threads}, from OMP_NUM_THREADS={given}" if given else f"{threads}, one per core"
    if threads <= cores:
        return Finding("threads", "ok", fact)
    waiting = f"{fact}, but only {cores} may compute at once: they wait for each other"
    return Finding("threads", "note", waiting, f"export OMP_NUM_THREADS={cores}")


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """How many cores a container may use on average."""
    try:
        quota, period = file.read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # there is none, or it says "max"
        return None


def _memory() -> Iterator[Finding]:
    try:
        from atrous.training.planning.facts import free_memory
    except Exception:  # without torch
        return
    free = free_memory()
    little = free < LITTLE_MEMORY
    advice = ": little for a network, so close other programs" if little else ""
    yield Finding("memory", "note" if little else "ok", f"{free:.1f} GB are free{advice}")
    shared = Path("/dev/shm")
    if shared.is_dir() and (size := shutil.disk_usage(shared).total / GIGABYTE) < LITTLE_SHARED:
        fact = f"/dev/shm has {size:.2f} GB, too little for loading processes (training.workers=0 needs none)"
        yield Finding("shared memory", "note", fact, "docker run --shm-size 2g ...")


def _gpu() -> Iterator[Finding]:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        yield Finding("GPU", "ok", ", ".join(names))
    elif Path("/dev/nvidia0").exists():
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        fact = f"there is one that torch, built {built}, cannot use: its driver is too old, or torch is of another kind"
        yield Finding("GPU", "note", fact, "nvidia-smi  # the driver; then see pytorch.org/get-started")
    else:
        yield Finding("GPU", "ok", "none: the processor computes")


def _compiled_loops() -> Finding:
    """Whether numba finds a place for its compiled loops; it refuses to compile them where it may write nowhere."""
    try:
        from atrous.inference.cells import fill_cells
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        fact = f"cannot be compiled or kept ({reason})"
        return Finding("loops", "broken", fact, "export NUMBA_CACHE_DIR=~/numba  # any folder that may be written")
    return Finding("loops", "ok", f"compiled ones are kept in {fill_cells.stats.cache_path}")


def _models() -> Finding:
    """Where fetched models are kept."""
    from atrous.download import cache_folder, is_offline

    folder = cache_folder()
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    if not os.access(there, os.W_OK) or not there.is_dir():
        fact = f"{folder} may not be written, so no model can be fetched; files and bundled ones work"
        return Finding("models", "note", fact, "export ATROUS_CACHE=~/models  # any folder that may be written")
    free = shutil.disk_usage(there).free / GIGABYTE
    offline = "; ATROUS_OFFLINE forbids to fetch any" if is_offline() else ""
    if free < LITTLE_SPACE:
        return Finding("models", "note", f"only {free:.1f} GB are free for {folder}", "export ATROUS_CACHE=~/models")
    return Finding("models", "ok", f"fetched ones are kept in {folder}{offline}")


def _display() -> Finding:
    """Of what --show needs."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return Finding("display", "missing", "Tk is not installed (--show)", "sudo apt install python3-tk")
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return Finding("display", "missing", "there is none here (--show); videos can be written all the same")
    return Finding("display", "ok", "there is one for --show")

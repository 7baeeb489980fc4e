"""The memory of a server: how much it holds, and how it hands back what it no longer needs."""

import ctypes
import sys
from pathlib import Path


def resident_bytes() -> float:
    """The memory that this process holds; 0 where the system does not say it in /proc."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def hand_back_freed_memory() -> bool:
    """Give the system all memory that is free, where the C library can (glibc); return whether it could.

    Pictures of ever other sizes leave gaps between what is still in use, and glibc keeps these for the thread that made
    them: without this, a server that had 0.8 GB with a fresh network held over 2 GB after some dozen pictures.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is None:
        return False
    trim(0)
    return True

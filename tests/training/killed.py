"""A program that trains in processes of its own and kills them at random moments, until one ends by itself.

    python -m tests.training.killed RECIPE FOLDER SEED KILLS

Each process is forked, so that it need not import torch again, and is killed with all that it started.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from atrous.training.logs import read_log
from atrous.training.recipe import Recipe, read_recipe
from atrous.training.run_folder import RunFolder
from atrous.training.train import train


def main(recipe: Recipe, folder: RunFolder, chance: random.Random, kills: int) -> int:
    """Kill so many processes; say how many were killed, and return the exit code of the last one."""
    killed = 0
    while True:
        child = begin(recipe, folder)
        if killed < kills:
            wait_for_a_random_moment(folder, child, chance)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            print(killed)
            return os.WEXITSTATUS(status)
        killed += 1


def begin(recipe: Recipe, folder: RunFolder) -> int:
    """Train in a new process; return its number."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    train(recipe, folder.path, resume=folder.recipe.exists())
    os._exit(0)


def wait_for_a_random_moment(folder: RunFolder, child: int, chance: random.Random) -> None:
    """Kill the process some steps after it began, or before its first one."""
    rows = len(read_log(folder.jsonl)) + chance.choice([0, 1, 2, 4, 8])
    end = time.monotonic() + 20
    time.sleep(chance.uniform(0, 0.1))
    while len(read_log(folder.jsonl)) < rows and time.monotonic() < end:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return  # it has ended
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.1))
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has no group yet
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    place, run, seed, count = sys.argv[1:]
    raise SystemExit(main(read_recipe(Path(place)), RunFolder(Path(run)), random.Random(int(seed)), int(count)))

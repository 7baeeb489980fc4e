import os

# The networks of the tests are tiny: a second thread gains nothing, and waits badly where the machine has other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.real import REAL


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("real") and not REAL.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"there are no real pictures in {REAL}"))

"""Real pictures, which lie beside the project and not in it: `@real` skips a test where they are absent."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "shared" / "data"

real = pytest.mark.real

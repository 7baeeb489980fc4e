"""Whose seconds count."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds that pass: `time.monotonic` for those on the wall; `time.process_time` for those that a processor gave this
process, which a busy machine does not shorten."""

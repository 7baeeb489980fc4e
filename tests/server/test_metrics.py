import re

from atrous.server.metrics import BOUNDS, Metrics

LINE = re.compile(r'[a-z_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? (\+Inf|-?[0-9.e+]+)')
"""A sample in the text format of Prometheus."""


def some_metrics() -> Metrics:
    metrics = Metrics({"atrous_waiting": ("Pictures that wait.", lambda: 3)})
    for seconds in (0.001, 0.02, 0.3, 100):
        metrics.count_request("POST", "/v1/segment", 200, seconds)
    metrics.count_picture('a "quoted"\nname\\', 1000, 0.5)
    return metrics


def test_every_line_is_one_that_prometheus_reads() -> None:
    text = some_metrics().text()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line


def test_each_bucket_holds_all_that_were_as_fast() -> None:
    lines = some_metrics().text().splitlines()
    buckets = [int(line.split()[1]) for line in lines if line.startswith("atrous_request_seconds_bucket")]
    assert buckets == [
        sum(seconds <= bound for seconds in (0.001, 0.02, 0.3, 100)) for bound in (*BOUNDS, float("inf"))
    ]
    assert "atrous_request_seconds_count 4" in lines
    assert "atrous_waiting 3" in lines

"""What a service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """One service's own numbers: several in a process do not mix."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "magiqa_requests", "Requests answered.", ["path", "method", "status"], registry=registry
        )
        self.latency = Histogram(
            "magiqa_request_seconds",
            "From a request's head to its whole answer.",
            ["path"],
            buckets=LATENCIES,
            registry=registry,
        )
        self.in_flight = Gauge(
            "magiqa_requests_in_flight", "Requests being answered.", registry=registry
        )
        self.queue = Gauge(
            "magiqa_queue_pictures", "Pictures accepted and not yet scored.", registry=registry
        )
        self.pictures = Counter("magiqa_pictures", "Pictures scored.", registry=registry)
        self.errors = Counter(
            "magiqa_errors", "Pictures not scored, by reason.", ["kind"], registry=registry
        )
        self.batches = Histogram(
            "magiqa_micro_batch_views",
            "Views encoded at once.",
            buckets=SIZES,
            registry=registry,
        )

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self._registry)

"""The gateway's metrics by their names, as Prometheus has them."""

from agents.gateway.config import Config, Endpoint
from agents.gateway.metrics import GatewayMetrics

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def gateway_metrics():
    """The names of all that a gateway tells of itself, as in queries."""
    place = {"env": "SECRET"}
    endpoint = Endpoint(name="nginx", source="nginx-rtmp", path_secrets=(place,))
    registry = GatewayMetrics(Config(endpoint=(endpoint,)), lambda: 0, lambda: None).registry
    return {
        metric.name + suffix
        for metric in registry.collect()
        if metric.name.startswith("audience_")
        for suffix in _SUFFIXES[metric.type]
    }

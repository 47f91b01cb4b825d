"""An evening in real time, watched by a real Prometheus and Alertmanager: alerts fire."""

from agents.demo.observe.show import run

__all__ = ["run"]

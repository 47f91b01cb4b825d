"""The gateway's show: signed webhooks, and a real nginx whose stream is watched."""

from agents.demo.gateway.show import run

__all__ = ["run"]

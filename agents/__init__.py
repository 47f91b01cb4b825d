"""live-audience: the Faust app, its agents, metrics, web and command."""

from streams import compiled

compiled.install()

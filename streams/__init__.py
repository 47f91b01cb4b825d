"""live-audience: the contract, the arithmetic and the streaming layer."""

from streams import compiled

compiled.install()

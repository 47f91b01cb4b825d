"""live-audience: the contract, the arithmetic and the streaming layer."""

"""Hostile input, made by seed: what a producer can send, and what it costs to read."""

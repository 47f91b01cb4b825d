"""How the worker and the commands prove to Kafka who they are, and see who Kafka is.

What is in files is read at each connection, so that a changed password, certificate or token holds
without a restart. Every failure is told with the setting that is to be put right.
"""

from agents.security.credentials import security_options

__all__ = ["security_options"]

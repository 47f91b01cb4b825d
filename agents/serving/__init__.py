"""What is read from outside: the state a worker holds, its metrics and its HTTP API."""

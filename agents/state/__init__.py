"""Takes a deployment's state out, puts it in, and moves it to other partitions.

The workers must have stopped; see `exclusive` in `access.py` for what makes sure of it. What is
under way is told by a record of the changelog (`operation.py`), so that a command that was killed
can be run again, and positions keep workers from starting on what is not whole.
"""

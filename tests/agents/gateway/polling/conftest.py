"""Lets the tests here say `from simulated_evening import ...`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

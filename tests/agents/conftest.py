"""Lets the tests here use the arithmetic's brute-force twin and its logs."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "streams" / "audience"))

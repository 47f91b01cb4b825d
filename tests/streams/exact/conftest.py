"""Lets the tests here use the makers of batches."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

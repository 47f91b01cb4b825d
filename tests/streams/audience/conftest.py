"""Lets the tests here say `from system import ...`: test folders are no packages."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

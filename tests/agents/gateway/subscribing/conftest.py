"""Lets the tests here say `from subscription_servers import ...`, and of the polls' servers."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "polling")]

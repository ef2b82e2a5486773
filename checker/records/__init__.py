"""What was seen and what was asked: all SQL, the frontier, the index (see interfaces.py)."""

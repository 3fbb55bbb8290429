"""RQ's side of the house: wake-ups that look at the database and do what is due.

May import floors 0-2, RQ and Redis; no other edge. A job takes no arguments that matter, may run
twice, late or never; `workers.schedule` (the clock) rings, and does the work itself when nobody
answers. Run one with `python -m workers settle|carrier|notify|clock`.
"""

"""What the jobs worker does, as others ask for it: `hints.py` arq's queue, by which it is woken · `asked.py` what an operator
asked for, how far it is, and what came of it. The worker itself is in `ops/jobs`."""

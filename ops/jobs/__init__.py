"""Background work: archiving what has ended, letting go of what is old, proving what was erased, reading back what is kept.

What is to be done stands in the archive; arq's jobs are hints about it, which may be lost or come twice. Nothing here uses a
connection that a call is carried by.
"""

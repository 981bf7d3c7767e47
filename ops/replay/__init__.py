"""A recorded session again: checked, decided again, replayed with other settings as a fork, walked through step by step.

`check.py` stored sessions as a regression test · `turns.py` turn-taking replayed in virtual time · `settings.py` what an agent is
changed to · `debug.py` a session walked through · `scripted.py` a conversation by script. Nothing here changes the session it is
given.
"""
"""A recorded session made use of: compared with another, written on a page or as sound; and calls from elsewhere taken in as
sessions. Nothing here prints."""

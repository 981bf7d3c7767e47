"""A recorded session again: checked, decided again, replayed with other settings as a fork, walked through step by step, compared
with another, written on a page or as sound; and calls from elsewhere taken in as sessions.

`check.py` stored sessions as a regression test · `turns.py` turn-taking replayed in virtual time · `settings.py` what an agent is
changed to · `debug.py` a session walked through · `scripted.py` a conversation by script · `diff.py` where two calls part ·
`page.py`, `diff_page.py` the same on a page · `recording.py` as sound · `importing.py` from elsewhere. Nothing here prints, and
nothing changes the session it is given.
"""

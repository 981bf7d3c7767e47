"""A recorded session again: checked, decided again, replayed with other settings as a fork, walked through step by step, compared
with another, written on a page or as sound; and calls from elsewhere taken in as sessions.

`check.py` stored sessions as a regression test · `events_file.py` one in a file of events · `turns.py` turn-taking replayed in
virtual time · `stages.py` a session replayed through the worker pools · `batch.py` many of them · `settings.py` what an agent is
changed to · `debug.py` a session walked through · `scripted.py` a conversation by script · `page.py`, `diff_page.py`,
`batch_page.py` a session, two and many on a page (where two part: `schemas/session/comparing`) · `recording.py` as sound ·
`importing.py` from elsewhere, `shelf.py` where that lies meanwhile. Nothing here prints, and nothing changes the session it is
given.
"""

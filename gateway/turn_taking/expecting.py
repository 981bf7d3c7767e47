"""What the caller is expected to say: as the agent's file has it, or by what the agent asked last. Read in English."""

import re

from schemas.config.agent import TurnTaking
from schemas.config.conversation import Expects

_AMOUNT = re.compile(
    r"\b(how (many|much|old|long|tall|far|often|big)|(what|which) (time|year|day|date|size|floor|amount|age))\b"
    r"|^\W*(and |so )?when\b",
    re.IGNORECASE,
)
_SPELLING = re.compile(r"\b(spell|letter by letter|e-?mail|web ?site|address)", re.IGNORECASE)
_NUMBER = re.compile(
    r"\b(number|digits|zip|post ?code|postal code|pin|date of birth|pass ?code|(access|security|what|which|the|your) code)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"\W*(?:(?:and|so|but|okay|all right|great|thanks|then|now|sorry|please)\W+)*"
    r"(am|is|are|was|were|do|does|did|have|has|can|could|will|would|shall|should|may|isn't|aren't|don't|doesn't|didn't|won't)\b",
    re.IGNORECASE,
)
_TAG = re.compile(r"\b(right|correct|okay|ok|is it|isn't it|don't you|didn't you|yes)\W*$", re.IGNORECASE)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)


def expected(asked: str, settings: TurnTaking) -> Expects:
    """`asked`: the agent's last question, "" for none. What the settings say goes first."""
    if settings.expects != "free" or not asked:
        return settings.expects
    if _AMOUNT.search(asked):
        return "amount"
    if _SPELLING.search(asked):
        return "spelling"
    if _NUMBER.search(asked):
        return "number"
    yes_no = _TAG.search(asked) or (_YES_NO.match(asked) and not _CHOICE.search(asked))
    return "yes_no" if yes_no else "free"

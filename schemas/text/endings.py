"""How an utterance ends, by its words: turn-taking waits by it, and the STT worker judges the melody only where it is open.

Read as English where the words matter, by punctuation alone elsewhere.
"""

import re
from typing import Literal

from schemas.text.sentences import QUESTION_MARKS, ends_sentence

Ending = Literal["question", "open", "answer", "command", "statement", "number", "unfinished", "hesitation"]

OVER: frozenset[Ending] = frozenset({"question", "answer", "command"})
"""What is over by its words alone, whatever a model thinks of its melody."""


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def _listed(text: str) -> frozenset[str]:
    """Entries between bars."""
    return frozenset(entry.strip() for entry in text.split("|"))


_HESITATION = _listed("um|uh|er|erm|hmm|hm|mm")
_WANTS_MORE = _listed(
    """and|or|but|because|if|when|while|although|though|unless|until|that|which|whose|where|than|as
    |the|a|an|my|your|his|her|its|our|their|every|to|of|in|on|at|by|for|from|with|without|into|between
    |is|are|was|were|be|i'm|i'd|i'll|i've|you're|we're|they're|it's|there's|let's|want"""
)
_WANTS_OBJECT = _listed(
    "to know|to ask|to say|to tell you|like to|want to|need to|going to|i need|i mean|i think|i guess"
)
_ANSWERS = _listed(
    """yes|no|yeah|yep|nope|okay|ok|sure|right|correct|exactly|please|thanks|thank you|thank you very much|bye|goodbye
    |hello|hi|yes please|no thanks|no thank you|not now|not yet|never mind|of course|maybe|stop|stop it|go on|go ahead
    |that's right|that's all|that's it|all right|alright|wait|cancel|repeat that|i don't know"""
)
_COMMANDS = _listed(
    """please|tell|show|give|find|play|stop|start|turn|set|call|book|order|cancel|repeat|explain|describe|read|send|open
    |close|add|remove|change|move|check|search|look|translate|spell|say|sing|count|list|name|remind|help|let|skip
    |continue|pause"""
)
_ASKS = re.compile(
    r"(who|what|where|why|how|(can|could|will|would|do|did|are|is|have) (you|there|it|we|i)"
    r"|(i|we)( would|'d) like|(i|we) (want|need)|i'm looking for)\b"
)
"""How requests begin, and questions whose mark the transcript forgot."""


def ending(text: str) -> Ending:
    """How the words end. `open`: they ask something, and may yet say more; the melody decides."""
    bare = text.strip().strip("\"'”’»)").rstrip()
    plain = bare.casefold().replace("’", "'")
    words = _WORD.findall(plain)
    sentence = _WORD.findall(re.split(r"[.!?]\s+", plain)[-1])
    if not words or (words[-1] in _HESITATION and not bare.endswith("?")):
        return "hesitation"
    if bare.endswith(tuple(QUESTION_MARKS)):
        return "open" if words[-1] in _WANTS_MORE else "question"
    commands = len(sentence) > 2 and sentence[0].partition("'")[0] in _COMMANDS
    if words[-1].isdigit():
        return "open" if commands else "number"
    if bare.endswith(("...", "…", ",", "-", "–", "—", ":", ";")) or (
        _wants_more(words) and not (commands and words[-1] == "that")
    ):
        return "unfinished"
    if " ".join(words) in _ANSWERS:
        return "answer"
    if not ends_sentence(bare):
        return "unfinished"
    if commands:
        return "command"
    return "open" if len(sentence) > 2 and _ASKS.match(" ".join(sentence)) else "statement"


def _wants_more(words: list[str]) -> bool:
    """The last words want another one, whatever full stop the transcript puts behind them."""
    if words[-1] in _WANTS_MORE:
        return True
    return any(" ".join(words[-size:]) in _WANTS_OBJECT for size in (1, 2, 3))

"""Yes, said over a question: what would be a backchannel anywhere else is the answer.

Callers answer before the agent has asked to the end. So what begins in the last sentence of a reply that ends in a question, and
can answer it, answers it once the agent is done. Over an earlier sentence it is a backchannel.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from gateway.turn_taking.state import Reply, State, Turn
from schemas.text.sentences import ENDS, QUESTION_MARKS, sentences

_MARKS = re.compile(f"[{QUESTION_MARKS}]")
_ENDS = re.compile(f"[{ENDS}]")
_ASKS_BY_WORD = ("か", "吗", "嗎", "呢")
"""Endings of questions that need no mark."""

_HUM = re.compile(r"[mhnu]+")
_AGREES = re.compile(r"m+h+[mn]+|u+h+u+h+")
""" "Mm-hmm", "uh-huh"; other hums only show that somebody listens."""
_LISTENS = frozenset(("i", "see", "ah", "aah", "oh", "ooh", "aha"))
_WANTS_MORE_THAN_YES = re.compile(r"\W*(\w+\W+)?(who|whom|whose|what|which|where|when|why|how)\b", re.IGNORECASE)


def heard_during(state: State, turn: Turn) -> Turn:
    """`turn`, in which somebody begins to speak now: with the sentence that is being said to them meanwhile, if any."""
    playing = state.playing
    if playing is None or playing.reply is None:
        return turn
    started = [index for index, sentence in enumerate(playing.reply.sentences) if sentence.heard is not None]
    return replace(turn, during=(playing.id, started[-1])) if started else turn


def may_answer(state: State, turn: Turn) -> bool:
    """Whether the words of `turn`, all backchannel, answer the question they were said over, or may yet turn out to: a reply that
    goes on can still end in one."""
    if turn.asked:
        return can_answer(turn.asked, turn.text)
    over = state.turns.get(turn.during[0]) if turn.during else None
    if over is None or over.reply is None or turn.during is None or turn.during[1] < last_sentence(over.reply):
        return False
    return not over.reply.complete or can_answer(question(over.reply), turn.text)


def after(ended: Turn, turn: Turn) -> Turn:
    """`turn`, now that `ended` is over: with the question that was asked last when it began."""
    if turn.during is None or turn.during[0] != ended.id or ended.reply is None:
        return turn
    return replace(turn, asked=question(ended.reply) if turn.during[1] >= last_sentence(ended.reply) else "")


def last_sentence(reply: Reply) -> int:
    """Index from which a reply's last sentence goes: what is spoken as one piece may be a clause of it."""
    texts = [sentence.text for sentence in reply.sentences]
    first = max(0, len(texts) - 1)
    while first > 0 and not _ENDS.search(_tail(texts[first - 1])):
        first -= 1
    return first


def question(reply: Reply) -> str:
    """The last sentence of a reply, if it asks; else nothing."""
    text = " ".join(sentence.text for sentence in reply.sentences[last_sentence(reply) :])
    return text if asks(text) else ""


def asked_in(reply: Reply, before: str) -> str:
    """The question a reply leaves open, by what of it was heard; where nothing was, the one `before` it."""
    heard = tuple(sentence for sentence in reply.sentences if sentence.heard is not None)
    return question(replace(reply, sentences=heard)) if heard else before


def asks(text: str) -> bool:
    """Whether a text ends in a question."""
    return bool(_MARKS.search(_tail(text))) or re.sub(r"\W+$", "", text).endswith(_ASKS_BY_WORD)


def _tail(text: str) -> str:
    """What follows the last word: marks, quotes, brackets, signs."""
    return re.sub(r"^.*\w", "", text, flags=re.DOTALL)


def can_answer(question: str, text: str) -> bool:
    """Whether backchannels can answer a question: an "oh" or an "I see" never; a hum that agrees, where a yes can; other words an
    agent counts among its backchannels ("yes", "okay", "genau"), always."""
    words = _words(text)
    said = [word for word in words if word not in _LISTENS and (not _HUM.fullmatch(word) or _AGREES.fullmatch(word))]
    if not question or not said:
        return False
    asked = sentences(question.strip())[-1]
    return not (all(map(_AGREES.fullmatch, said)) and _WANTS_MORE_THAN_YES.match(asked))


def _words(text: str) -> Sequence[str]:
    """Case folded; the pieces of a hum ("Mm-hmm", "M-H-M") together."""
    words: list[str] = []
    for piece in re.findall(r"[^\W_]+", text.casefold()):
        if words and _HUM.fullmatch(piece) and _HUM.fullmatch(words[-1]):
            words[-1] += piece
        else:
            words.append(piece)
    return words

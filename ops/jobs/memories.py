"""What an agent remembers of a caller, made anew from what it knew and from the call that is over."""

from ops.jobs.asking import CALL_IS_TOLD, Asking
from ops.jobs.summaries import transcript
from schemas.bus import Reading
from schemas.config.collecting import MemorySpec
from schemas.errors import Transient
from schemas.text.clean import one_line

__all__ = ["Memories"]

_WHO = f"You keep an agent's notes about one caller. {CALL_IS_TOLD}"
_ASKED = """
Write the agent's notes about this caller anew: keep what still holds of the notes so far, add what of this call will matter \
in the next one (who they are, what they want, what was agreed, how they like to be spoken to), drop what is settled. Write \
plain sentences about the caller, at most {most} characters, and nothing else. No passwords, card numbers or health matters. \
If there is nothing worth keeping, answer with one dash."""


class Memories:
    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def of(self, log: Reading, session: str, spec: MemorySpec, before: str) -> str:
        """The notes after this session; `before`: those it began with. As they were where nothing was said. ProviderError: the
        endpoint did something else than answer."""
        said = await transcript(log, session)
        if not said:
            return before
        known = one_line(before.replace("<", "‹").replace(">", "›"), spec.max_characters) or "none"
        asked = f"Notes so far: {known}\n<call>\n{said}\n</call>\n{_ASKED.format(most=spec.max_characters)}"
        if spec.instructions:
            asked += f"\n{spec.instructions}"
        messages = [{"role": "system", "content": _WHO}, {"role": "user", "content": asked}]
        answer = await self._asking.ask(messages, min(2_000, spec.max_characters // 2 + 100))
        notes = one_line(answer.strip().strip("`"), spec.max_characters)
        if not notes:
            raise Transient(f"{self._asking.model} said nothing that could be remembered (SUMMARY_MODEL)", "empty")
        return before if notes in ("-", "–", "—") else notes

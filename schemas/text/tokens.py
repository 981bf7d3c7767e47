"""How many tokens a text is, by estimate: an endpoint's own count is known only once it was asked."""

_LETTERS_A_TOKEN = 4


def tokens(text: str) -> float:
    """About four letters of a European language are one; of other scripts each counts as one, which is rather too many."""
    if text.isascii():
        return len(text) / _LETTERS_A_TOKEN
    return sum(1 / _LETTERS_A_TOKEN if character < "\u0250" else 1 for character in text)

"""Numbers in English words. Pure."""

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_LONGEST = 15
"""Digits beyond which a number is read digit by digit."""


def cardinal(number: int) -> str:
    """0 to 10¹⁵ - 1 in words: 121 is "one hundred twenty-one"."""
    if number < 1000:
        return _below_thousand(number)
    groups: list[str] = []
    for scale in _SCALES:
        number, low = divmod(number, 1000)
        if low:
            groups.insert(0, _below_thousand(low) + scale)
    return " ".join(groups)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{ONES[hundreds]} hundred"] if hundreds else []
    if rest or not words:
        words.append(_below_hundred(rest))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    if number < len(ONES):
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f"-{ONES[ones]}" if ones else "")


def ordinal(number: int) -> str:
    """21 is "twenty-first"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def year(number: int) -> str:
    """1999 is "nineteen ninety-nine", 2005 "two thousand five", 1900 "nineteen hundred"."""
    century, rest = divmod(number, 100)
    if number < 1000 or number > 9999 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {_two_digits(rest)}"


def _two_digits(number: int) -> str:
    return f"oh {ONES[number]}" if 0 < number < 10 else _below_hundred(number)


def minutes(number: int) -> str:
    """The minutes of a clock time: 5 is "oh five"."""
    return "oh oh" if number == 0 else _two_digits(number)


def pairs(digits: str) -> str:
    """The number of a model, a room, a bus: "4090" is "forty ninety", "380" "three eighty"."""
    if digits.startswith("0") or len(digits) > 4:
        return spelled(digits)
    if len(digits) < 3:
        return cardinal(int(digits))
    if digits.endswith("000"):
        return cardinal(int(digits))
    head, rest = int(digits[:-2]), int(digits[-2:])
    return f"{_below_hundred(head)} {_two_digits(rest) if rest else 'hundred'}"


def spelled(digits: str) -> str:
    """Digit by digit."""
    return " ".join(ONES[int(digit)] for digit in digits if digit.isdecimal())


def number(text: str) -> str:
    """`text`: "1,234.5", "007", "0.05", ".5"; what is too long for words is read digit by digit."""
    whole, point, fraction = text.replace(",", "").partition(".")
    long = len(whole) > _LONGEST or (len(whole) > 1 and whole[0] == "0")
    words = "" if not whole else spelled(whole) if long else cardinal(int(whole))
    return f"{words} point {spelled(fraction)}".strip() if point and fraction else words


def decade(number: int) -> str:
    """1990 is "nineteen nineties", 80 "eighties", 2000 "two thousands", 1900 "nineteen hundreds"."""
    words = year(number) if number >= 1000 else cardinal(number)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


_UNITS = ["half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]


def fraction(above: int, below: int) -> str:
    """1/2 is "one half", 3/4 "three quarters", 7/25 "seven over twenty-five"."""
    if below < 2 or below > 100 or (below > 20 and below not in (32, 64)):
        return f"{cardinal(above)} over {cardinal(below)}"
    part = _UNITS[below - 2] if below <= 10 else ordinal(below)
    if above != 1:
        part = "halves" if below == 2 else part + "s"
    return f"{cardinal(above)} {part}"

"""What is written for machines, taken out of a text: markdown, tags, entities, formulas' commands, emoji. Pure.

Every language's: nothing here is a word. Blanks stay where they are, so that what is left still lies in its written word.
"""

import html
import re
import unicodedata

_NAMED = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ATTRIBUTE = r"""\s[\w:.-]{1,60}\s?=\s?(?:"[^"<>]{0,2000}"|'[^'<>]{0,2000}'|[^\s"'<>=]{1,200})"""
_TAG = re.compile(
    rf"<!--.{{0,200}}?-->|<[!?][A-Za-z][^<>]{{0,500}}>|</?(?P<name>[A-Za-z][\w-]{{0,40}}(?::[\w-]{{1,40}})?)(?P<more>(?:{_ATTRIBUTE}){{0,20}})\s?/?>"
)
_TAGS = frozenset(
    """speak break emphasis prosody say-as sub p s w phoneme voice audio mark lang par seq media metadata
    token lexicon lookup desc
    amazon:effect amazon:domain amazon:emotion amazon:auto-breaths mstts:express-as mstts:silence mstts:viseme
    google:style emotion
    speed spell volume pause laugh laughter sigh whisper a b i u em strong br hr div span code pre li ul ol h1 h2 h3
    h4 h5 h6 table tr
    td th tbody thead blockquote img small big sup del ins kbd samp var q cite html body head title font center
    details summary
    think thinking chuckle gasp cough sniffle groan yawn cry shout""".split()  # noqa: SIM905
)
"""Tags that are tags even where they are glued to a word; others may be a type's parameter: `List<Widget>`."""
_ADDRESS = re.compile(r"\]\([^()\s]{0,500}(?:\([^()\s]{0,200}\)[^()\s]{0,200})?(?:\s\"[^\"]{0,200}\")?\)")
_FENCE = re.compile(
    r"(?:```+|~~~+)(?:(?:python|py|javascript|js|typescript|ts|tsx|jsx|java|c|cpp|csharp|cs|go|rust|ruby|php|bash|sh|shell|zsh|console|"
    r"sql|html|css|json|yaml|toml|xml|markdown|md|text|plaintext|kotlin|swift|lua|r|scala|diff|dockerfile|makefile)(?=\s|$))?"
)
_NOTE = re.compile(r"\[\^[^\]\s]{1,20}\]|【[^】]{0,60}】|(?<=[\w.,!?])\\?\[[1-9][0-9]{0,2}\](?=[\s.,;:!?\[]|$)")
_LINE_MARK = re.compile(r"^(?:#{1,6}|>{1,3}|[-*•+])\s|(?<!\S)#{2,6}(?=\s)|(?<!\S)[•‣▪◦●○](?=\s|\w)")
_TABLE_RULE = re.compile(r"\|?\s?:?-{3,}:?(?:\s?\|\s?:?-{3,}:?){0,20}\s?\|?")

_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "\u00ad": "",
    "\ufe0f": "", "⁄": "/", "∕": "/",
     "˚": "°", "º": "°", **{chr(0x2080 + digit): str(digit) for digit in range(10)}}
) | {ord("`"): ""}  # fmt: skip
_WIDE_FORMS = re.compile("[\uff01-\uff5e\U0001d400-\U0001d7ff]")
_DROPPED = {"So", "Sk", "Cc", "Cf", "Cn", "Co", "Cs", "Me"}
_KEPT = "°^©℃℉№←↑→↓↔⇒⇔⟹"

_COMMANDS = {
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠",
    "ne": "≠",
    "approx": "≈", "infty": "∞", "sqrt": "√", "to": "→", "rightarrow": "→", "implies": "⇒", "sum": "∑", "int": "∫",
    "partial": "∂", "in": "∈",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "theta": "θ", "lambda": "λ", "mu": "μ",
    "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω", "Delta": "Δ", "Sigma": "Σ", "Omega": "Ω", "left": "",
    "right": "", "quad": "", "text": "",
    "mathrm": "", "mathbf": "", "boxed": "", "degree": "°", "circ": "°", "frac": "", "dfrac": "", "cdots": "",
    "ldots": "", "dots": "",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]{2,10})(?![A-Za-z])|\\[()\[\],;!]")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]{1,60})\}\{([^{}]{1,60})\}")
_FORMULA = re.compile(r"\${1,2}(?=[A-Za-z\\(|-])([^$]{1,200})(?<=\S)\${1,2}(?![0-9])")


def unmarked(text: str) -> str:
    """`text` (blanks single) as a reader sees it. As many blanks as before, in the same places."""
    text = _markdown(text)
    if "<" in text:
        text = _TAG.sub(_tag, text)
    if "&" in text:
        text = _NAMED.sub(lambda match: _one_word(html.unescape(match.group())), text)
    if "\\" in text or "$" in text:
        text = _formulas(text)
    text = text.translate(_PLAIN)
    if text.isascii():
        return text
    text = _WIDE_FORMS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return "".join(char for char in text if char in _KEPT or unicodedata.category(char) not in _DROPPED)


def _markdown(text: str) -> str:
    if "```" in text or "~~~" in text:
        text = _FENCE.sub(_blanks, text)
    if "[" in text or "【" in text:
        text = _NOTE.sub(_blanks, text)
        text = _ADDRESS.sub(lambda match: "]" + _blanks(match), text).replace("![", "[")
    if "|" in text and "---" in text:
        text = _TABLE_RULE.sub(_blanks, text)
    return _LINE_MARK.sub(_blanks, text)


def _formulas(text: str) -> str:
    text = _FORMULA.sub(lambda match: match.group(1), text)
    text = _FRACTION.sub(lambda match: f"{_bracketed(match.group(1))}/{_bracketed(match.group(2))}", text)
    return _COMMAND.sub(lambda match: _COMMANDS.get(match.group(1), match.group()) if match.group(1) else "", text)


def _bracketed(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def _tag(match: re.Match[str]) -> str:
    name = (match["name"] or "").lower()
    glued = match.start() and (match.string[match.start() - 1].isalnum() or match.string[match.start() - 1] in "_>")
    if match["name"] and name not in _TAGS and not match["more"] and match.group().endswith(f"<{match['name']}>"):
        behind = match.string[match.end() : match.end() + 1]
        if match.start() and match.string[match.start() - 1] in " /='\"" and (not behind or behind in " .,;:!?'\"/)"):
            return f" {match['name']} ".strip()  # what is to be filled in: `git checkout <branch>`
    if match["name"] and glued and not match["more"] and name not in _TAGS and match.group()[1] != "/":
        return match.group()
    return _blanks(match)


def _blanks(match: re.Match[str]) -> str:
    return " " * sum(char.isspace() for char in match.group())


def _one_word(text: str) -> str:
    """What an entity stands for; a blank within a word would be none of the text's."""
    return "\u00a0" if text.isspace() else text

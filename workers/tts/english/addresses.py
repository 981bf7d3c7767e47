"""Addresses, hosts, files and folders, in English. Pure."""

import re

from workers.tts.english.numbers import number, pairs, spelled
from workers.tts.english.scan import Match, Rule, glued, rule
from workers.tts.english.spelling import characters, label, letters

_SAID_ENDINGS = {
    "com": "com", "org": "org", "net": "net", "gov": "gov", "edu": "E D U", "info": "info", "dev": "dev",
    "app": "app",
    "ai": "A-I", "blog": "blog", "shop": "shop", "cloud": "cloud", "zip": "zip", "json": "jason", "doc": "doc",
    "docx": "doc X",
    "wav": "wave", "gif": "gif", "jpeg": "J peg", "jpg": "J peg", "log": "log", "bin": "bin", "bat": "bat",
    "toml": "toml",
    "yaml": "yaml", "yml": "yaml", "bash": "bash", "lock": "lock", "conf": "conf", "config": "config", "env": "env",
    "test": "test",
    "example": "example", "local": "local", "java": "java", "tar": "tar", "store": "store", "online": "online",
    "site": "site",
    "tech": "tech", "mil": "mil", "int": "int", "biz": "biz", "name": "name", "pro": "pro", "museum": "museum",
    "final": "final",
    "lua": "lua", "swift": "swift", "go": "go", "ini": "ini", "me": "me", "vue": "vue", "rust": "rust",
    "text": "text",
    "gitignore": "git ignore", "bashrc": "bash R C", "zshrc": "Z S H R C", "md": "M D", "deb": "deb", "iso": "I S O",
    "backup": "backup",
}  # fmt: skip
_TLD = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|app|dev|co|uk|us|de|fr|es|it|nl|eu|ch|at|ca|au|jp|cn|in|ru|br|me|tv|fm|ly|gg|xyz|tech|"
    "online|site|store|shop|blog|cloud|example|test|local|nz|ie|be|se|no|dk|fi|pl|pt|mx|za|kr|sg|hk|page|news|museum|name|pro|sh|to|im"
)
_EXTENSIONS = (
    "pdf|txt|docx?|xlsx?|pptx?|csv|tsv|json|xml|html?|css|jsx?|tsx?|py|pyi|ipynb|md|rst|ya?ml|toml|ini|cfg|conf|config|env|log|lock|"
    "exe|dll|msi|bat|sh|bash|zip|gz|tar|bz2|xz|7z|rar|jpe?g|png|gif|svg|webp|bmp|ico|mp[34]|wav|ogg|flac|m4a|avi|mov|mkv|webm|"
    "c|h|cc|cpp|hpp|cs|java|class|jar|go|rs|rb|php|swift|kt|lua|pl|sql|db|sqlite|bak|tmp|iso|dmg|deb|rpm|apk|vue|onnx|safetensors|pem|key|epub|mobi|psd|js|ts"
)


def _ending(text: str) -> str:
    lower = text.lower()
    if lower in _SAID_ENDINGS:
        return _SAID_ENDINGS[lower]
    if len(lower) <= 4 or any(char.isdecimal() for char in lower):
        return characters(lower)
    return lower


def _host(text: str) -> str:
    labels = text.rstrip(".").split(".")
    if len(labels) > 2 and labels[0].lower() == "www":
        labels = labels[1:]
    said = [_part(one) for one in labels[:-1]]
    return " dot ".join([*said, _ending(labels[-1]) if labels[-1].isalpha() else label(labels[-1])])


def _part(text: str) -> str:
    if len(text) <= 3 and text.isalpha() and not re.search("[aeiouy]", text.lower()):
        return letters(text.upper())
    return " dash ".join(label(one) for one in text.split("-") if one)


def _url(match: Match) -> str:
    """The host: nobody wants to hear the rest of a long address."""
    host, _, port = (match["host"] + (f":{match['port']}" if "port" in match.re.groupindex else "")).partition(":")
    if re.fullmatch(r"[0-9.]+", host):
        said = " dot ".join(spelled(one) if len(one) == 3 else number(one) for one in host.split(".") if one)
    elif "." in host:
        said = _host(host)
    else:
        said = label(host)
    return said + (f" port {pairs(port)}" if port.isdecimal() else "")


def _domain(match: Match) -> str | None:
    host, path = match["host"], match["path"] or ""
    if not match["www"] and not path and host.split(".")[0][:1].isdecimal() and len(host) < 5:
        return None
    said = _host(host)
    for part in re.split(r"[/?]", path)[1:]:
        if part:
            said += " slash " + _name(part)
    return said


def _name(text: str) -> str:
    """The name of a file or a folder."""
    head, dot, tail = text.rpartition(".")
    if not dot:
        return " dash ".join(label(one) for one in text.split("-") if one)
    said = " dot ".join(" dash ".join(label(one) for one in part.split("-") if one) for part in head.split(".") if part)
    return f"{said} dot {_ending(tail)}".strip()


def _file(match: Match) -> str:
    return _name(match.group())


def _path(match: Match) -> str | None:
    """/etc/hosts, ~/.bashrc, ./run.sh, src/main.py, C:\\Users"""
    text = match.group()
    said = ""
    if text[:2] in ("~/", "./") or text[:3] == "../":
        first, _, text = text.partition("/")
        said = {"~": "home", ".": "dot", "..": "dot dot"}[first]
        text = "/" + text
    elif text[1:2] == ":":
        said, text = f"{text[0].upper()} colon", text[2:]
    sign = " backslash " if "\\" in text else " slash "
    parts = re.split(r"[/\\]", text)
    if parts[0]:
        said += _name(parts[0])
    said += "".join(sign + _name(part) for part in parts[1:] if part)
    return said.strip() if any(char.isalnum() for char in said) else None


def _mail(match: Match) -> str:
    user = re.sub(r"([._+-])", lambda sign: f" {_SIGN_NAMES[sign.group()]} ", match["user"])
    user = " ".join(part if part in _SIGN_NAMES.values() else label(part) for part in user.split())
    return f"{user} at {_host(match['host'])}"


_SIGN_NAMES = {".": "dot", "_": "underscore", "+": "plus", "-": "dash"}


def _handle(match: Match) -> str:
    return f"at {label(match['name'])}"


_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.){1,5}"

URL = rule(
    r"(?:https?|ftp|wss?|file)://(?P<host>[^/\s?#)\]>\"',;!]{1,120}?)(?=[.,;:!?)]*(?:[/\s?#)\]>\"']|$))[^\s)\]>\"]{0,2000}?(?=[.,;:!?)\]>\"']*(?:\s|$))",
    _url,
    re.IGNORECASE,
)
ANY: list[Rule] = [
    rule(r"(?:mailto|tel|sms):(?=\w|\+)", lambda m: "", re.IGNORECASE),
    rule(r"(?P<host>localhost):(?P<port>[0-9]{2,5})(?!\w)", _url),
    rule(r"(?:[0-9A-Fa-f]{2}:){3,7}[0-9A-Fa-f]{2}(?!\w)", lambda m: ", ".join(map(characters, m.group().split(":")))),
    URL,
    rule(rf"(?P<user>[\w](?:[\w.+-]{{0,60}}[\w])?)@(?P<host>{_HOST}[A-Za-z]{{2,12}})(?!\w)", _mail),
    rule(
        rf"(?P<www>www\.)?(?P<host>{_HOST}(?:{_TLD}))(?P<path>/[\w./?=&%#~+-]{{0,200}})?(?![\w@]|\.[a-z])(?<![.?,])",
        _domain,
        re.IGNORECASE,
    ),
    rule(rf"[\w](?:[\w.-]{{0,60}}[\w])?\.(?:{_EXTENSIONS})(?![\w(])(?!\.[\w])", _file),
    rule(r"[A-Za-z]:\\(?:[\w.()-]{1,40}(?: [\w.()-]{1,40})?\\){0,8}(?:[\w.-]{0,60}\w)?", _path),
    rule(rf"[A-Za-z0-9_][\w.-]{{0,40}}(?:/[\w.-]{{1,40}}){{0,8}}/[\w.-]{{0,60}}\.(?:{_EXTENSIONS})(?!\w)", _path),
]
"""Rules for letters and digits alike."""
SIGNS: list[Rule] = [
    rule(r"@(?P<name>[A-Za-z_]\w{1,60})", lambda m: _handle(m) if not glued(m)[0] else None),
    rule(r"(?:~|\.{1,2})?/[A-Za-z0-9_.][\w./-]{0,120}[\w]", lambda m: _path(m) if not glued(m)[0].isalnum() else None),
    rule(
        r"\.(?P<name>NET|[a-z]{2,16})(?!\w)",
        lambda m: f"dot {_ending(m['name'].lower()) if m['name'] != 'NET' else 'net'}" if not glued(m)[0] else None,
    ),
]

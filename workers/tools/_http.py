"""Tools that an OpenAPI file describes: one an operation, asked at its base URL and nowhere else."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from schemas.config.agent import HttpSpec
from workers.agents import ArgumentsError, Context, Tool, ToolError
from workers.tools._fetching import fetched

__all__ = ["operations"]

_LONGEST = 5 << 20
_METHODS = ("get", "post", "put", "patch", "delete")
_DEPTH = 12
"""References within references that are followed."""
_PARTS = 2_000
"""Parts of one operation's parameters that are told: schemas that refer to themselves in many places would have no end."""


def operations(spec: HttpSpec, folder: Path | None) -> tuple[list[Tool], str]:
    """The tools of an OpenAPI file, and what is wrong with it in one sentence ("": nothing)."""
    path = Path(spec.openapi) if folder is None else folder / spec.openapi
    if folder is None or not path.resolve().is_relative_to(folder.resolve()):
        return [], f"tools.http: openapi = {spec.openapi}: expected a file in the agent's own folder"
    try:
        if path.stat().st_size > _LONGEST:
            return [], f"{path}: {path.stat().st_size:,} bytes; expected at most {_LONGEST:,}"
        document = json.loads(path.read_bytes())
    except OSError as error:
        return [], f"{path}: cannot be read ({error.strerror})"
    except (ValueError, RecursionError) as error:
        return [], f"{path}: {error}; expected OpenAPI 3 as JSON"
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        return [], f"{path}: it has no paths; expected OpenAPI 3 as JSON"
    base = spec.base_url or _first_server(document)
    if not re.match(r"https?://[^/\s]+", base):
        return [], f"{path}: no server with a whole address; say where it is by base_url"
    missing = [name for name in (spec.auth, *spec.headers.values()) if name and not os.environ.get(name)]
    if missing:
        return [], f"{path}: the environment variable {missing[0]} is not set for this worker; its tools are left out"
    everything = spec.allow == ["*"]
    tools = []
    wrong = [] if everything else sorted(set(spec.allow) - {name for name, *_ in _operations(document)})
    wrong = [f"no operation has the operationId {name}" for name in wrong[:1]]
    for name, method, place, operation in _operations(document):
        if everything or name in spec.allow:
            try:
                tools.append(_Operation(document, spec, base, method, place, operation).tool(name))
            except (AttributeError, TypeError, ValueError, RecursionError):
                wrong.append(f"the operation {name} is not as OpenAPI 3 has it; it is left out")
    return tools, f"{path}: {'; '.join(wrong[:3])}" if wrong else ""


def _first_server(document: Mapping[str, Any]) -> str:
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    return str(first.get("url", "")) if isinstance(first, dict) else ""


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for place, item in document["paths"].items():
        if not isinstance(item, dict):
            continue
        for method in _METHODS:
            operation = item.get(method)
            if not isinstance(operation, dict):
                continue
            name = operation.get("operationId")
            if isinstance(name, str) and re.fullmatch(r"[\w-]{1,64}", name):
                yield name, method, place, {**operation, "parameters": [*_list(item), *_list(operation)]}


def _list(item: Mapping[str, Any]) -> list[Any]:
    found = item.get("parameters")
    return found if isinstance(found, list) else []


class _Operation:
    """One operation, and how its arguments become a request."""

    def __init__(
        self, document: Any, spec: HttpSpec, base: str, method: str, place: str, operation: Mapping[str, Any]
    ) -> None:
        self._document, self._spec, self._base, self._method, self._place = document, spec, base, method, place
        self._told = str(operation.get("description") or operation.get("summary") or f"{method.upper()} {place}")[
            :2_000
        ]
        self._left = _PARTS
        self._where: dict[str, str] = {}
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        for parameter in operation.get("parameters", []):
            self._parameter(self._followed(parameter))
        body = self._followed(operation.get("requestBody") or {})
        content = body.get("content", {}).get("application/json", {}) if isinstance(body.get("content"), dict) else {}
        self._body = self._followed(content.get("schema") or {})
        if self._body.get("type") == "object" or "properties" in self._body:
            for name, schema in (self._body.get("properties") or {}).items():
                if name not in self._where:
                    self._where[name], self._properties[name] = "body", self._followed(schema)
            self._required += [name for name in self._body.get("required") or [] if self._where.get(name) == "body"]
        elif self._body:
            self._where["body"], self._properties["body"] = "whole body", self._body

    def _parameter(self, parameter: Mapping[str, Any]) -> None:
        name, where = parameter.get("name"), parameter.get("in")
        if not isinstance(name, str) or where not in ("path", "query", "header"):
            return
        schema = dict(self._followed(parameter.get("schema") or {"type": "string"}))
        if parameter.get("description"):
            schema["description"] = str(parameter["description"])[:500]
        self._where[name], self._properties[name] = where, schema
        if parameter.get("required") or where == "path":
            self._required.append(name)

    def _followed(self, value: Any, depth: int = 0) -> Any:
        """With what it refers to in its place, as far as that is bounded: beyond, anything may stand there."""
        self._left -= 1
        if self._left < 0:
            return {}
        if isinstance(value, list):
            return [self._followed(one, depth) for one in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            return self._followed(self._at(reference), depth + 1) if depth < _DEPTH else {}
        if depth >= _DEPTH * 2:
            return {}
        return {key: self._followed(one, depth + 1) for key, one in value.items()}

    def _at(self, reference: str) -> Any:
        found: Any = self._document
        for step in reference.removeprefix("#/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        return found

    def tool(self, name: str) -> Tool:
        parameters = {"type": "object", "properties": self._properties, "required": sorted(set(self._required))}
        return Tool(name, self._told, parameters, self._fit, self._run, repeat=self._method == "get")

    def _fit(self, given: Mapping[str, Any]) -> dict[str, Any]:
        lacking = [name for name in self._required if given.get(name) in (None, "")]
        if lacking:
            raise ArgumentsError(f"{', '.join(lacking)}: missing")
        return {name: value for name, value in given.items() if name in self._where}

    async def _run(self, context: Context, arguments: dict[str, Any]) -> Any:
        place, query, body = self._place, {}, {}
        headers = {"Idempotency-Key": context.idempotency_key, "Accept": "application/json"}
        whole: Any = None
        for name, value in arguments.items():
            where = self._where[name]
            if where == "path":
                place = place.replace(f"{{{name}}}", quote(_plain(value), safe=""))
            elif where == "query":
                query[name] = [_plain(one) for one in value] if isinstance(value, list) else _plain(value)
            elif where == "header":
                headers[name] = _plain(value).replace("\n", " ").replace("\r", " ")
            elif where == "body":
                body[name] = value
            else:
                whole = value
        headers |= {name: os.environ.get(variable, "") for name, variable in self._spec.headers.items()}
        if self._spec.auth:
            secret = os.environ.get(self._spec.auth, "")
            headers["Authorization"] = secret if " " in secret else f"Bearer {secret}"
        url = f"{self._base.rstrip('/')}/{place.lstrip('/')}"
        if not _within(self._base, url):
            raise ToolError("these arguments lead out of the API; give plain values")
        content = whole if whole is not None else body or None
        async with httpx2.AsyncClient(timeout=60.0, follow_redirects=False) as client:
            return await fetched(client, self._method.upper(), url, params=query, json=content, headers=headers)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _within(base: str, url: str) -> bool:
    """Whether an address lies below another: same scheme, host and port, and no way up."""
    one, other = urlsplit(base), urlsplit(url)
    same = (one.scheme, one.netloc) == (other.scheme, other.netloc)
    steps = other.path.lower().replace("%2e", ".").split("/")
    return same and other.path.startswith(one.path.rstrip("/")) and ".." not in steps

"""Tools of an OpenAPI file, and the weather, against a real HTTP server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.config.agent import AgentSpec, HttpSpec, Tools
from workers.agents import ArgumentsError, Context, ToolError
from workers.tools._builtin import builtin
from workers.tools._http import operations

API: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "order",
                "summary": "One order.",
                "parameters": [{"name": "full", "in": "query", "schema": {"type": "boolean"}}],
            },
        },
        "/orders": {
            "post": {
                "operationId": "place_order",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
            }
        },
        "/away": {"get": {"operationId": "away"}},
        "/much": {"get": {"operationId": "much"}},
        "/broken": {"get": {"operationId": "broken"}},
    },
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["pizza"],
                "properties": {"pizza": {"type": "string"}, "next": {"$ref": "#/components/schemas/Order"}},
            }
        }
    },
}


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[web.Request]]]:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        match request.path:
            case "/api/away":
                raise web.HTTPFound("http://169.254.169.254/latest")
            case "/api/much":
                return web.Response(text="x" * (3 << 20))
            case "/api/broken":
                return web.Response(status=500, text="out\nof dough")
            case "/places":
                return web.json_response({"results": [{"name": "Berlin", "latitude": 52.5, "longitude": 13.4}]})
            case "/weather":
                now = {"temperature_2m": 7.1, "weather_code": 61, "wind_speed_10m": 12}
                return web.json_response({"current": now})
        body = await request.json() if request.can_read_body else None
        return web.json_response({"path": request.path, "query": dict(request.query), "body": body})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", asked
    await runner.cleanup()


@pytest.fixture
def spec(tmp_path: Path, server: tuple[str, list[web.Request]], monkeypatch: pytest.MonkeyPatch) -> HttpSpec:
    (tmp_path / "api.json").write_text(json.dumps(API))
    monkeypatch.setenv("TOOL_PIZZA", "secret")
    return HttpSpec(openapi="api.json", base_url=f"{server[0]}/api", allow=["*"], auth="TOOL_PIZZA")


async def test_operations_are_asked(spec: HttpSpec, tmp_path: Path, server: tuple[str, list[web.Request]]) -> None:
    """Path, query and body where they belong, with the secret and the key of the call; schemas without references."""
    found, problem = operations(spec, tmp_path)
    tools = {tool.name: tool for tool in found}
    assert not problem
    assert set(tools) == {"order", "place_order", "away", "much", "broken"}
    assert tools["order"].repeat
    assert not tools["place_order"].repeat
    assert tools["order"].parameters["required"] == ["id"]
    answer = await tools["order"].run(Context(), tools["order"].fit({"id": "a/b", "full": True, "junk": 1}))
    assert (answer["path"], answer["query"]) == ("/api/orders/a/b", {"full": "true"})
    assert server[1][-1].headers["Authorization"] == "Bearer secret"
    assert "%2F" in server[1][-1].raw_path
    answer = await tools["place_order"].run(Context(idempotency_key="s/1"), {"pizza": "funghi"})
    assert answer["body"] == {"pizza": "funghi"}
    assert server[1][-1].headers["Idempotency-Key"] == "s/1"
    with pytest.raises(ArgumentsError, match="pizza: missing"):
        tools["place_order"].fit({})


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("away", {}, "sends on to another address"),
        ("much", {}, "answered more than 2 MB"),
        ("broken", {}, "answered 500: out of dough"),
        ("order", {"id": ".."}, "lead out of the API"),
    ],
)
async def test_nothing_leads_elsewhere(
    spec: HttpSpec, tmp_path: Path, name: str, arguments: dict[str, Any], said: str
) -> None:
    """Redirects, ways up, long answers and errors are one sentence."""
    tools = {tool.name: tool for tool in operations(spec, tmp_path)[0]}
    with pytest.raises(ToolError, match=said):
        await tools[name].run(Context(), arguments)


@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        ("{", {}, "expected OpenAPI 3 as JSON"),
        ("[]", {}, "it has no paths"),
        (json.dumps({"paths": {}}), {"base_url": ""}, "no server with a whole address"),
        (json.dumps(API), {"allow": ["nothing"]}, "no operation has the operationId nothing"),
        (json.dumps(API), {"auth": "TOOL_NOT_THERE"}, "TOOL_NOT_THERE is not set"),
        (json.dumps(API), {"openapi": "../api.json"}, "expected a file in the agent's own folder"),
        (json.dumps(API), {"openapi": "none.json"}, "cannot be read"),
    ],
)
async def test_a_wrong_file_is_one_sentence(
    spec: HttpSpec, tmp_path: Path, text: str, change: dict[str, Any], said: str
) -> None:
    """It names the file, and nothing is raised."""
    (tmp_path / "api.json").write_text(text)
    tools, problem = operations(spec.model_copy(update=change), tmp_path)
    assert said in problem
    assert not tools


def test_a_strange_operation_takes_only_itself(spec: HttpSpec, tmp_path: Path) -> None:
    """Of another shape, it is left out; a schema that refers to itself in many places has an end."""
    tree = {"type": "object", "properties": {f"child{n}": {"$ref": "#/components/schemas/Tree"} for n in range(20)}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}
    document = {
        **API,
        "paths": {
            **API["paths"],
            "/odd": {"get": {"operationId": "odd", "parameters": ["id"]}},
            "/tree": {"post": {"operationId": "plant", "requestBody": body}},
        },
        "components": {"schemas": {**API["components"]["schemas"], "Tree": tree}},
    }
    (tmp_path / "api.json").write_text(json.dumps(document))
    tools, problem = operations(spec, tmp_path)
    assert problem.endswith("api.json: the operation odd is not as OpenAPI 3 has it; it is left out")
    names = {tool.name for tool in tools}
    assert names == {"order", "place_order", "away", "much", "broken", "plant"}
    assert len(json.dumps(next(tool for tool in tools if tool.name == "plant").parameters)) < 200_000


async def test_the_weather(server: tuple[str, list[web.Request]]) -> None:
    """By the two addresses that the agent names."""
    spec = Tools(builtin=["weather"], places_url=f"{server[0]}/places", weather_url=f"{server[0]}/weather")
    tool = builtin(AgentSpec(tools=spec))["weather"]
    assert await tool.run(Context(), tool.fit({"place": "Berlin"})) == "Berlin: 7.1 °C, light rain, wind 12 km/h"


async def test_whom_a_transfer_may_lead_to() -> None:
    """The model knows names, never numbers; who is not among them is told so; without any there is no such tool."""
    assert not builtin(AgentSpec(tools=Tools(builtin=["transfer", "say_by_heart"])))
    tool = builtin(AgentSpec(tools=Tools(builtin=["transfer"], transfer_to={"desk": "+4930123"})))["transfer"]
    assert tool.parameters["properties"]["to"]["enum"] == ["desk"]
    assert "+4930123" not in json.dumps(tool.definition())
    context = Context()
    await tool.run(context, tool.fit({"to": "desk"}))
    assert context.actions.done == [("transfer", {"to": "+4930123", "mode": "cold", "announce": ""})]  # type: ignore[attr-defined]
    with pytest.raises(ToolError, match="nobody is called boss; there are desk"):
        await tool.run(context, tool.fit({"to": "boss"}))


def test_the_calls_a_model_writes() -> None:
    """One object, several, doubled braces, fences, arguments as text, another key: all are understood."""
    from workers.llm._calls import written

    one = [("get_weather", {"city": "Berlin"})]
    for text in (
        '{"name": "get_weather", "arguments": {"city": "Berlin"}}',
        '{{"name": "get_weather", "arguments": {{"city": "Berlin"}}}}',
        '{{"name": "get_weather", "arguments": {"city": "Berlin"}}}',
        '```json\n[{"function": "get_weather", "parameters": {"city": "Berlin"}}]\n```',
        '{"type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Berlin\\"}"}}',
        '<function=get_weather>{"city": "Berlin"}</function>',
        "<function=get_weather><parameter=city>Berlin</parameter></function>",
        '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Berlin"}}]}',
    ):
        assert [(call.name, call.arguments) for call in written(text)] == one, text
    assert [call.name for call in written('{"name": "a"}\n{"name": "b", "arguments": null}')] == ["a", "b"]
    assert written("[" * 50_000) == ()


def _piece(name: str = "", arguments: object = None, id: str | None = None, index: object = 0) -> dict[str, Any]:
    return {"index": index, "id": id, "function": {"name": name or None, "arguments": arguments}}


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        ([[_piece("a", '{"x"', "1")], [_piece(arguments=": 1}")]], [("a", {"x": 1})]),
        ([[_piece("a", {"x": 1})]], [("a", {"x": 1})]),
        ([[_piece("a", '{"x": 1}')], [_piece("b", "{}")]], [("a", {"x": 1}), ("b", {})]),  # no id, all numbered 0
        (
            [[_piece("a", '{"x": 1}', index=None)], [_piece("a", '{"x": 2}', index=None)]],
            [("a", {"x": 1}), ("a", {"x": 2})],
        ),
        ([[_piece("a", "{}", "1")], [_piece("a", "{}", "1")]], [("a", {})]),  # told twice
        ([[_piece("a", "{}", "1"), _piece("a", "{}", "1", 1)]], [("a", {})]),
        ([[_piece("a", "{}", "1", 0), _piece("a", "{}", "2", 1)]], [("a", {}), ("a", {})]),  # wanted twice
        ([[_piece("a", "{}", "1")], [_piece(arguments='{"x"')], [_piece(arguments=":1}")]], [("a", {"x": 1})]),
        ([[_piece("a", '{"x"', "1")], [_piece("a", ": 1}", "1")]], [("a", {"x": 1})]),  # with its name again
        ([[_piece("a", "[1]")]], [("a", None)]),
        ([[_piece("", "{}")]], []),
    ],
)
def test_the_calls_an_endpoint_gives_in_pieces(
    chunks: list[list[dict[str, Any]]], calls: list[tuple[str, dict[str, Any] | None]]
) -> None:
    """In pieces or whole, with ids or without, numbered or not, told once or twice."""
    from workers.llm._calls import Pieces
    from workers.llm._chunks import chunk

    pieces = Pieces()
    for one in chunks:
        pieces.add(chunk({"choices": [{"delta": {"tool_calls": one}}]}).calls)
    assert [(call.name, call.arguments) for call in pieces.calls()] == calls

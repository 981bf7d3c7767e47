"""What an agent collects, makes of a conversation and is varied by, as scenarios and tests expect it."""

from pathlib import Path

import pytest

from ops.jobs.results import Made
from ops.simulate.conversation import Call, Conversation
from ops.simulate.line import TextLine
from ops.simulate.matching import check, name_for, variant_for
from ops.simulate.run import Fill, Result, hold
from ops.simulate.scenario import Caller, ScenarioError, made, scenarios
from ops.simulate.scene import Scene
from schemas.config.agent import AgentSpec

AGENT = """
greeting = "Pizza Napoli."
[[fields]]
name = "guests"
type = "number"
[[fields]]
name = "name"
type = "name"
confirm = false
required = false
[result]
schema = { type = "object", properties = { order = { type = "string" } }, additionalProperties = false }
[[variants]]
name = "brisk"
share = 0.1
greeting = "Yes?"
"""
SPEC = AgentSpec.model_validate(
    {
        "name": "pizza",
        "greeting": "Hello.",
        "fields": [{"name": "guests", "type": "number"}],
        "result": {"schema": {"type": "object", "properties": {"order": {"type": "string"}}}},
        "variants": [{"name": "brisk", "share": 0.1, "greeting": "Yes?"}],
    }
)


@pytest.fixture(autouse=True)
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder `agents` beside us, with AGENTS not set."""
    folder = tmp_path / "agents" / "pizza"
    folder.mkdir(parents=True)
    (folder / "agent.toml").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_PROVIDER", "simulated")


@pytest.mark.agent("pizza")
async def test_a_field_is_noted_read_back_and_confirmed(conversation: Conversation) -> None:
    """As its value, not as it was said."""
    note = Call("note_field", name="guests", value="a dozen")
    conversation.model(
        [note, "Twelve, is that right?", Call("note_field", name="guests", value="12", confirmed=True), "Good."]
    )
    await conversation.say("We are a dozen.")
    assert conversation.fields == {"guests": 12}
    await conversation.say("Yes, that is right.")
    assert conversation.fields == {"guests": 12}
    assert [event.confirmed for event in conversation.events if event.type == "field.collected"] == [False, True]


@pytest.mark.agent("pizza")
@pytest.mark.parametrize(("variant", "greets"), [("brisk", "Yes?"), ("unchanged", "Pizza Napoli.")])
async def test_a_variant_is_had_by_its_name(conversation: Conversation, variant: str, greets: str) -> None:
    """However small its share."""
    conversation.caller(variant=variant)
    assert await conversation.begin() == greets


async def test_without_a_name_it_goes_by_the_identity(scene: Scene) -> None:
    """The same each time, and another one for another caller."""
    found = {who: variant_for(Caller(identity=who), SPEC) for who in map(str, range(60))}
    assert set(found.values()) == {"brisk", "unchanged"}
    brisk = next(who for who, variant in found.items() if variant == "brisk")
    for _ in range(3):
        result = await held(scene, caller={"lines": ["Hi."], "identity": brisk}, expect={"said": ["Yes?"]})
        assert result.passed, result.failures
        assert result.view()["variant"] == "brisk"
    assert name_for("brisk", SPEC, "anna", iter(map(str, range(100))).__next__) in found
    with pytest.raises(ScenarioError, match="too small a share"):
        name_for("brisk", SPEC.model_copy(update={"name": "other"}), "anna", lambda: "anna")


async def held(scene: Scene, fill: Fill | None = None, **sections: object) -> Result:
    one = made("one", **sections)
    return await hold(one, TextLine(scene, SPEC, one.spec.caller, one.name, 10.0), None, fill)


async def test_a_result_is_held_against_what_is_expected(scene: Scene) -> None:
    """Key by key; where there is none, the reason."""

    async def fill(session: str, events: object) -> Made:
        return Made({"order": "Margherita", "price": 9})

    expect = {"result": {"order": "/marg/", "price": "10", "at": 8}}
    result = await held(scene, fill, caller={"lines": ["Hi."]}, expect=expect)
    assert [(check.what, check.why) for check in result.failures] == [
        ("price of the result is '10'", "it is 9"),
        ("at of the result is 8", "it has only order, price"),
    ]
    assert result.view()["result"] == {"order": "Margherita", "price": 9}

    async def fail(session: str, events: object) -> Made:
        return Made(None, "it filled the schema wrongly, twice")

    result = await held(scene, fail, caller={"lines": ["Hi."]}, expect={"result": {"order": "x"}})
    assert result.failures[0].why == "there is no result: it filled the schema wrongly, twice"


async def test_what_was_not_collected_is_told(scene: Scene) -> None:
    result = await held(scene, caller={"lines": ["Hi."]}, expect={"fields": {"guests": 4}})
    assert [(check.kind, check.why) for check in result.failures] == [("field", "nothing was collected")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'lines = ["x"]\nvariant = "brsk"',
            'line 3: caller.variant: "brsk"; [[variants]] of pizza has brisk, unchanged',
        ),
        (
            'lines = ["x"]\n[expect]\nfields = { guest = 4 }',
            'line 4: expect.fields: "guest"; [[fields]] of pizza has guests',
        ),
    ],
)
def test_what_the_agent_has_not_is_told_before_anybody_calls(tmp_path: Path, text: str, said: str) -> None:
    """By file and line."""
    file = tmp_path / "one.toml"
    file.write_text(f"[caller]\n{text}\n")
    with pytest.raises(ScenarioError) as raised:
        check(scenarios(tmp_path, [str(file)]), SPEC)
    assert str(raised.value) == f"{file}, {said}"


def test_a_result_that_the_schema_forbids_is_told() -> None:
    with pytest.raises(ScenarioError, match=r"no \[result\]"):
        check([made("one", caller={"lines": ["x"]}, expect={"result": {"order": "x"}})], AgentSpec(name="desk"))

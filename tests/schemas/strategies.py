"""Any event and any job the contract allows, for Hypothesis."""

import types
from typing import Any, Literal, NewType, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.codec import EVENT_TYPES
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import Event
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

WHOLE = st.integers(min_value=-(2**63), max_value=2**63 - 1)
REAL = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | WHOLE | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
AGENTS = st.sampled_from(
    [AgentSpec(), AgentSpec(name="Zoë", greeting="Hi.", turn_taking=TurnTaking(commit_max=2.5, barge_in=False))]
)


def of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's annotation."""
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: WHOLE,
        float: REAL,
        str: TEXT,
        bool: st.booleans(),
        Any: ANYTHING,
        AgentSpec: AGENTS,
        type(None): st.none(),
    }
    if annotation in simple:
        return simple[annotation]
    if isinstance(annotation, NewType):
        return of(annotation.__supertype__)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is list:
        return st.lists(of(inner[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(TEXT, of(inner[1]), max_size=3)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(of, inner))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instances(annotation)
    raise AssertionError(f"no strategy for {annotation}: add one here")


def instances(cls: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Objects of a contract class, each optional field given or left out; `v` and `type` as the class has them."""
    fields = {name: field for name, field in cls.model_fields.items() if name not in ("v", "type", "stage")}
    if cls.__name__.startswith("Stage"):
        fields["stage"] = cls.model_fields["stage"]
    required = {name: of(field.annotation) for name, field in fields.items() if field.is_required()}
    optional = {name: of(field.annotation) for name, field in fields.items() if not field.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: cls(**values))


def events(kind: str | None = None) -> st.SearchStrategy[Event]:
    """Any event, or any of one type."""
    return st.one_of(*map(instances, EVENT_TYPES.values())) if kind is None else instances(EVENT_TYPES[kind])


def jobs() -> st.SearchStrategy[Job]:
    """Any job."""
    return st.one_of(instances(SttJob), instances(LlmJob), instances(TtsJob))

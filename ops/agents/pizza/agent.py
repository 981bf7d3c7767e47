"""What the pizzeria's agent can do: docs/pizza.md goes through it, docs/tools.md has all that tools can do."""

from typing import Annotated

from pydantic import BaseModel, Field

from workers.agents import Context, ToolError, tool

from . import kitchen
from .menu import PRICES, Pizza, Size


class Line(BaseModel):
    """A line of an order."""

    pizza: Pizza
    size: Size = "large"
    count: Annotated[int, Field(ge=1, le=20)] = 1


@tool(repeat=True)
def menu() -> str:
    """Which pizzas there are, and what they cost, small or large."""
    return ", ".join(f"{pizza} for {of['small']} or {of['large']} euros" for pizza, of in PRICES.items())


@tool(repeat=True)
def order(context: Context, pizzas: Annotated[list[Line], Field(min_length=1, max_length=10)]) -> str:
    """Note which pizzas the caller wants, all of them, in place of what was noted before. Answers what they cost.

    pizzas: all that the caller wants
    """
    price = sum(PRICES[line.pizza][line.size] * line.count for line in pizzas)
    told = f"{' and '.join(f'{line.count} {line.size} {line.pizza}' for line in pizzas)} for {price} euros"
    before = context.state.get("order")
    if before is None or before["told"] != told:  # a model that notes the same again does not begin anew
        context.state["order"] = {"pizzas": [line.model_dump() for line in pizzas], "told": told, "turn": context.turn}
    return f"Noted, and not ordered yet. Tell the caller: {told}."


@tool(repeat=True, timeout=60, patience=2.0)
def place_order(context: Context) -> str:
    """Order what was noted: only once the caller was told what it is and what it costs, and has said that it is right."""
    noted = context.state.get("order")
    if noted is None:
        raise ToolError("Nothing is noted; call order first.")
    if noted["turn"] == context.turn:  # whatever the model says: nobody has agreed to what they have not heard
        raise ToolError(f"The caller must hear first: {noted['told']}. Ask whether that is right.")
    number = kitchen.put(context.idempotency_key, {"pizzas": noted["pizzas"], "session": context.session})
    context.state["order"] = None
    return f"Ordered: {noted['told']}. The number of the order is {number}; it is ready in twenty minutes."


@tool(repeat=True)
def leave_message(context: Context, number: str, about: str) -> str:
    """Have a person of ours call back.

    number: the phone number to call
    about: what it is about, in a sentence
    """
    digits = "".join(letter for letter in number if letter.isdigit() or letter == "+")
    if len(digits) < 5:
        raise ToolError("That is no phone number; ask for it again.")
    kitchen.put(context.idempotency_key, {"call": digits, "about": about[:200], "session": context.session})
    return "Noted: somebody calls back within the hour."

"""The `antiphon` command, and what runs, measures and breaks the rest. Only here may everything be imported."""

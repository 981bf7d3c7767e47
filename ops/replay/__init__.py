"""A recorded session played again: against another model, from a fork, compared with what was. It comes later; there is nothing
here yet."""

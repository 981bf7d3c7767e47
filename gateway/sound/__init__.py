"""Sound in, from samples to edges of speech; sound out, a little ahead of the ear."""

"""The demo: a scripted caller, real and made lines, and what is said in which order."""

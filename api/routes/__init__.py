"""One topic a file: a router, and the models of what it takes and answers."""

"""One session each: opened, held, read, published, told to its client, and handed on."""

"""A file a step; none imports the tables of today."""

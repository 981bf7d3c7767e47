"""Rooms of each kind, and the doors by which sessions begin in them. None knows another."""

"""What is installed, pinned with hashes, and how."""

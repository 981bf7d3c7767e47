"""The public port: who may come, how many, how fast. What is said there is the rooms' own business."""

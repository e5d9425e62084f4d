"""Runs one spec: TensorFlow lives here only."""

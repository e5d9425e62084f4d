"""What runs say about candidates: pure functions from frames to frames, without drawing and without training."""

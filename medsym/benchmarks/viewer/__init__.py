"""How the viewer feels, measured in a real browser: what waits for what, and for how long."""

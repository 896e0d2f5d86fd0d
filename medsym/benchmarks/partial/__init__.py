"""Running the network only where it matters: what that saves and what it changes."""

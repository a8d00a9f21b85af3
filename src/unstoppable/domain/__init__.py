"""Facts and rules; nothing here reads a clock, a file or the environment."""

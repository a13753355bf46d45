"""The real command in a real terminal: keys are sent through tmux, and the screen is read back."""

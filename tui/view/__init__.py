"""Pure functions from what the screen knows to lines of words and roles. Nothing here imports Textual or knows a colour."""

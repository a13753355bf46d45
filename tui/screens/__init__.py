"""One job, one screen: the desk, the dialogs above it, and the pages beside it."""

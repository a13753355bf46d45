"""What `make` runs: setting up a checkout, and its checks. Standard library only, because nothing is installed yet."""

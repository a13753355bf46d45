"""The only readers of the system's clocks (`wall`), and the arithmetic of time zones (`time_zones`)."""

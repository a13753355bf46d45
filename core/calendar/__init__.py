"""Economic releases: read from files and weekly feeds, brought to UTC, handed to the desk as one `Calendar`.

Only time, currency and impact are used; results and forecasts were not known before. May import core.model and core.clock.
Next: `core.calendar.calendar_file` (one file), `feed_download` (one feed), `calendar_source` (all of them together).
"""

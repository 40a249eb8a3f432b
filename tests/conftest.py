"""What plain `pytest` leaves out."""

collect_ignore = ["browser"]  # it needs Chromium: `make browser`

"""The command line: one file per verb, no science; heavy packages are imported when a verb runs."""

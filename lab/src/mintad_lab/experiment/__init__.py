"""The one harness: row × case × seed, each a run in a process of its own, and its tables.

`table` holds what an experiment is made of, `running.run_table` runs it, `book` writes its pages.
"""

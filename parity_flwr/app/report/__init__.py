"""What a run looks like to a person: the figures behind the live table and the report.

Importing this package is cheap; jinja2 is imported when a report is built.
"""

"""`interlock init`: looks at a table and drafts its pipeline file."""

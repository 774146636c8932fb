"""`interlock branches`: the order in which branches lead to production, in a hook or a CI job."""

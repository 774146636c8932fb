"""Files of any size: taken in, scored by a program of their own part by part, by request or by the clock."""

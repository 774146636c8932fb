"""`interlock report`: what a run has made and what the gate found, to read and to pass on."""

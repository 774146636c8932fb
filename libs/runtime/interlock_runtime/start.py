"""The first import of a service's process: until it serves, Python does not look for garbage.

A start makes nearly nothing but modules, classes and handlers, which stay; looking through them again and again as
they became more took a sixth of the processor time of a start. ``process.serve`` looks for garbage again.
"""

import gc

gc.disable()

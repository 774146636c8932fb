"""Dead letters: collected from every ``<queue>.dead`` into one table, listed, replayed, discarded.

A queue can't be listed without taking its messages out, nor can one message be taken from its middle. So one service
takes all of them out, in a transaction each, and stores them. While it is down they wait in their queues.
"""

from interlock_messaging.dead_letters.collecting import Collector
from interlock_messaging.dead_letters.letters import content_of, view_of
from interlock_messaging.dead_letters.table import counted, letter, letters, replay

__all__ = ["Collector", "content_of", "counted", "letter", "letters", "replay", "view_of"]

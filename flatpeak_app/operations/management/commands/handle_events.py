from flatpeak_app.operations.queues import EVENTS

from . import erase_pending


class Command(erase_pending.Command):
    help = "Do what FlatPeak's events ask for: they tell that a conversation is over, or that prices have changed."
    queue = EVENTS

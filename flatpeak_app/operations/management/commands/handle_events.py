from flatpeak_app.operations.queues import EVENTS

from . import erase_pending


class Command(erase_pending.Command):
    help = (
        "Handle the events that FlatPeak sent: store what a finished conversation connected, and fetch changed prices."
    )
    queue = EVENTS

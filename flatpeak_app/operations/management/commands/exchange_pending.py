from flatpeak_app.operations.queues import EXCHANGES

from . import erase_pending


class Command(erase_pending.Command):
    help = (
        "Make the exchanges that are due. An exchange tells which customer and location a conversation has connected."
    )
    queue = EXCHANGES

from flatpeak_app.operations.queues import EXCHANGES

from . import erase_pending


class Command(erase_pending.Command):
    help = "Make the exchanges that are owed and due: they tell the ids of what a conversation made."
    queue = EXCHANGES

"""Which events of FlatPeak's are about a customer."""

from django.db.models import Q

from connect_ui.models import ConnectSession
from tariffs.models import Location

from .models import User


def about(user: User) -> Q:
    """The condition for events about a customer, which have only ids."""
    places = Location.objects.filter(customer__user=user).values("location_id")
    conversations = ConnectSession.objects.filter(user=user).values("pk")
    return Q(location_id__in=places) | Q(session__in=conversations)

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ..details import STRUCTURES
from ..models import Location
from .downloads import chosen


@require_safe
def tariff(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A tariff of the customer's own, with everything that can be done about it."""
    mine = Location.objects.here().filter(customer__user=request.user.pk).prefetch_related("tariffs")
    location = get_object_or_404(mine, pk=pk)
    if not (found := chosen(list(location.tariffs.all()), request.GET.get("direction"))):
        raise Http404
    structure = STRUCTURES.get(found.structure, found.structure)
    context = {"location": location, "tariff": found, "structure": structure, "zone": location.local_zone}
    return render(request, "tariffs/tariff.html", context)

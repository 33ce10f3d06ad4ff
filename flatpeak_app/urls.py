from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("account/", include("allauth.account.urls")),
    path("connect/", include("connect_ui.urls")),
    path("locations/", include("tariffs.urls")),
    path("admin/", admin.site.urls),
]

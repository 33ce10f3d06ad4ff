from django.contrib import admin
from django.urls import include, path

from tariffs import personal

from . import accounts, views

handler400 = views.bad_request
handler429 = views.too_many_requests  # allauth looks it up here
handler500 = views.server_error

urlpatterns = [
    path("", views.home, name="home"),
    path("offline/", views.offline, name="offline"),
    path("offline.js", views.offline_worker, name="offline_worker"),
    path("language/", views.choose_language, name="set_language"),
    path("theme/", views.choose_theme, name="set_theme"),
    path("account/data.json", personal.download, name="account_data"),
    path("account/delete/", personal.delete_account, name="account_delete"),
    path("account/", include("allauth.account.urls")),
    path("account/sessions/", accounts.Sessions.as_view(), name="usersessions_list"),
    path("account/second-factor/totp/deactivate/", accounts.SecondFactorOff.as_view(), name="mfa_deactivate_totp"),
    path("account/second-factor/recovery-codes/", accounts.RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("connect/", include("connect_ui.urls")),
    path("locations/", include("tariffs.urls")),
    path("admin/", admin.site.urls),
]

from django.contrib import admin
from django.urls import include, path

from . import views
from .accounts import personal, views as accounts
from .operations import events
from .web import site

handler400 = site.bad_request
handler429 = site.too_many_requests  # for allauth
handler500 = site.server_error

urlpatterns = [
    path("", views.home, name="home"),
    path("manifest.webmanifest", site.manifest, name="manifest"),
    path("favicon.ico", site.icon, {"name": "favicon.ico"}, name="favicon"),
    path("apple-touch-icon.png", site.icon, {"name": "touch-icon.png"}, name="touch_icon"),
    path("offline/", site.offline, name="offline"),
    path("language/", site.choose_language, name="set_language"),
    path("theme/", site.choose_theme, name="set_theme"),
    path("account/data.json", personal.download, name="account_data"),
    path("account/delete/", personal.delete_account, name="account_delete"),
    path("account/signup/", accounts.SignUp.as_view(), name="account_signup"),
    path("account/login/", accounts.SignIn.as_view(), name="account_login"),
    path("account/email/", accounts.Address.as_view(), name="account_email"),
    path("account/password/reset/", accounts.PasswordReset.as_view(), name="account_reset_password"),
    path("account/password/reset/confirm/", accounts.ResetCode.as_view(), name="account_confirm_password_reset_code"),
    path("account/confirm-email/", accounts.AddressCode.as_view(), name="account_email_verification_sent"),
    path("account/logout/", accounts.SignOut.as_view(), name="account_logout"),
    path("account/", include("allauth.account.urls")),
    path("account/sessions/", accounts.sessions_list, name="usersessions_list"),
    path("account/second-factor/totp/activate/", accounts.SecondFactorOn.as_view(), name="mfa_activate_totp"),
    path("account/second-factor/totp/deactivate/", accounts.SecondFactorOff.as_view(), name="mfa_deactivate_totp"),
    path("account/second-factor/recovery-codes/", accounts.RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("connect/", include("connect_ui.urls")),
    path("locations/", include("tariffs.urls")),
    path("flatpeak/events/", events.receive, name="flatpeak_events"),
    path("admin/", admin.site.urls),
]

from django.urls import path

from . import logins, unfinished, views

app_name = "connect_ui"
urlpatterns = [
    path("", views.start, name="start"),
    # FlatPeak sends browsers to these two, with the connect token in the query. The second is followed by a secret, which
    # middleware.return_secret takes off before any view sees the path.
    path("callback/", logins.find, name="callback"),
    path("<uuid:pk>/return/", logins.back, name="return"),
    path("<uuid:pk>/", views.newest, name="newest"),
    path("<uuid:pk>/again/", views.again, name="again"),
    path("<uuid:pk>/discard/", unfinished.discard, name="discard"),
    path("<uuid:pk>/returned/", logins.returned, name="returned"),
    path("<uuid:pk>/confirm/", logins.confirm, name="confirm"),
    path("<uuid:pk>/called-back/", logins.called_back, name="called_back"),
    path("<uuid:pk>/<int:number>/", views.step, name="page"),
    path("<uuid:pk>/<int:number>/login/", logins.leave, name="login"),
]

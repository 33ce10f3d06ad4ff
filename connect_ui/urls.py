from django.urls import path

from . import views

app_name = "connect_ui"
urlpatterns = [
    path("", views.start, name="start"),
    # FlatPeak sends browsers to these two, with the connect token in the query.
    path("return/", views.find, {"to": "returned"}, name="return"),
    path("callback/", views.find, {"to": "called_back"}, name="callback"),
    path("<uuid:pk>/", views.newest, name="newest"),
    path("<uuid:pk>/again/", views.again, name="again"),
    path("<uuid:pk>/returned/", views.returned, name="returned"),
    path("<uuid:pk>/called-back/", views.called_back, name="called_back"),
    path("<uuid:pk>/<int:number>/", views.page, name="page"),
    path("<uuid:pk>/<int:number>/login/", views.login, name="login"),
]

FROM python:3.13.14-slim

ENV PYTHONUNBUFFERED=1
WORKDIR /srv
# Before the code, so that a change of code installs nothing anew.
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
# The key is for this one command; the container gets its own from the environment, and so do all other settings.
RUN SECRET_KEY=build python manage.py collectstatic --noinput
# Only var/ is the user's to write: nothing is kept there but SQLite, where no DATABASE_URL is given.
RUN useradd --system app && chown app var
USER app

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000); c.request('GET', '/healthz'); assert c.getresponse().status == 200"]
# gunicorn.conf.py has the rest; WEB_CONCURRENCY is the number of workers.
CMD ["gunicorn", "--bind=0.0.0.0:8000", "flatpeak_app.wsgi"]

FROM python:3.13.14-slim

ENV PYTHONUNBUFFERED=1
WORKDIR /srv
# Before the code, so that a change of code reuses this layer.
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
# A key for this command alone; the container gets all its settings from the environment.
RUN SECRET_KEY=build python manage.py collectstatic --noinput
# The user can write to var/ only, which holds the SQLite database if DATABASE_URL is not set.
RUN useradd --system app && chown app var
USER app

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000); c.request('GET', '/healthz'); assert c.getresponse().status == 200"]
# gunicorn.conf.py has the other options; WEB_CONCURRENCY sets the number of workers.
CMD ["gunicorn", "--bind=0.0.0.0:8000", "flatpeak_app.wsgi"]

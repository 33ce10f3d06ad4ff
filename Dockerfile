FROM python:3.13.14-slim

# An empty SITE_URL stops the start, so a container without settings serves nothing.
ENV PYTHONUNBUFFERED=1 SITE_URL=
WORKDIR /srv
# Before the code, so that a change of code reuses this layer.
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
# An address and a key for these commands alone; the container gets all its settings from the environment.
RUN SITE_URL=http://localhost SECRET_KEY=build python manage.py collectstatic --noinput
# The image says itself what is installed in it: packages.cdx.json, in CycloneDX's format.
RUN SITE_URL=http://localhost SECRET_KEY=build python manage.py list_packages > packages.cdx.json
# The user can write to no file of the image. A number, so that an engine can tell that it is not root.
RUN useradd --system --uid 10001 app
USER 10001

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000); c.request('GET', '/healthz'); assert c.getresponse().status == 200"]
# gunicorn.conf.py has the other options; WEB_CONCURRENCY sets the number of workers.
CMD ["gunicorn", "--bind=0.0.0.0:8000", "flatpeak_app.wsgi"]

# Untested: no container engine was at hand when this was written.
# One image for every line of the Procfile; the database and Redis are separate (compose.yaml).
FROM python:3.12-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY billing billing
COPY gateway gateway
COPY routing routing
COPY webhooks webhooks
COPY workers workers
# Without the extra `demo`: no embedded servers in an image that is given DATABASE_URL.
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app ringledger \
    && install -d -o ringledger -m 0700 /var/lib/ringledger
COPY --from=build /venv /venv
WORKDIR /app
COPY wsgi.py gunicorn.conf.py ./
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 TZ=UTC HOST=0.0.0.0 VAR_DIR=/var/lib/ringledger
USER ringledger
VOLUME /var/lib/ringledger
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz', timeout=4)"]
# Exec form: SIGTERM reaches gunicorn itself, which then finishes its requests.
CMD ["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]

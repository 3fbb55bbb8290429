"""The WSGI door: `gunicorn -c gunicorn.conf.py wsgi:app`, or `flask --app wsgi run`."""

from gateway.app import create_app

app = create_app()

"""Gives syslog-ng a token of Microsoft Entra for the Logs Ingestion API (client credentials)."""

import json
import os
import time
import urllib.parse
import urllib.request

SCOPE = "https://monitor.azure.com/.default"
# Seconds before its end in which a token is no longer used.
MARGIN = 120


class Token:
    """Called by python-http-header() before each request, and after each response."""

    def __init__(self, options):
        self.token = None
        self.end = 0.0

    def get_headers(self, body, headers):
        if self.token is None or time.time() > self.end:
            self.token, self.end = fetch()
        return ["Authorization: Bearer " + self.token]

    def on_http_response_received(self, http_code):
        # Withdrawn, or the clock is wrong: the next request has a new one.
        if http_code == 401:
            self.token = None


def fetch():
    authority = os.environ.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com").rstrip("/")
    tenant = urllib.parse.quote(os.environ["AZURE_TENANT_ID"], safe="")
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_secret": os.environ["AZURE_CLIENT_SECRET"],
        "scope": SCOPE,
    }
    request = urllib.request.Request(
        authority + "/" + tenant + "/oauth2/v2.0/token", urllib.parse.urlencode(form).encode()
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        answer = json.load(reply)
    return answer["access_token"], time.time() + int(answer["expires_in"]) - MARGIN

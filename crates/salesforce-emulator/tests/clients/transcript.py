"""What the scripts in Python share: the org to talk to, and calls whose outcome is told. `transcript.mjs` says how.

simple-salesforce writes `https://` before every host and `.salesforce.com` behind the login host's name. The session
that it is given here sends such requests where the emulated org listens, over plain HTTP, and changes nothing else.
"""

import json
import os
import sys
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceError

org = json.loads(os.environ["ORG"])


class Local(HTTPAdapter):
    """Where `https://` leads to."""

    hosts = {
        "login.salesforce.com": urlsplit(org["login_url"]).netloc,
        "emulated.my.salesforce.com": urlsplit(org["url"]).netloc,
        urlsplit(org["url"]).netloc: urlsplit(org["url"]).netloc,
    }

    def send(self, request, **options):
        url = urlsplit(request.url)
        request.url = url._replace(scheme="http", netloc=self.hosts[url.netloc]).geturl()
        return super().send(request, **options)


def session():
    """A session of requests whose `https://` is the emulated org."""
    made = requests.Session()
    made.mount("https://", Local())
    return made


def tell(call, names):
    """Tells what came of a call, which is given as Python text. What it throws is told likewise."""
    outcome, result = {}, None
    try:
        result = eval(call, names)
        outcome["result"] = result
    except SalesforceAuthenticationFailed as refused:
        outcome["error"] = f"{type(refused).__name__} {refused.code}: {refused.auth_message}"
    except SalesforceError as refused:
        outcome["error"] = f"{type(refused).__name__} {refused.status}: {json.dumps(refused.content, default=repr)}"
    except Exception as failure:
        outcome["error"] = f"{type(failure).__name__}: {failure}"
    sys.stdout.write(json.dumps({"call": call, **outcome}, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return result


def emulator(path, body=None):
    """What is possible on no real org."""
    requests.post(f"{org['url']}/__emulator/{path}", json=body or {}).raise_for_status()

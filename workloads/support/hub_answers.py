"""Whether the Hugging Face hub answers, asked once and briefly: its client tries for minutes."""

import functools
import http.client
import ssl
import urllib.error
import urllib.request

_SECONDS = 3.0


@functools.cache
def hub_answers() -> bool:
    """Whether the hub gives any answer within some seconds; False where it is switched off.

    Without an answer only what lies in the hub's cache can be had (``local_files_only``).
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        urllib.request.urlopen(request, timeout=_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # its client may know other certificates
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True

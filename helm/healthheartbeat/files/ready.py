"""ready.py SECONDS URL …: say what each URL answers; exit 1 unless all answer 200 within SECONDS. For `helm test`."""

import sys
import time
import urllib.error
import urllib.request

EACH_S = 5


def asked(url: str) -> tuple[bool, str]:
    """Whether `url` answers 200, and what it said."""
    try:
        with urllib.request.urlopen(url, timeout=EACH_S) as answer:
            return True, answer.read(500).decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        return False, f"{error.code}: {error.read(500).decode(errors='replace').strip()}"
    except OSError as error:
        return False, str(error)


def main(seconds: str, *urls: str) -> int:
    """Ask each URL every second until it answers 200, or time is up."""
    deadline, failed = time.monotonic() + float(seconds), 0
    for url in urls:
        ready, said = asked(url)
        while not ready and time.monotonic() < deadline:
            time.sleep(1)
            ready, said = asked(url)
        print(f"{'ready' if ready else 'NOT READY'}  {url}  {said}", flush=True)
        failed += not ready
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

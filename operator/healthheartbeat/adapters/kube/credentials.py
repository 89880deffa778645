"""How to reach the API server, and as whom: a kubeconfig, or the pod's own service account.

The official package's loaders do the reading (contexts, exec plugins, OIDC, token files); one `Credentials` is what
both our own client and kopf are given, so that there is one truth.
"""

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml
from kubernetes.aio import config as loaders
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from healthheartbeat.adapters.kube.errors import CredentialsError

HOME_KUBECONFIG: Final = "~/.kube/config"
EXPIRY_SKEW: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """One reading of the configuration.

    `server`: base URL, no slash at its end. `expires`: when what an exec plugin gave ends; None: not known, or never.
    """

    server: str
    tls: ssl.SSLContext
    tls_server_name: str | None
    proxy: str | None
    expires: datetime | None
    configuration: Configuration

    async def authorization(self) -> str | None:
        """The Authorization header, None where a client certificate is all there is.

        A service account's token file is read again every minute. Raises CredentialsError where it cannot be.
        """
        try:
            header = await self.configuration.get_api_key_with_prefix("BearerToken")
        except (OSError, loaders.ConfigException) as error:
            raise CredentialsError(f"the service account's token cannot be read: {error}") from error
        return header.strip() if header else None

    @property
    def expired(self) -> bool:
        """Whether what an exec plugin gave is about to end."""
        return self.expires is not None and datetime.now(UTC) >= self.expires - EXPIRY_SKEW


async def load(*, kubeconfig: str | os.PathLike[str] | None = None, context: str | None = None) -> Credentials:
    """Read the configuration: `kubeconfig`, else KUBECONFIG, else ~/.kube/config if there is one, else the pod's own.

    `context` picks one of the kubeconfig's; by default its current one. Raises CredentialsError.
    """
    paths = os.fspath(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG", "")
    if not paths and _is_file(HOME_KUBECONFIG):
        paths = HOME_KUBECONFIG
    configuration = Configuration()
    expires = None
    try:
        if paths:
            expires = await _load_kubeconfig(paths, context, configuration)
        elif context is not None:
            raise CredentialsError(f"context {context!r} was asked for, and there is no kubeconfig to find it in")
        else:
            load_incluster_config: Any = loaders.load_incluster_config  # shipped half typed
            load_incluster_config(configuration)
        tls = RESTClientObject(configuration).ssl_context
    except loaders.ConfigException as error:
        where = f"kubeconfig {paths}" if paths else "no kubeconfig, and not in a pod (name one with --kubeconfig)"
        raise CredentialsError(f"{where}: {error}") from error
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        yaml.YAMLError,
    ) as error:  # whatever a broken file makes of the loader
        raise CredentialsError(f"{paths or 'service account'} cannot be used: {error!r}") from error
    return Credentials(
        server=configuration.host.rstrip("/"),
        tls=tls,
        tls_server_name=configuration.tls_server_name or None,
        proxy=configuration.proxy or _environment_proxy(configuration.host),
        expires=expires,
        configuration=configuration,
    )


async def _load_kubeconfig(paths: str, context: str | None, configuration: Configuration) -> datetime | None:
    if not any(_is_file(path) for path in paths.split(os.pathsep) if path):
        raise CredentialsError(f"kubeconfig {paths} does not exist")
    load_kube_config: Any = loaders.load_kube_config  # shipped half typed
    loader = await load_kube_config(
        config_file=paths, context=context, client_configuration=configuration, persist_config=False
    )
    return getattr(loader, "exec_plugin_expiry", None)


def _is_file(path: str) -> bool:
    return Path(path).expanduser().is_file()


def _environment_proxy(server: str) -> str | None:
    """HTTPS_PROXY and NO_PROXY, looked at once: aiohttp's own way asks for them, and for ~/.netrc, at every request."""
    parts = urlsplit(server)
    proxy = getproxies().get(parts.scheme)
    if proxy is None or parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return proxy

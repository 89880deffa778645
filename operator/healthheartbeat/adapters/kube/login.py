"""The same connection for kopf: one truth of how and as whom the API server is reached."""

import kopf

from healthheartbeat.adapters.kube.credentials import Credentials


async def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """What a kopf login handler returns, from what a `KubeClient` uses at this moment (`client.credentials`).

    Raises CredentialsError where a token file cannot be read.
    """
    configuration = credentials.configuration
    scheme, _, token = (await credentials.authorization() or "").partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() or None,
        token=token.strip() or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=credentials.proxy,
    )

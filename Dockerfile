# syntax=docker/dockerfile:1
# One image for the operator, the watchdog, the command line and the sample bot.
#
#   docker build -t healthheartbeat .
#
# With a package index or a certificate authority of your own, hand pip its settings without leaving them in the image:
#   docker build --secret id=pip,src=pip.conf --secret id=ca,src=ca-bundle.crt -t healthheartbeat .
# with `cert = /run/secrets/ca` in the [global] part of that pip.conf.
ARG BASE=python:3.11-slim-bookworm

# What we depend on, locked by hash, in a layer of its own: it changes seldom.
FROM ${BASE} AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv --without-pip /opt/healthheartbeat && python3 -m venv /opt/installer
COPY requirements/runtime.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    /opt/installer/bin/pip --python /opt/healthheartbeat/bin/python3 install \
      --require-hashes --no-deps --only-binary=:all: --no-compile -r requirements/runtime.txt
# Bytecode of all of it but the Kubernetes client's generated classes, which would be a quarter of the image: kopf loads
# three of them; the import compiles what is loaded. What translations and Cython modules were made from is not read.
RUN /opt/healthheartbeat/bin/python3 -m compileall -q -j 0 -x 'kubernetes/(aio/)?client/(api|models)/' \
      /opt/healthheartbeat/lib/python3*/site-packages \
 && /opt/healthheartbeat/bin/python3 -c 'import kopf, kubernetes.aio.config' \
 && find /opt/healthheartbeat/lib -type f -regex '.*\.\(po\|pot\|pyx\|pxd\|pyi\)' -delete

# Our own package, built by what the lock of the developers' tools says.
FROM dependencies AS package
COPY requirements/dev.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' requirements/dev.txt >build.txt \
 && /opt/installer/bin/pip install --require-hashes --no-deps --only-binary=:all: -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/installer/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/installer/bin/pip --python /opt/healthheartbeat/bin/python3 install \
      --no-index --no-deps --prefix /package /wheels/*.whl

FROM ${BASE}
# The standard library's bytecode, which some base images leave out: a root that cannot be written never keeps it, and
# 97 bots would compile it 97 times over.
RUN python3 -m compileall -q -j 0 -x 'test|idlelib|lib2to3|turtledemo' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=dependencies /opt/healthheartbeat /opt/healthheartbeat
COPY --from=package /package /opt/healthheartbeat
ENV PATH=/opt/healthheartbeat/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["healthheartbeat"]
ARG VERSION=2.1.0
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="healthheartbeat" \
      org.opencontainers.image.description="Kubernetes operator that keeps watch over a fleet of trading bots" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="Polytraders" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A target a role: docker build --target control-plane|lightbulb|sidecar|host|cli .
#
# Tag and digest of the base belong together, for every architecture. To move on:
#   docker buildx imagetools inspect python:3.11.NN-slim-bookworm
ARG BASE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

# The wheel. What changes least comes first, so that an edit builds nothing but this again.
FROM ${BASE} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.txt requirements/build.txt
RUN pip install --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY lightbulb lightbulb
COPY controlplane controlplane
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

# An environment without pip for each role: its locked packages, and the wheel.
FROM wheel AS packages
RUN python -m venv --without-pip /opt/lightbulb
ENV PIP_PYTHON=/opt/lightbulb/bin/python

FROM packages AS control-plane-packages
COPY requirements/control-plane.txt requirements/control-plane.txt
RUN pip install --no-deps --require-hashes -r requirements/control-plane.txt && pip install --no-deps /wheel/*.whl

FROM packages AS lightbulb-packages
COPY requirements/lightbulb.txt requirements/lightbulb.txt
RUN pip install --no-deps --require-hashes -r requirements/lightbulb.txt && pip install --no-deps /wheel/*.whl

FROM packages AS sidecar-packages
COPY requirements/sidecar.txt requirements/sidecar.txt
RUN pip install --no-deps --require-hashes -r requirements/sidecar.txt && pip install --no-deps /wheel/*.whl

FROM packages AS host-packages
COPY requirements/host.txt requirements/host.txt
RUN pip install --no-deps --require-hashes -r requirements/host.txt && pip install --no-deps /wheel/*.whl

FROM packages AS cli-packages
COPY requirements/cli.txt requirements/cli.txt
RUN pip install --no-deps --require-hashes -r requirements/cli.txt && pip install --no-deps /wheel/*.whl

# What all roles run in. /state is the only folder that is written.
FROM ${BASE} AS runtime
ENV PATH=/opt/lightbulb/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/state
RUN install --directory --owner=10001 --group=10001 --mode=0750 /state
WORKDIR /state
USER 10001:10001
VOLUME /state
ENTRYPOINT ["lightbulb"]
LABEL org.opencontainers.image.licenses="Apache-2.0" org.opencontainers.image.version="0.2.0"

FROM runtime AS control-plane
LABEL org.opencontainers.image.title="lightbulb-control-plane" \
      org.opencontainers.image.description="Compiles what is published, and distributes it over xDS"
COPY --from=control-plane-packages /opt/lightbulb /opt/lightbulb
EXPOSE 7700
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["lightbulb", "health", "127.0.0.1:7700"]
CMD ["control-plane", "--listen", "0.0.0.0:7700", "--store", "sqlite:/state/store.db"]

FROM runtime AS lightbulb
LABEL org.opencontainers.image.title="lightbulb" \
      org.opencontainers.image.description="Answers which model, and its routing key"
COPY --from=lightbulb-packages /opt/lightbulb /opt/lightbulb
EXPOSE 7701
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["lightbulb", "health", "127.0.0.1:7701"]
CMD ["serve", "--listen", "0.0.0.0:7701", "--state-dir", "/state"]

# Brings an Envoy on linux/amd64.
FROM runtime AS sidecar
LABEL org.opencontainers.image.title="lightbulb-sidecar" \
      org.opencontainers.image.description="An Envoy, and the relay that configures it"
COPY --from=sidecar-packages /opt/lightbulb /opt/lightbulb
EXPOSE 7710
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["lightbulb", "health", "--envoy", "127.0.0.1:7711"]
CMD ["sidecar", "--listen", "0.0.0.0:7710", "--admin", "127.0.0.1:7711", "--state-dir", "/state"]

# Loads the models of a module in /models, which is mounted: host --models MODULE --shard SHARD ...
FROM runtime AS host
LABEL org.opencontainers.image.title="lightbulb-host" \
      org.opencontainers.image.description="A reference serving host of one shard"
COPY --from=host-packages /opt/lightbulb /opt/lightbulb
ENV PYTHONPATH=/models
EXPOSE 7720
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["lightbulb", "health", "127.0.0.1:7720"]

# For a terminal or a pipeline: rules check, publish, status. It serves nothing whose health could be checked.
FROM runtime AS cli
LABEL org.opencontainers.image.title="lightbulb-cli" \
      org.opencontainers.image.description="Checks rules, publishes, shows, rolls back"
COPY --from=cli-packages /opt/lightbulb /opt/lightbulb
HEALTHCHECK NONE

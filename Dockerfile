FROM python:3.12-slim AS build
# uv, because pip cannot take hashes from a file of constraints; it stays in this stage.
RUN pip install --no-cache-dir uv
ENV UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/pagefleet
RUN uv venv "$VIRTUAL_ENV"
WORKDIR /src
# The lock holds the developers' tools too: as constraints, it gives its releases and hashes to what runs here.
COPY pyproject.toml requirements.lock ./
RUN uv pip install --require-hashes --constraint requirements.lock --extra cli --extra fast -r pyproject.toml
COPY LICENSE README.md ./
COPY pagefleet ./pagefleet
COPY scheduler ./scheduler
COPY worker ./worker
RUN uv pip install --no-deps --build-constraint requirements.lock .

FROM python:3.12-slim
COPY --from=build /opt/pagefleet /opt/pagefleet
ENV PATH=/opt/pagefleet/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["pagefleet"]

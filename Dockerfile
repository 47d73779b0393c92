# One image for both services; the command says which.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Dependencies first: they change less often than the code.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY tuner ./tuner
COPY studies ./studies
RUN pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 10001 tuner \
    && mkdir /runs && chown tuner:tuner /runs

USER tuner
VOLUME /runs
ENTRYPOINT ["tuner"]
CMD ["--help"]

# magiqa serve, CPU. Weights are not in the image: nano is part of the package, others come from the
# volume /cache, where they are fetched to, or from --weights FILE (docs/serving.md).
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m venv --without-pip /opt/magiqa \
    && python -m pip --python /opt/magiqa/bin/python install --no-cache-dir ".[serve]"

FROM python:3.12-slim
COPY --from=build /opt/magiqa /opt/magiqa
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin magiqa \
    && install -d -o magiqa /cache
ENV PATH=/opt/magiqa/bin:$PATH \
    MAGIQA_CACHE=/cache \
    HF_HOME=/cache/hub \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /cache
VOLUME /cache
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["magiqa", "serve", "--host", "0.0.0.0"]

# The page in a container: CPU build of PyTorch, an unprivileged user, data in a volume.
FROM python:3.12-slim

# A C++ compiler lets the engine build its fused CPU kernel at the first run.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /opt/summarizer
RUN pip install "torch>=2.10,<2.14" --index-url https://download.pytorch.org/whl/cpu
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY app.py LICENSE NOTICE ./
COPY assets/ assets/
COPY longt5/ longt5/
COPY app/ app/

RUN useradd --create-home --uid 1000 summarizer \
    && mkdir /data \
    && chown summarizer:summarizer /data
USER summarizer
# Runs, uploads and checkpoints from the hub outlive the container.
ENV SUMMARIZER_DATA_DIR=/data HF_HOME=/data/huggingface
VOLUME /data

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/', timeout=4)"]
# Options go to app.py; without --no-auth or SUMMARIZER_AUTH it refuses to listen on 0.0.0.0.
ENTRYPOINT ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
